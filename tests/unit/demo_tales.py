"""Tales for tests: what a run looks like when all goes well, as a fresh object that a test may spoil."""

from dataclasses import replace

from examples.demo.records import Answer
from examples.demo.sightings import Evidence, Glance, Rejection
from examples.demo.story import STORY, analysis, manifest
from examples.demo.tale import Chapter, Tale

WALK = [5, 25, 50]
REVISIONS = {f"digits-{version}": version for version in ("v1", "v2", "v3", "v4")}
V1, V2 = Glance(current=True, ready=True, stable="v1"), Glance(current=True, ready=True, stable="v2")
ANALYSIS = analysis(manifest(STORY[2], fast=False))
PROOF = "errorRate at most 1%: candidate 66.67% (2 of 3); odds against it 264.1 to 1, rejected at 60.0"
ERRORS = Rejection("v3", "ErrorRateAboveLimit", PROOF)
NEVER = Rejection("v4", "NeverReady", "CrashLoopBackOff")


def good_tale() -> Tale:
    """Four parts of 100 s each; v3 answers once and fails twice from 220 on, is looked at in 223 and off at 230."""
    tale = Tale(versions=dict(REVISIONS))
    for part in STORY:
        start = 100.0 * (part.number - 1)
        tale.chapters.append(Chapter(part, WALK, start, ANALYSIS, settled=start + 60, ended=start + 100))
    tale.glances = [
        (30.0, V1),
        (160.0, V2),
        (223.0, replace(V2, ready=False, candidate="v3", evidence=(looked(1, 2),))),
        (260.0, replace(V2, ready=False, rejected=(ERRORS,))),
        (360.0, replace(V2, ready=False, rejected=(ERRORS, NEVER))),
    ]
    tale.routes = [(20.0, {"digits-v1": 100}), *_walk(), (210.0, _split("v2", "v3", 5)), (230.0, {"digits-v2": 100})]
    tale.answers = [_answer(second) for second in range(60, 400)]
    return tale


def looked(bad: int, total: int) -> Evidence:
    """What the status shows after a look."""
    return Evidence("errorRate at most 1%", (bad, total), None, "Wait", "9.0", "60.0")


def _walk() -> list[tuple[float, dict[str, int]]]:
    return [*((110.0 + weight, _split("v1", "v2", weight)) for weight in WALK), (180.0, {"digits-v2": 100})]


def _split(stable: str, candidate: str, weight: int) -> dict[str, int]:
    return {f"digits-{stable}": 100 - weight, f"digits-{candidate}": weight}


def _answer(second: int) -> Answer:
    at = float(second)
    if second in (220, 225):
        return Answer(at, 0.01, 500, "", False)
    if second == 215:
        return Answer(at, 0.01, 200, "v3", True)
    return Answer(at, 0.01, 200, "v1" if second < 180 else "v2", second % 10 != 0 if second < 180 else True)
