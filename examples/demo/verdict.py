"""Did the story happen? One proposition per line, each with what was seen. Pure.

A run passes only when all hold. What was not seen did not happen.
"""

from dataclasses import dataclass

from examples.demo.records import add_up, by_version, percent
from examples.demo.rollback import Rollback, own, rollback
from examples.demo.story import Ending
from examples.demo.tale import Chapter, Tale
from penstock.api.fields import seconds

ALLOWANCE = 1.0
"""Seconds between the change of the HTTPRoute and the last moment at which a request may still be sent the old way:
the gateway has to hear of the change and to pass it on to its proxy."""

MARGIN = 5.0
"""Seconds that a scrape, the decision, the write and the gateway may take beyond the analysis interval."""


@dataclass(frozen=True)
class Finding:
    """A proposition about the run."""

    true: bool
    text: str


def judge(tale: Tale, parts: int) -> list[Finding]:
    """All findings; `parts` is how many the story should have."""
    found = [Finding(len(tale.chapters) == parts, f"{len(tale.chapters)} of {parts} parts were told")]
    for chapter in tale.chapters:
        each = [_rested(chapter), _home(tale, chapter), *ENDINGS[chapter.part.ending](tale, chapter)]
        found += [Finding(one.true, f"part {chapter.part.number}: {one.text}") for one in each]
    return [*found, _better(tale)]


def passed(findings: list[Finding]) -> bool:
    """Whether every proposition holds."""
    return all(each.true for each in findings)


def _rested(chapter: Chapter) -> Finding:
    return Finding(chapter.settled is not None, "came to rest" if chapter.settled else "did not come to rest in time")


def _home(tale: Tale, chapter: Chapter) -> Finding:
    serves, wanted = tale.last(chapter).stable, chapter.part.home
    return Finding(serves == wanted, f"{serves or 'nothing'} serves at its end (wanted: {wanted})")


def _no_failure(tale: Tale, chapter: Chapter) -> Finding:
    total = add_up(tale.asked(chapter))
    text = f"{total.failed} of {total.requests} requests failed (wanted: 0)"
    return Finding(total.requests > 0 and total.failed == 0, text)


def _serving(tale: Tale, chapter: Chapter) -> list[Finding]:
    last = tale.last(chapter)
    return [Finding(last.ready, f"Ready is {last.ready}, reason {last.reason}"), _no_failure(tale, chapter)]


def _promoted(tale: Tale, chapter: Chapter) -> list[Finding]:
    walked = [share for _, share in tale.share(chapter)]
    path = " -> ".join(map(str, walked)) or "nowhere"
    return [Finding(walked == [*chapter.walk, 100], f"{chapter.part.version} walked {path}"), *_serving(tale, chapter)]


def _rejected(tale: Tale, chapter: Chapter) -> list[Finding]:
    part, why = chapter.part, tale.last(chapter).rejection(chapter.part.version)
    reason = why.reason if why else "not rejected"
    named = Finding(reason.startswith(part.reason), f"{part.version} rejected: {reason} (wanted: {part.reason}...)")
    return [named, *(_guarded(tale, chapter) if part.takes_traffic else _untouched(tale, chapter))]


def _guarded(tale: Tale, chapter: Chapter) -> list[Finding]:
    seen, share = rollback(tale, chapter), tale.share(chapter)
    if not share:
        return [Finding(False, f"{chapter.part.version} got no traffic, so nothing was shown")]
    if seen.first_bad is None or seen.last_bad is None:
        return [Finding(False, f"{chapter.part.version} failed no request, so nothing was shown")]
    if seen.off is None:
        return [Finding(False, f"{chapter.part.version} still has {share[-1][1]} % of the traffic")]
    late = seen.last_bad - seen.off
    highest = max(weight for _, weight in share)
    order = f"{abs(late):.1f} s {'after' if late > 0 else 'before'} its weight was 0 (allowed: {ALLOWANCE:.0f} s after)"
    return [
        Finding(late <= ALLOWANCE, f"the last failed request was sent {order}"),
        *_prompt(chapter, seen),
        _founded(tale, chapter, seen.off),
        Finding(highest < 100, f"{chapter.part.version} never had more than {highest} % of the traffic"),
    ]


def _prompt(chapter: Chapter, seen: Rollback) -> list[Finding]:
    """Weight 0 within one analysis interval and 5 s: of what proves it, and of every answer before it was weighed."""
    allowed = (seconds(chapter.analysis.interval) if chapter.analysis else 0.0) + MARGIN
    stood = f"the evidence sufficed for {seen.sufficed:.1f} s before weight 0 (allowed: {allowed:.0f} s)"
    waited = f"at weight 0 the oldest answer not yet weighed was {seen.unweighed:.1f} s old (allowed: {allowed:.0f} s)"
    return [Finding(seen.sufficed <= allowed, stood), Finding(seen.unweighed <= allowed, waited)]


def _founded(tale: Tale, chapter: Chapter, off: float) -> Finding:
    """The verdict rests on requests that clients did send: the operator counts none twice and no one else's."""
    why = tale.last(chapter).rejection(chapter.part.version)
    bad, total = (why.counts if why else None) or (0, 0)
    answers = own(tale, chapter, off)
    failed = sum(each.failed for each in answers)
    text = f"rejected on {bad} failures in {total} requests, clients had seen {failed} in {len(answers)}"
    return Finding(0 < bad <= failed and total <= len(answers), text)


def _untouched(tale: Tale, chapter: Chapter) -> list[Finding]:
    share = tale.share(chapter)
    text = f"{chapter.part.version} got {'traffic' if share else 'no traffic'} while it was not ready (wanted: none)"
    return [Finding(not share, text), _no_failure(tale, chapter)]


def _better(tale: Tale) -> Finding:
    sums = by_version(tale.answers)
    right = {version: total.right / total.answered for version, total in sums.items()}
    shown = ", ".join(f"{version} {percent(total.right, total.answered)}" for version, total in sums.items())
    better = right.get("v2", 0.0) > right.get("v1", 1.0)
    return Finding(better, f"right answers: {shown or 'none'} (wanted: v2 above v1)")


ENDINGS = {Ending.SERVES: _serving, Ending.PROMOTED: _promoted, Ending.REJECTED: _rejected}
