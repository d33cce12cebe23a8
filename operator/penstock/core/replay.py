"""Recorded looks judged again from nothing, by the code that judged them first, and whether the outcome is the same.

What the metrics say is decided anew: the evidence, the verdicts, a rejection by a metric, and that a judged step was
left only when all metrics had passed. Pods, routes, shares, people and calendars are in no record: waits for them are
believed.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from penstock.api.analysis import Analysis
from penstock.api.fields import seconds
from penstock.api.serving import Model
from penstock.api.spec import Spec
from penstock.api.status import Evidence, Serving, Status, StepKind, Trying, VerdictName
from penstock.checks.judged import judged
from penstock.core import evidence
from penstock.core.measures import title
from penstock.core.needs import FAILURES, why
from penstock.core.record import Found, Look, Move, found
from penstock.model.measure import Answer, Silence
from penstock.model.schedule import read
from penstock.model.values import Outcome, Step, World

BEGINNING = "its first looks are not here, so nothing can be added up; give the log from the rollout's start on"
ANALYSIS = "the analysis that it was judged by is not here; give the log from the rollout's start on"


@dataclass(frozen=True)
class Judged:
    """One look, judged again."""

    look: Look
    evidence: tuple[Evidence, ...]
    differences: tuple[str, ...]


@dataclass(frozen=True)
class Replay:
    """One rollout; `problem` says why it could not be judged again, and is empty where it was."""

    looks: tuple[Judged, ...]
    problem: str = ""

    @property
    def differences(self) -> tuple[str, ...]:
        """Of all looks, in order."""
        return tuple(f"{each.look.at[:19]}Z {what}" for each in self.looks for what in each.differences)


def rollouts(looks: Iterable[Look]) -> list[tuple[Look, ...]]:
    """The looks of each rollout in the order of time, each once; logs of several processes may overlap."""
    found: dict[tuple[str, ...], list[Look]] = {}
    for look in looks:
        mine = found.setdefault((look.namespace, look.name, look.uid, look.revision, look.started_at), [])
        if look not in mine[-1:]:
            mine.append(look)
    return [_in_order(mine) for mine in found.values()]


def _in_order(looks: list[Look]) -> tuple[Look, ...]:
    looks = sorted(looks, key=lambda look: read(look.at))
    return tuple(look for n, look in enumerate(looks) if look not in looks[max(0, n - 2) : n])


def replay(looks: Sequence[Look]) -> Replay:
    """One rollout again, from nothing."""
    known: dict[str, Analysis] = {}
    before: list[Evidence] = []
    step, made = looks[0].stage.number, []
    if not looks[0].first:
        return Replay((), BEGINNING)
    for look in looks:
        known |= {look.digest: look.analysis} if look.analysis else {}
        if look.digest not in known:
            return Replay((), ANALYSIS)
        before = before if look.stage.number == step else evidence.enter_step(before)
        step = look.stage.number
        world, candidate = _seen(look, known[look.digest], before)
        before = evidence.look(world, candidate).evidence
        made.append(Judged(look, tuple(before), tuple(_differences(look, world, before))))
    return Replay(tuple(made))


def _seen(look: Look, analysis: Analysis, before: list[Evidence]) -> tuple[World, Trying]:
    """The world as far as judging sees it."""
    candidate = Trying(
        revision=look.revision,
        version=look.version,
        step=look.stage.number,
        started_at=look.started_at,
        step_started_at=look.started_at,
        exposed_at=look.exposed_at,
        shifted_at=look.shifted_at,
        evidence=before,
    )
    answers: dict[int, Answer] = {}
    for number, metric in enumerate(analysis.metrics):
        if title(metric) in look.answers:
            answers[number] = look.answers[title(metric)].answer()
        elif title(metric) in look.silent:
            answers[number] = Silence("silent")
    spec = Spec(model=Model(version="replayed", format="any"), analysis=analysis)
    status = Status(stable=Serving(revision="stable"), candidate=candidate)
    return World(read(look.at), look.namespace, look.name, look.uid, 1, spec, status, answers=answers), candidate


def _differences(look: Look, world: World, after: list[Evidence]) -> Iterator[str]:
    again = found(after)
    for name in [*look.found, *(name for name in again if name not in look.found)]:
        if name not in again or name not in look.found:
            yield f"{name}: recorded {_there(look.found, name)}, now {_there(again, name)}"
            continue
        for field in Found.model_fields:
            told, now = getattr(look.found[name], field), getattr(again[name], field)
            if told != now:
                yield f"{name}: {field} recorded {_spoken(told)}, now {_spoken(now)}"
    yield from _wrong_move(look, world, after)


def _there(known: dict[str, Found], name: str) -> str:
    return known[name].verdict.value if name in known else "nothing"


def _spoken(value: object) -> str:
    if isinstance(value, tuple):
        return f"{value[0]} bad of {value[1]}"
    return "none" if value in (None, "") else str(value)


def _wrong_move(look: Look, world: World, after: list[Evidence]) -> Iterator[str]:
    """Where the recorded decision does not follow from the verdicts as they are now."""
    failure = _failure(world, after)
    told = look.reason if look.move is Move.REJECTED and look.reason in FAILURES else ""
    tolerates = look.stage.kind in (StepKind.FULL, StepKind.BAKE)
    if told != failure and (told or not tolerates):
        yield (
            f"decision: recorded {look.move.value} ({look.reason}), now Rejected ({failure})"
            if failure
            else (f"decision: recorded {look.move.value} ({look.reason}), now no metric fails")
        )
    elif look.move in (Move.STEP_ENTERED, Move.PROMOTED) and look.stage.judged and not _passes(look, world, after):
        yield f"decision: recorded {look.move.value}, now not every metric has passed"


def _failure(world: World, after: list[Evidence]) -> str:
    """The reason by which a metric rejects; empty where none does."""
    assert world.spec and world.spec.analysis
    failed = {e.metric: e for e in after if e.verdict is VerdictName.FAIL}
    metrics = [m for m in evidence.deciding(world.spec.analysis) if title(m) in failed]
    return why(metrics[0], failed[title(metrics[0])]).value if metrics else ""


def _passes(look: Look, world: World, after: list[Evidence]) -> bool:
    """What the check `judged` says of the step."""
    assert world.status.candidate
    candidate = world.status.candidate.model_copy(update={"evidence": after})
    status = world.status.model_copy(update={"candidate": candidate})
    step = Step(look.stage.kind, look.stage.weight, seconds(look.stage.duration), 0, ())
    seen = World(world.now, world.namespace, world.name, world.uid, 1, world.spec, status, answers=world.answers)
    return judged(seen, step).outcome is Outcome.PASS
