"""How fast a bad version was taken off: by what its clients got, and by what the operator knew of that. Pure.

Two measures, because the moment at which evidence suffices depends on who looks when. Clients' answers tell how long
the objective was broken beyond doubt. The status tells how old the oldest answer was that no look had weighed yet.
"""

from dataclasses import dataclass

from examples.demo.records import Answer
from examples.demo.tale import Chapter, Tale
from penstock.api.analysis import Analysis
from penstock.api.fields import limit
from penstock.core.judge import rejection_odds
from penstock.stats.sequential import odds, one_arm_sums


@dataclass(frozen=True)
class Rollback:
    """Moments are of our clock; None for what did not happen."""

    first_bad: float | None
    off: float | None
    last_bad: float | None
    settled: float | None
    sufficed: float
    """Seconds for which the answers sufficed to reject the version while it had traffic; the longest stretch."""
    unweighed: float
    """Seconds between the first answer that only the last look can have weighed and weight 0."""


def rollback(tale: Tale, chapter: Chapter) -> Rollback:
    """The moments of a chapter that tell how well clients were guarded."""
    bad = [each.sent for each in tale.asked(chapter) if each.failed]
    share = tale.share(chapter)
    off = share[-1][0] if share and share[-1][1] == 0 else None
    ages = (0.0, 0.0) if off is None else (sufficed(tale, chapter, off), unweighed(tale, chapter, off))
    return Rollback(min(bad, default=None), off, max(bad, default=None), chapter.settled, *ages)


def own(tale: Tale, chapter: Chapter, off: float) -> list[Answer]:
    """The version's answers until it lost its weight, as they came in. All that fails is its: nothing else fails."""
    mine = [each for each in tale.asked(chapter) if each.failed or each.version == chapter.part.version]
    return sorted((each for each in mine if _came(each) <= off), key=_came)


def sufficed(tale: Tale, chapter: Chapter, off: float) -> float:
    """For how long at a stretch the answers that clients had got sufficed to reject the version, up to weight 0.

    Against an objective the test is of all requests so far, so that everybody who looks at the same answers says the
    same. A comparison is added up look by look, and where the looks fall is chance: it may only be faster.
    A stretch, because good answers lower the odds again: what held between two looks, no look can have known.
    """
    longest, bad = 0.0, 0
    since: float | None = None
    for total, each in enumerate(own(tale, chapter, off), start=1):
        bad += each.failed
        longest = max(longest, _came(each) - since) if since is not None else longest
        if chapter.analysis is None or not breaks_objective(chapter.analysis, bad, total):
            since = None
        elif since is None:
            since = _came(each)
    return longest if since is None else max(longest, off - since)


def breaks_objective(analysis: Analysis, bad: int, total: int) -> bool:
    """Whether these counts prove, by the operator's own arithmetic, an error rate above one that is allowed."""
    limits = [limit(each.max) for each in analysis.metrics if each.name == "errorRate" and each.max]
    return any(odds(one_arm_sums(bad, total, most)) >= rejection_odds(analysis) for most in limits)


def unweighed(tale: Tale, chapter: Chapter, off: float) -> float:
    """How old, at weight 0, the first answer was that no look before the deciding one had counted."""
    known_bad, known = weighed(tale, chapter, off)
    bad = 0
    for total, each in enumerate(own(tale, chapter, off), start=1):
        bad += each.failed
        if bad > known_bad or total > known:
            return off - _came(each)
    return 0.0


def weighed(tale: Tale, chapter: Chapter, off: float) -> tuple[int, int]:
    """Failed and all requests that the object's status showed last while the version was still tried."""
    version = chapter.part.version
    tried = [seen for at, seen in tale.glances if chapter.covers(at) and at <= off and seen.candidate == version]
    errors = [each.candidate for each in tried[-1].evidence if each.metric.startswith("errorRate")] if tried else []
    return min(errors, key=lambda counts: counts[1], default=(0, 0))


def _came(answer: Answer) -> float:
    return answer.sent + answer.seconds
