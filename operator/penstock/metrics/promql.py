"""A user's PromQL, held to the user's own namespace: every selector in it gets a matcher that nothing else can widen.

The text is parsed, each selector is written anew with the matcher, and what comes out is parsed again and looked over.
Only that canonical text is ever sent: no comment, no raw string, nothing that two parsers could read in two ways.
"""

import re
from collections.abc import Mapping
from functools import lru_cache

import promql_parser as promql

from penstock.metrics.credentials import Unusable

MAX_QUERY = 4096  # characters, after the placeholders are filled in
NAMESPACE = "namespace"
_TOKEN = re.compile(
    r'(?P<double>"(?:\\.|[^"\\\n])*")'
    r"|(?P<single>'(?:\\.|[^'\\\n])*')"
    r"|(?P<raw>`[^`]*`)"
    r"|(?P<comment>#[^\n]*)"
    r"|\{\{(?P<place>[^{}]*)\}\}"
)
_PLACE = re.compile(r"\{\{\s*([a-z]+)\s*\}\}")
_WORD = re.compile(r"[A-Za-z0-9_:.]+")
_LITERAL = re.compile(r"([\\.+*?()|\[\]{}^$])")


def quoted(text: str) -> str:
    """A PromQL string that means exactly this text."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return f'"{escaped}"'


def one_of(values: list[str]) -> str:
    """A matcher's right side for these very values: no character of them is a pattern."""
    if len(values) == 1:
        return f"={quoted(values[0])}"
    return "=~" + quoted("|".join(_LITERAL.sub(r"\\\1", each) for each in values))


def fill(text: str, fills: Mapping[str, str]) -> str:
    """The query with its placeholders filled in, as strings need it; without comments, and with plain strings only."""

    def token(found: re.Match[str]) -> str:
        if found["comment"] is not None:
            return " "
        if found["place"] is not None:
            return _bare(found["place"].strip(), fills)
        return _string(found, fills)

    filled = _TOKEN.sub(token, text)
    if len(filled) > MAX_QUERY:
        raise Unusable(f"the query has more than {MAX_QUERY} characters")
    return filled


def _string(found: re.Match[str], fills: Mapping[str, str]) -> str:
    """One string token with its placeholders filled in; a raw one becomes a plain one."""
    inner = found[0][1:-1]
    if found["raw"] is not None:
        return _placed(quoted(inner)[1:-1], fills)
    if found["single"] is not None:  # its quotes change places: \' needs no escape any more, and " needs one
        inner = re.sub(r'\\(.)|"', lambda m: '\\"' if m[0] == '"' else "'" if m[1] == "'" else m[0], inner)
    return _placed(inner, fills)


def _placed(inner: str, fills: Mapping[str, str]) -> str:
    return f'"{_PLACE.sub(lambda m: quoted(_value(m[1], fills))[1:-1], inner)}"'


def _bare(place: str, fills: Mapping[str, str]) -> str:
    value = _value(place, fills)
    if not _WORD.fullmatch(value):
        raise Unusable(f"{{{{{place}}}}} must be inside of quotes in the query")
    return value


def _value(place: str, fills: Mapping[str, str]) -> str:
    if place not in fills:
        known = ", ".join(f"{{{{{each}}}}}" for each in fills)
        raise Unusable(f"the query's {{{{{place[:32]}}}}} is not known; there are {known}")
    return fills[place]


@lru_cache(maxsize=4096)
def confined(text: str, namespace: str) -> str:
    """The query with the namespace's matcher in every selector; `Unusable`, in words, where that cannot be done."""
    mine = promql.Matcher(promql.MatchOp.Equal, NAMESPACE, namespace)
    parsed = _parsed(text)
    _selectors(parsed)  # also says what reads series without one
    made: str = promql.transform(parsed, post_visit=lambda node: _narrowed(node, mine)).prettify()
    if not is_confined(made, namespace):
        raise Unusable("the query cannot be held to the namespace; write its selectors in a simpler way")
    return made


def is_confined(text: str, namespace: str) -> bool:
    """Whether every selector of a query has the namespace's matcher, beside whatever else it has."""
    return all(_is_held(each, namespace) for each in _selectors(_parsed(text)))


def _parsed(text: str) -> promql.Expr:
    try:
        found: promql.Expr = promql.parse(text)
    except ValueError as error:
        raise Unusable(f"the query is no PromQL: {str(error)[:160]}") from None
    return found


def _selectors(parsed: promql.Expr) -> list[promql.VectorSelector]:
    """All of an expression, also those inside of ranges; `Unusable` where something else reads series."""
    found: list[promql.VectorSelector] = []

    def visit(node: promql.Expr) -> None:
        if isinstance(node, promql.Call) and node.func.name == "info":  # it joins target_info of every namespace
            raise Unusable("the query uses info(), which cannot be held to the namespace")
        if isinstance(node, promql.VectorSelector):
            found.append(node)

    promql.walk(parsed, pre_visit=visit)
    return found


def _narrowed(node: promql.Expr, mine: promql.Matcher) -> promql.Expr | None:
    """A selector written anew with the matcher; None for anything else, which stays as it is."""
    if not isinstance(node, promql.VectorSelector):
        return None
    if node.matchers.or_matchers:
        raise Unusable("the query has or between label matchers, which cannot be held to the namespace")
    matchers = [*node.matchers.matchers, mine]
    node.matchers = promql.Matchers([])
    times = str(node).removeprefix(f"{node.name or ''}{{}}")  # offset and @, as the library spells them
    return _parsed(f"{node.name or ''}{{{','.join(_spelt(each) for each in matchers)}}}{times}")


def _spelt(matcher: promql.Matcher) -> str:
    name = matcher.name if re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*", matcher.name) else quoted(matcher.name)
    return f"{name}{_SIGNS[str(matcher.op)]}{quoted(matcher.value)}"


_SIGNS = {"MatchOp.Equal": "=", "MatchOp.NotEqual": "!=", "MatchOp.Re": "=~", "MatchOp.NotRe": "!~"}


def _is_held(selector: promql.VectorSelector, namespace: str) -> bool:
    return not selector.matchers.or_matchers and any(
        each.name == NAMESPACE and each.op == promql.MatchOp.Equal and each.value == namespace
        for each in selector.matchers.matchers
    )
