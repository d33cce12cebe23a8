"""`penstock replay`: the looks in an operator's log judged again, and whether the outcome is what it was.

Text in and text out; the judging is `core.replay`.
"""

import argparse
import sys
from collections.abc import Iterator

from penstock.cli import table
from penstock.cli.wrong import Wrong, read
from penstock.core.record import Answered, Look, parse_look
from penstock.core.replay import Judged, Replay, replay, rollouts

HEAD = ("time", "step", "metric", "this look", "all looks", "odds", "limit", "verdict", "still needs", "again")


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The command and its options."""
    parser = commands.add_parser("replay", help="judge the looks in an operator's log again, and compare")
    parser.add_argument("file", help="the operator's log, or - for standard input; other lines are passed over")
    parser.add_argument("--name", help="only this ModelDeployment")
    parser.add_argument("--namespace", help="only in this namespace")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """0: all the same; 1: something differs, and the first difference is the last line; 2: nothing to replay."""
    found = rollouts(_looks(args))
    if not found:
        raise Wrong(
            f"{args.file}: no look of such a rollout in it; wanted is the operator's log, logger penstock.looks"
        )
    replays = [(looks[0], replay(looks)) for looks in found]
    for look, again in replays:
        if again.problem:
            print(f"penstock: {_titled(look)}: {again.problem}", file=sys.stderr)
    whole = [(look, again) for look, again in replays if not again.problem]
    if not whole:
        raise Wrong(f"{args.file}: no rollout is there from its start on")
    for look, again in whole:
        print("\n".join(_told(look, again)))
    different = [(look, again.differences[0]) for look, again in whole if again.differences]
    if different:
        print(f"DIFFERENT, first in {_titled(different[0][0])}: {different[0][1]}")
        return 1
    count = sum(len(again.looks) for _, again in whole)
    print(f"SAME: {count} looks, judged again from nothing, gave the recorded verdicts and decisions.")
    return 0


def _looks(args: argparse.Namespace) -> Iterator[Look]:
    for number, line in enumerate(read(args.file).splitlines(), 1):
        look = parse_look(line)
        if isinstance(look, str):
            raise Wrong(f"{args.file}, line {number}: {look}")
        if look and args.name in (None, look.name) and args.namespace in (None, look.namespace):
            yield look


def _titled(look: Look) -> str:
    return f"{look.namespace}/{look.name}, version {look.version}, begun {look.started_at[:19]}Z"


def _told(look: Look, again: Replay) -> Iterator[str]:
    yield _titled(look)
    yield ""
    rows: list[tuple[str, ...]] = [HEAD]
    for each in again.looks:
        rows += _rows(each)
    marked = iter(table.lines(rows, right=frozenset({5, 6})))
    yield next(marked)
    for each in again.looks:
        yield from (next(marked) for _ in _rows(each))
        yield f"{each.look.at[11:19]}  => {_decision(each.look)}"
        yield from (f"          differs: {what}" for what in each.differences)
    yield ""


def _rows(each: Judged) -> list[tuple[str, ...]]:
    """One row for each metric that was asked or is known."""
    known = {e.metric: e for e in each.evidence}
    names = [*each.look.answers, *(name for name in known if name not in each.look.answers)]
    made: list[tuple[str, ...]] = []
    for name in names:
        now, answer = known.get(name), each.look.answers.get(name)
        odd = any(what.startswith(f"{name}: ") for what in each.differences)
        made.append(
            (
                each.look.at[11:19],
                str(each.look.stage.number + 1),
                name,
                _answer(answer) if answer else "not asked",
                f"{now.candidate.bad} of {now.candidate.total}" if now and now.candidate.total else "-",
                now.odds if now and now.limit else "-",
                now.limit if now and now.limit else "-",
                now.verdict.value if now else "-",
                (now.needs if now else None) or "-",
                "DIFFERENT" if odd else "same",
            )
        )
    return made


def _answer(answer: Answered) -> str:
    """What was answered, in few words."""
    if answer.counts is not None:
        bad, total, home_bad, home = answer.counts
        return f"{bad} of {total}" + (f", stable {home_bad} of {home}" if home else "")
    if answer.groups is not None:
        return (
            ", ".join(f"{name or '(none)'} {bad} of {total}" for name, (bad, total) in answer.groups.items()) or "none"
        )
    if answer.shapes is not None:
        return f"{sum(answer.shapes.candidate)} values, stable {sum(answer.shapes.stable)}"
    if answer.levels is not None:
        return ", ".join(f"{value:.6g}" for value in answer.levels) or "no value"
    return f"SILENT: {answer.silence}"


def _decision(look: Look) -> str:
    words = {"Waits": "waits", "StepEntered": "next step", "Promoted": "promoted", "Rejected": "taken off"}
    told = words[look.move.value]
    return told if look.reason in ("", look.move.value) else f"{told}: {look.reason}"
