"""Users' PromQL: placeholders filled in, and every selector held to the namespace, whatever is tried."""

import promql_parser
import pytest

from penstock.metrics.promql import MAX_QUERY, Unusable, confined, fill, is_confined, one_of, quoted

NS = 'namespace="ml"'
FILLS = {"namespace": "ml", "name": "churn", "revision": "churn-1", "version": "v1"}

HELD = {
    "a name alone": ("up", f"up{{{NS}}}"),
    "matchers": ('a{b="c",d!~"e|f"}', f'a{{b="c",d!~"e|f",{NS}}}'),
    "an empty pair of braces": ("a{}", f"a{{{NS}}}"),
    "a comma at the end": ('a{b="c",}', f'a{{b="c",{NS}}}'),
    "a recording rule": ("job:a:rate5m", f"job:a:rate5m{{{NS}}}"),
    "every name there is": ('{__name__=~".+"}', f'{{__name__=~".+",{NS}}}'),
    "a name in quotes": ('{"my.metric"}', f'{{__name__="my.metric",{NS}}}'),
    "a label in quotes": ('a{"my.label"="x"}', f'a{{"my.label"="x",{NS}}}'),
    "a range": ("rate(a[5m])", f"rate(a{{{NS}}}[5m])"),
    "a range with offset": ("rate(a[5m] offset 1h)", f"rate(a{{{NS}}}[5m] offset 1h)"),
    "an offset into the future": ("a offset -5m", f"a{{{NS}}} offset -5m"),
    "a fixed time": ("a @ 1609746000", f"a{{{NS}}} @ 1609746000.000"),
    "the end": ("a[5m] @ end()", f"a{{{NS}}}[5m] @ end()"),
    "a subquery": ("max_over_time(rate(a[1m])[5m:10s])", f"max_over_time(rate(a{{{NS}}}[1m])[5m:10s])"),
    "a subquery without resolution": ("avg_over_time(a[5m:])", f"avg_over_time(a{{{NS}}}[5m:])"),
    "on and group_left": (
        "a * on (pod) group_left (x) b",
        f"a{{{NS}}} * on (pod) group_left (x) b{{{NS}}}",
    ),
    "ignoring": ("a / ignoring (code) b", f"a{{{NS}}} / ignoring (code) b{{{NS}}}"),
    "an aggregation by a keyword": ("sum by (on) (a)", f"sum by (on) (a{{{NS}}})"),
    "keywords as labels": ('a{by="x",on="y",offset="z"}', f'a{{by="x",{NS},offset="z",on="y"}}'),
    "a keyword as a name": ("sum(offset)", f"sum(offset{{{NS}}})"),
    "the label to come taken away": (
        "sum without (namespace) (a)",
        f"sum without (namespace) (a{{{NS}}})",
    ),
    "nested aggregations": (
        "topk(3, sum by (x) (max without (y) (a)))",
        f"topk(3, sum by (x) (max without (y) (a{{{NS}}})))",
    ),
    "a parameter that is a query": ("quantile(scalar(b), a)", f"quantile(scalar(b{{{NS}}}), a{{{NS}}})"),
    "or vector(1)": ("a or vector(1)", f"a{{{NS}}} or vector(1)"),
    "absent": ('absent(a{b="c"})', f'absent(a{{b="c",{NS}}})'),
    "a number": ("1", "1"),
    "the time": ("time()", "time()"),
    "braces in a string": (
        'label_replace(a, "x", "{$1}", "y", "(.*)")',
        f'label_replace(a{{{NS}}}, "x", "{{$1}}", "y", "(.*)")',
    ),
    "a comment with a selector": ("a # b{c='d'}\n + e", f"a{{{NS}}} + e{{{NS}}}"),
    "a comment with a quote": ("a # don't\n", f"a{{{NS}}}"),
    "a hash in a string": ('a{b="#"} + c', f'a{{b="#",{NS}}} + c{{{NS}}}'),
    "a raw string": (r"a{b=~`\d+`}", f'a{{b=~"\\\\d+",{NS}}}'),
    "single quotes": ("a{b='it\\'s \"x\"'}", f'a{{b="it\'s \\"x\\"",{NS}}}'),
    "letters of the world": ('a{b="größe 😀"}', f'a{{b="größe 😀",{NS}}}'),
    "line breaks": ("sum(\n  a\n)", f"sum(a{{{NS}}})"),
    "signs before": ("-a ^ 2", f"-a{{{NS}}} ^ 2"),
}


@pytest.mark.parametrize("name", HELD)
def test_every_selector_gets_the_matcher(name: str) -> None:
    written, expected = HELD[name]
    assert confined(fill(written, FILLS), "ml") == expected


WIDENING = [
    'a{namespace="other"}',
    'a{namespace=~".*"}',
    'a{namespace!="ml"}',
    'a{"namespace"="other"}',
    'a{namespace="other",namespace="third"}',
    'a{b=`x"} or secret{c="`}',
    'a{b="x\\"} or secret{c=\\""}',
    "a{b='x\"} or secret{c=\"'}",
    "a # \n or b{namespace='other'}",
    'a{b="`"} or c{d="`"}',
    "count_values('namespace', a) or label_replace(b, 'namespace', 'other', '', '')",
    "((((a)))) unless (b and on (x) c)",
    'sum(rate({__name__=~"a|b"}[5m:1m] @ start() offset 5m)) by (le)',
]


@pytest.mark.parametrize("written", WIDENING)
def test_nothing_reads_beyond_the_namespace(written: str) -> None:
    """What another parser makes of the text that is sent: every selector has the matcher, beside whatever else."""
    made = promql_parser.parse(confined(fill(written, FILLS), "ml"))
    found: list[set[tuple[str, str, str]]] = []

    def visit(node: object) -> None:
        if isinstance(node, promql_parser.VectorSelector):
            found.append({(m.name, str(m.op), m.value) for m in node.matchers.matchers})

    promql_parser.walk(made, pre_visit=visit)
    assert found and all(("namespace", "MatchOp.Equal", "ml") in each for each in found)


@pytest.mark.parametrize(
    ("text", "is_held"),
    [
        (f"a{{{NS}}} + b{{{NS}}}", True),
        (f"a{{{NS}}} + b", False),
        (f"rate(a[5m]) + b{{{NS}}}", False),
        ('a{namespace="other"}', False),
        ('a{namespace=~"ml"}', False),
        ('a{namespace!="ml"}', False),
        ('a{name="ml"}', False),
        (f'a{{{NS} or namespace="other"}}', False),
        ("1 + time()", True),
    ],
)
def test_the_last_look_finds_what_was_missed(text: str, is_held: bool) -> None:
    """Nothing is sent that does not pass it, whatever went wrong before."""
    assert is_confined(text, "ml") is is_held


def test_a_users_own_matcher_stays_and_can_only_narrow() -> None:
    assert confined('a{namespace="other"}', "ml") == f'a{{{NS},namespace="other"}}'


REFUSED = {
    "nothing": ("", "no PromQL"),
    "only a comment": ("# up", "no PromQL"),
    "a parenthesis too few": ("sum(a", "no PromQL: unclosed left parenthesis"),
    "two queries": ("a b", "no PromQL"),
    "a string that does not end": ('a{b="c}', "no PromQL"),
    "an unknown function": ("foo(a)", "unknown function"),
    "a vector where a range belongs": ("rate(a)", "expected type matrix"),
    "no matcher at all": ("{}", "at least one non-empty matcher"),
    "a pattern that is none": ('a{b=~"["}', "no PromQL"),
    "or between matchers": ('a{b="c" or namespace="other"}', "or between label matchers"),
    "info()": ("info(a)", "info()"),
    "info() with matchers": ('sum(info(a, {namespace="other"}))', "info()"),
    "a variable of a dashboard": ("rate(a[$__interval])", "no PromQL"),
    "letters of the world in a name": ("größe", "no PromQL"),
    "a broken escape": (r'a{b="\d"}', "unknown escape sequence"),
    "an unknown placeholder": ('a{b="{{pod}}"}', "{{pod}} is not known; there are {{namespace}}"),
    "a placeholder that would become code": ("a or {{version}}", "must be inside of quotes"),
    "too long": ("a" * (MAX_QUERY + 1), "more than 4096 characters"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_held_is_refused_in_words(name: str) -> None:
    written, said = REFUSED[name]
    with pytest.raises(Unusable) as caught:
        confined(fill(written, FILLS | {"version": "v1 or secret"}), "ml")
    assert said in str(caught.value) and len(str(caught.value)) < 250


EVIL = 'v"} or secret{x="\\\n'
FILLED = {
    "in double quotes": 'a{b="{{version}}"}',
    "in single quotes": "a{b='{{version}}'}",
    "in a raw string": "a{b=`{{version}}`}",
    "with spaces": 'a{b="{{ version }}"}',
}


@pytest.mark.parametrize("name", FILLED)
def test_a_placeholder_is_a_text_and_never_code(name: str) -> None:
    made = promql_parser.parse(confined(fill(FILLED[name], {"version": EVIL}), "ml"))
    assert {m.name: m.value for m in made.matchers.matchers} == {"b": EVIL, "namespace": "ml"}


def test_a_plain_placeholder_may_stand_alone() -> None:
    assert fill("{{name}}_accuracy{revision='{{revision}}'}", FILLS) == 'churn_accuracy{revision="churn-1"}'


def test_values_of_a_matcher_are_no_patterns() -> None:
    assert one_of(["churn-.*"]) == '="churn-.*"'
    assert one_of(["a.b", "c|d"]) == '=~"a\\\\.b|c\\\\|d"'
    assert quoted('a"\\\n') == '"a\\"\\\\\\n"'
