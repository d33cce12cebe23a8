"""The results as a page for docs/reports; numbers only from the results."""

from typing import Any

HEAD = """# Batching

Made by `{command}`; the numbers are in `bench/results/batching.json`.

{canaries} canaries that are looked at every {interval:g} s, each with two revisions of two pods ({pods} pods), and
three metrics: errorRate with `max`, errorRate with `compare`, slowRate; the requests of both revisions are counted
beside them, for the share that is seen. A real Prometheus scrapes a pretended
exporter every 5 s. Loop, queue, batch and adapter are the operator's own; a turn asks and judges, and what it would
decide and write is left out. {workers} workers, Python {python}, {cpus} CPUs. The machine was shared with other
work: the load average is in the table, and the processes of the bench had priority.

*Late* is the time from when a look was due until it was judged. *Others late* is how late {quiet} objects get their
turn that ask nothing and want one every second.

| | queries a look | late p50 | late p99 | of {interval:g} s | others p99 | looks | CPU operator | Prometheus | load |
|---|---|---|---|---|---|---|---|---|---|
"""
TAIL = """
CPU is in CPUs. There are some more looks than one each interval, because a window ends 1 s before it is looked at
and the next is due an interval after that end. Of the requests that there were to see, {counted:.1%} were counted
(counters are whole numbers, the truth here is a rate); {silences} questions went unanswered.

## What follows

- **Goals.** At most 0.1 queries per look: {per_look}. Late p99 at most 10 % of the interval: {share:.1%}.
- **Asking together** costs lateness (it waits for 5 % of the interval, at most 1 s) and saves {saved:.0%} of the
  queries and most of the work of Prometheus. While fewer than ten objects a second ask, nobody waits.
- **A turn that waits gives its place back.** So a source that takes 2 s to answer makes looks 2 s later, and nobody
  else. If it kept its place, the {workers} workers would all be busy waiting, even for a fast source: looks and the
  turns of objects that ask nothing come many seconds late. More workers only move the number at which that happens,
  and all of them would then also compute and write at once.
"""


def report(results: dict[str, Any]) -> str:
    """Markdown."""
    about, runs = results["about"], results["runs"]
    shipped, alone = runs["as shipped"], runs["every turn asks alone"]
    return (
        HEAD.format(**about)
        + "\n".join(_row(name, run) for name, run in runs.items())
        + "\n"
        + TAIL.format(
            counted=shipped["counted_share"],
            silences=sum(run["silences"] for run in runs.values()),
            per_look=shipped["queries_per_look"],
            share=shipped["late_share_p99"],
            saved=1 - shipped["queries_per_look"] / alone["queries_per_look"],
            workers=about["workers"],
        )
    )


def _row(name: str, run: dict[str, Any]) -> str:
    late, cpu = run["late_seconds"], run["cpu_share"]
    cells = [
        name,
        f"{run['queries_per_look']:.3f}",
        f"{late['p50']:.2f} s",
        f"{late['p99']:.2f} s",
        f"{run['late_share_p99']:.1%}",
        f"{run['quiet_late_seconds']['p99']:.2f} s",
        f"{run['looks']} of {run['looks_wanted']}",
        f"{cpu['operator']:.2f}",
        f"{cpu['prometheus']:.2f}",
        f"{run['load_average']:.0f}",
    ]
    return f"| {' | '.join(cells)} |"
