"""Turns what changed into lines for a person: the time line of the live view, and all of the plain output. Pure."""

from examples.demo.records import Answer, add_up, by_version, percent
from examples.demo.sightings import Decision, Glance
from examples.demo.tale import Chapter, Weights

LABEL = 9


def line(label: str, text: str) -> str:
    """One line of the time line; the clock is put before it by whoever prints."""
    return f"{label:<{LABEL}} {text}"


def opening(chapter: Chapter, total: int) -> list[str]:
    """A part begins."""
    part = chapter.part
    return [line("part", f"{part.number} of {total}: {part.title}"), line("kubectl", f"apply -f {part.file}")]


def object_changed(before: Glance, after: Glance) -> list[str]:
    """The object's READY and REASON, when they changed; messages alone change with every look.

    Of the message the first sentence: the numbers behind it come with the decision.
    """
    if (before.ready, before.reason, before.candidate) == (after.ready, after.reason, after.candidate):
        return []
    said = after.message.partition("; ")[0].partition(". ")[0]
    return [line("object", f"Ready={after.ready} {after.reason}: {said}")] if after.reason else []


def route_changed(weights: Weights) -> str:
    """The weights that the route wants from now on."""
    return line("route", "  ".join(f"{version} {share} %" for version, share in sorted(weights.items())) or "empty")


def decided(seen: Decision) -> str:
    """What the operator says that it did, and why."""
    return line("decision" if not seen.warning else "WARNING", f"{seen.reason}: {seen.message}")


def traffic(answers: list[Answer], seconds: float) -> str:
    """What the users saw lately."""
    total = add_up(answers)
    shares = "  ".join(
        f"{version} {percent(one.answered, total.answered)} of answers, {percent(one.right, one.answered)} right"
        for version, one in by_version(answers).items()
    )
    return line("traffic", f"last {seconds:.0f} s: {total.requests} requests, {total.failed} failed  {shares}")
