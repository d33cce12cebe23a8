"""The report in words: every number in it comes from the results."""

import re
import textwrap
from typing import Any

Row = dict[str, Any]
Results = dict[str, Any]
GUARDS = {
    "none": "as it is",
    "rest leans": "odds without the worst pod are over 1",
    "rest convinced": "odds without the worst pod reach the limit too",
    "look at most 1/4": "one look adds at most 1/4 of what rejects",
    "look at most 1/8": "one look adds at most 1/8 of what rejects",
    "leans, or at most 1/8": "odds without the worst pod over 1, or looks at most 1/8; with one pod only the latter",
}
BURSTS = {
    "steady": "no pod bursts",
    "bursts": "one pod fails 20 % of its requests for 4 looks, then none for 76",
    "beta": "one pod's share is drawn anew each look (correlation 0.05)",
    "all burst": "all pods of both arms burst like the one above",
    "worse": "worse: all candidate pods fail 5 %",
    "one bad": "worse: one candidate pod fails 10 % for good",
}


def percent(share: float) -> str:
    return f"{100 * share:.1f} %" if share >= 0.0005 or not share else f"{100 * share:.2f} %"


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def filled(block: str) -> str:
    """A paragraph at 120 columns, code spans and percentages kept whole; headings, tables, pictures as they are."""
    if block[0] in "#|!":
        return block
    whole = re.sub(r"`[^`]+`|\d %", lambda span: span[0].replace(" ", "\0"), " ".join(block.split()))
    return textwrap.fill(whole, 120, break_long_words=False, break_on_hyphens=False).replace("\0", " ")


def report(results: Results) -> str:
    """The page docs/reports/evidence.md."""
    blocks = [
        *_opening(results["about"]),
        *_alpha(results),
        *_comparison(results["comparison"]),
        *_traffic(results["by_traffic"]),
        *_bursts(results["bursts"]),
        *_limits(),
    ]
    return "\n\n".join(filled(block) for block in blocks) + "\n"


def _opening(about: Row) -> list[str]:
    return [
        "# Evidence: how often it is wrong, and how soon it is right",
        f"""Simulated rollouts of 60 looks, a minute each. Made by `make bench` (`{about["command"]}`) with seed
        {about["seed"]}, in {about["seconds"]} s (Python {about["python"]}, numpy {about["numpy"]}). All numbers are in
        `bench/results/evidence.json`. The rules of other tools are written anew after their documentation and source;
        which choices were made for them is said in `bench/evidence/rivals.py`.""",
    ]


def _alpha(results: Results) -> list[str]:
    rows, agreed = results["alpha"], results["agreement"]
    worst = {alpha: max(r["rate"] for r in rows if r["alpha"] == alpha) for alpha in ("5%", "1%")}
    over = sum(r["bound"] > float(r["alpha"][:-1]) / 100 for r in rows)
    shift = max(results["shift"], key=lambda r: r["rate"])
    return [
        "## Does it keep its alpha?",
        f"""{rows[0]["runs"]:,} identical canaries for each traffic and share, judged at all 60 looks. The highest share
        ever rejected in any of the {len(rows)} cells is {percent(worst["5%"])} where alpha is 5 % and
        {percent(worst["1%"])} where it is 1 %. The {100 * results["about"]["confidence"]:.0f} % upper bound (Clopper
        and Pearson) is above alpha in {over} of the cells. Each cell of the table is the highest of three shares of
        traffic
        (stable 95, 90 and 50 %), and its bound. "At the limit" means that the candidate is just as bad as it may be,
        the hardest case. The six: errorRate and slowRate with max and with compare, two more with compare.""",
        _alpha_table(rows),
        f"""The rules are computed for many runs at once in numpy, and for some look by look with `penstock.stats`
        itself: in {agreed["differ"]} of {agreed["compared"]:,} verdicts the two gave another look. Odds on a shift of
        latencies, at 20 to 1 and whatever the index, rejected at most {percent(shift["rate"])} of identical arms (bound
        {percent(shift["bound"])}) in {len(results["shift"])} cells of {shift["runs"]:,} runs each.""",
    ]


def _alpha_table(rows: list[Row]) -> str:
    columns = [(name, alpha) for name in dict.fromkeys(r["metrics"] for r in rows) for alpha in ("5%", "1%")]
    lines = []
    for requests in sorted({r["requests"] for r in rows}):
        cells = []
        for column in columns:
            found = [r for r in rows if r["requests"] == requests and (r["metrics"], r["alpha"]) == column]
            top = max(found, key=lambda r: r["rate"])
            cells.append(f"{percent(top['rate'])} (< {percent(top['bound'])})")
        lines.append([str(requests), *cells])
    return table(["requests a look", *(f"{name}, alpha {alpha}" for name, alpha in columns)], lines)


def _comparison(rows: list[Row]) -> list[str]:
    parts = [
        "## The rules on the same histories",
        f"""{rows[0]["runs"]:,} bad and as many identical canaries for each, stable with 90 % of the traffic. *Caught*:
        bad candidates rejected within 60 looks. *Median*: candidate requests until half of all bad ones were. *False*:
        identical ones rejected. Argo's and Flagger's threshold lies halfway between the good and the bad share, which
        nobody knows beforehand. Penstock is told less: `compare` has tolerance 1.25, and `max` the good share itself as
        its objective; alpha is 5 %.""",
        "![requests until caught against false rollbacks](evidence-detection.svg)",
    ]
    for scenario in dict.fromkeys(r["scenario"] for r in rows):
        parts.append(f"### {scenario[0].upper()}{scenario[1:]}")
        parts.append(_scenario_table([r for r in rows if r["scenario"] == scenario]))
    return [*parts, _reading(rows)]


def _scenario_table(rows: list[Row]) -> str:
    traffics = sorted({r["requests"] for r in rows})
    lines = []
    for rule in dict.fromkeys(r["rule"] for r in rows):
        cells = []
        for row in sorted((r for r in rows if r["rule"] == rule), key=lambda r: r["requests"]):
            median = f"{row['median_requests']:,}" if row["median_requests"] else "never"
            cells += [percent(row["rejected"]), median, percent(row["false_rollbacks"])]
        lines.append([rule, *cells])
    return table(["rule", *(f"{t} a look: {what}" for t in traffics for what in ("caught", "median", "false"))], lines)


def _reading(rows: list[Row]) -> str:
    def top(start: str) -> str:
        return percent(max(r["false_rollbacks"] for r in rows if r["rule"].startswith(start)))

    def caught(rule: str, scenario: str, requests: int) -> str:
        by = {(r["rule"], r["scenario"], r["requests"]): r["rejected"] for r in rows}
        return percent(by[rule, scenario, requests])

    rare, near, plain = "errors 0.1 % -> 1 %", "errors 1 % -> 2 %", "errors 1 % -> 5 %"
    mine, exact, judge = "Penstock, compare Stable", "Penstock, max", "Kayenta, every 10 minutes"
    return f"""How to read it. No rule of Penstock's rejected more than {top("Penstock")} of the identical canaries in
    any cell; Argo Rollouts up to {top("Argo")}, Flagger up to {top("Flagger")}, PipeCD up to {top("PipeCD")}, Kayenta
    up to
    {top("Kayenta")}. Kayenta's judge is as careful, and it finds plain faults at its first judgement; but it ranks
    minutes, not requests. From 1 to 5 % at 10 requests a look it caught {caught(judge, plain, 10)} and Penstock
    {caught(mine, plain, 10)}; from 0.1 to 1 % at 50 a look {caught(judge, rare, 50)} and {caught(mine, rare, 50)}. A
    threshold in the right place is quick and sure where traffic is heavy and the fault large; elsewhere it rejects good
    candidates, or needs so many failures that bad ones stay for long. Penstock's own weak side is a fault near what is
    tolerated: twice the errors, compared at tolerance 1.25, is caught in {caught(mine, near, 50)} of rollouts of 3,000
    requests; an objective finds it in {caught(exact, near, 50)}."""


def _traffic(rows: list[Row]) -> list[str]:
    traffics = sorted({r["requests"] for r in rows})
    lines = []
    for rule in dict.fromkeys(r["rule"] for r in rows):
        by = {r["requests"]: r["rejected"] for r in rows if r["rule"] == rule}
        lines.append([rule, *(percent(by[t]) for t in traffics)])
    return [
        "## False rollbacks by traffic",
        f"""Identical canaries at 1 % errors, {rows[0]["runs"]:,} runs for each traffic, 60 looks: the share that was
        rejected. Thresholds are 3 % errors; in the last four rows 1 %, so that the service is just at its objective,
        as it is for `Penstock, max` in every row.""",
        "![false rollbacks by traffic](evidence-traffic.svg)",
        table(["rule", *(f"{t} a look" for t in traffics)], lines),
    ]


def _bursts(rows: list[Row]) -> list[str]:
    tolerances, pods = sorted({r["tolerance"] for r in rows}), sorted({r["pods"] for r in rows})
    lines = []
    for kind, words in BURSTS.items():
        by = {(r["pods"], r["tolerance"]): r for r in rows if r["kind"] == kind and r["guard"] == "none"}
        lines.append([words, *(percent(by[n, t]["rejected"]) for n in pods for t in tolerances)])
    return [
        "## A pod that fails in bursts",
        f"""The bound is for independent requests. Here every pod fails 1 % of its requests on average, the candidate
        has 50 requests a look and stable nine times as many, alpha is 5 %, {rows[0]["runs"]:,} runs of 60 looks each.
        Save
        for the last two rows each rejection is false.""",
        table(["rejected", *(f"{n} pod{'s' * (n > 1)}, tolerance {t}" for n in pods for t in tolerances)], lines),
        """What guards would do, at tolerance 1.25. Each only ever takes rejections away, so each keeps the bound. None
        is built in.""",
        _guards(rows),
        _advice(rows),
    ]


def _advice(rows: list[Row]) -> str:
    by = {(r["guard"], r["kind"], r["pods"]): r for r in rows if r["tolerance"] == 1.25}
    both = "leans, or at most 1/8"
    return f"""Asking that the odds without the worst pod still lean against the candidate holds off one bursty pod and
    costs next to nothing where the whole version is bad; but it keeps on a version of which one pod alone is bad.
    Capping
    what one look may add needs no counts for each pod and rejects that one too, but a fault has to show for at least
    that
    many looks. Either of the two, whichever comes first, has the good sides of both: with two pods, one of them bursty,
    it rejects {percent(by[both, "bursts", 2]["rejected"])} instead of {percent(by["none", "bursts", 2]["rejected"])}; a
    bad version after {by[both, "worse", 2]["median_requests"]} requests instead of
    {by["none", "worse", 2]["median_requests"]}, a single bad pod after
    {by[both, "one bad", 2]["median_requests"]} instead of {by["none", "one bad", 2]["median_requests"]} (medians).
    Where
    all pods burst at once it helps less: {percent(by[both, "all burst", 4]["rejected"])} instead of
    {percent(by["none", "all burst", 4]["rejected"])} with four pods."""


def _guards(rows: list[Row]) -> str:
    columns = [("bursts", 1), ("bursts", 2), ("bursts", 4), ("beta", 1), ("beta", 2)]
    columns += [("all burst", 2), ("all burst", 4), ("worse", 2), ("worse", 4), ("one bad", 2)]
    lines = []
    for guard, words in GUARDS.items():
        cells = []
        for column in columns:
            row = next(
                r for r in rows if (r["kind"], r["pods"]) == column and (r["tolerance"], r["guard"]) == (1.25, guard)
            )
            median = (
                f", median {row['median_requests']:,}"
                if column[0] in ("worse", "one bad") and row["median_requests"]
                else ""
            )
            cells.append(percent(row["rejected"]) + median)
        lines.append([words, *cells])
    return table(["guard", *(f"{kind}, {n} pod{'s' * (n > 1)}" for kind, n in columns)], lines)


def _limits() -> list[str]:
    return [
        "## What this does not show",
        """Requests are independent save in the last section, and rates do not drift with the hour. A look is a minute;
        the operator's default is 15 s. The delays of real metric stores, scrapes and routes are not in it. Kayenta is
        given one metric; with more, its score dilutes each. Argo Rollouts, Flagger and PipeCD can be set otherwise than
        here. PipeCD and Kayenta judge the mean latency of each minute, Argo and Flagger too; a shift that leaves the
        mean alone would change that table.""",
    ]
