"""The report in words: every number in it comes from the results."""

import textwrap
from typing import Any

from bench.predictive.autoscaler import KNEE, START, TARGET
from bench.predictive.judge import REACTS

Row = dict[str, Any]
ABOUT = {
    "recorded": "Recorded: hourly counts of requests to a public web site (bioconductor.org, January to May 2007), "
    "straight lines between the hours. Real days and weeks, and no ramp steeper than an hour's.",
    "office": "Synthetic. Five working days with a ramp of half an hour at 8:00; the height of a day differs by 10 %, "
    "the time of its ramp by ten minutes; a week-end of 15 %.",
    "jobs": "Synthetic. A quiet service, and at 2:00, 10:00 and 16:00 ten times its load for half an hour, at once.",
    "surprises": "Synthetic. Four times the load for 20 minutes, three times a day at any time: nothing to be learned.",
    "growing": "Synthetic. The office's, a tenth more each week: the past is always too low.",
}


def report(results: dict[str, Any]) -> str:
    """The page docs/reports/predictive.md."""
    rows: list[Row] = results["rows"]
    names = list(dict.fromkeys(row["curve"] for row in rows))
    blocks = [*_opening(results["about"])]
    for name in names:
        blocks += [
            f"## {name.capitalize()}",
            _filled(ABOUT[name]),
            _table([row for row in rows if row["curve"] == name]),
        ]
    return "\n\n".join([*blocks, *_ending()]) + "\n"


def _opening(about: Row) -> list[str]:
    return [
        "# Replicas before the load comes: what it saves and what it costs",
        _filled(
            f"""Simulated by `{about["command"]}` with seed {about["seed"]}: an autoscaler as Kubernetes documents it
            (15 seconds, a tolerance of a tenth, up at once, down as Penstock sets it), with {TARGET:g} requests/s for
            each replica as its target, and pods that serve {START} s after they were asked for. Of {KNEE:g} requests/s
            for each ready replica 1 % are slow, of a fifth more ten times as many. The forecasts are those of the
            operator's own code. The first four weeks count as the past only. What arrives is drawn around the curve."""
        ),
        _filled(
            """*Slow* is the share of requests over the latency objective; *replica-hours* are counted from the moment
            when a pod is asked for. Both also as a ratio to the autoscaler that reacts only. *Knows the future* has
            replicas for the next two minutes' real load as its lower bound."""
        ),
    ]


def _table(rows: list[Row]) -> str:
    base = next(row for row in rows if row["way"] == REACTS)
    lines = ["| | slow | ratio | replica-hours | ratio |", "|---|---|---|---|---|"]
    for row in rows:
        slow, hours = row["slow"] / base["slow"], row["hours"] / base["hours"]
        lines.append(f"| {row['way']} | {row['slow']:.3%} | {slow:.2f} | {row['hours']:,} | {hours:.2f} |")
    return "\n".join(lines)


FOLLOWS = (
    """It pays where the load jumps at times that repeat themselves, faster than a pod starts: nothing else helps there,
    as a lower target reacts as late as a higher one.""",
    """Where the load rises slower than pods start, a target that is a tenth lower gives about as few slow requests for
    fewer replica-hours. A forecast is no substitute for that.""",
    """Where nothing repeats itself it costs replicas and brings little; where the load grows from week to week it
    brings less than it could, since it knows no trend.""",
    """`season: Day` pays on all days of the week for the busiest of them. `lead` is the time that a pod needs: more
    than that costs replica-hours for little.""",
)
LIMITS = """Hence it is off by default. The model of slowness is simple, one revision serves all the time, and each pod
    starts in the same time: take the ratios as a direction, not as a promise."""


def _ending() -> list[str]:
    return ["## What follows", "\n".join(_item(each) for each in FOLLOWS), _filled(LIMITS)]


def _filled(text: str) -> str:
    return textwrap.fill(" ".join(text.split()), 120, break_long_words=False, break_on_hyphens=False)


def _item(text: str) -> str:
    return textwrap.fill(
        " ".join(text.split()), 120, initial_indent="- ", subsequent_indent="  ", break_on_hyphens=False
    )
