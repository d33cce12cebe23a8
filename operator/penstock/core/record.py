"""One look at a candidate as a line of JSON, and back: what was answered, what was found, what followed.

Enough to judge it again from nothing, and no more: nothing of any object but the analysis, and of that no query's text,
which judging does not read and which is its author's own. Nothing is decided here; the judging again is `core.replay`.
"""

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

from pydantic import Field, ValidationError

from penstock.api.analysis import Analysis
from penstock.api.fields import Count, Percent100, Tolerant
from penstock.api.status import Evidence, PlannedStep, StepKind, Trying, VerdictName
from penstock.core.measures import title
from penstock.model.measure import Answer, Counts, Groups, Levels, Shapes, Silence
from penstock.model.names import digest
from penstock.model.reasons import Reason
from penstock.model.schedule import spell
from penstock.model.values import Manifest, Plan, World

LOGGER = "penstock.looks"
FIELD = "look"
Share = tuple[Count, Count]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Instant = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z$")]


class Shaped(Tolerant):
    """Events of one window in each bucket."""

    bounds: tuple[str, ...]
    candidate: tuple[Count, ...]
    stable: tuple[Count, ...]


class Answered(Tolerant):
    """What a source said to one metric: exactly one of these."""

    counts: tuple[Count, Count, Count, Count] | None = None
    """Bad and all requests of the candidate, then of the stable revision."""
    groups: dict[str, Share] | None = None
    """Bad and all of each group."""
    shapes: Shaped | None = None
    levels: tuple[Finite, ...] | None = None
    silence: str | None = None

    def answer(self) -> Answer:
        """The same as the source gave it; nothing at all is silence."""
        if self.counts is not None:
            return Counts(*self.counts)
        if self.groups is not None:
            return Groups(self.groups)
        if self.shapes is not None:
            return Shapes(self.shapes.bounds, self.shapes.candidate, self.shapes.stable)
        return Silence(self.silence or "") if self.levels is None else Levels(self.levels)


class Found(Tolerant):
    """What a metric had shown after the look."""

    candidate: Share
    """Bad and all requests, of all looks so far."""
    stable: Share | None = None
    value: str | None = None
    limit: str
    odds: str
    why: str | None = None
    verdict: VerdictName


class Stage(Tolerant):
    """The step in which the candidate was."""

    number: Count
    """From 0."""
    kind: StepKind
    weight: Percent100
    duration: str
    judged: bool
    """Whether every metric had to pass before the next step."""


class Move(StrEnum):
    """What followed from a look."""

    WAITS = "Waits"
    STEP_ENTERED = "StepEntered"
    PROMOTED = "Promoted"
    REJECTED = "Rejected"


class Look(Tolerant):
    """One turn that asked about a candidate, or moved it."""

    namespace: str
    name: str
    uid: str
    revision: str
    version: str
    started_at: Instant
    """When the rollout began; with uid and revision it names the rollout."""
    at: Instant
    exposed_at: Instant | None = None
    shifted_at: Instant | None = None
    stage: Stage
    first: bool
    """Nothing was known of any metric before."""
    digest: str
    """Of the analysis; its text is in the first line that a process writes of it."""
    analysis: Analysis | None = None
    answers: dict[str, Answered]
    """By metric, what was asked in this turn."""
    silent: tuple[str, ...] = ()
    """Metrics whose source was silent when it was last asked, and was not asked now."""
    found: dict[str, Found]
    """By metric, whatever is known of it."""
    move: Move
    reason: str
    """Of the wait, or of the end."""


def make_look(world: World, plan: Plan) -> Look | None:
    """The record of a turn; None where it neither asked about the candidate that was judged nor moved it."""
    before, looked = world.status.candidate, plan.looked
    if not (world.spec and world.spec.analysis and world.status.stable and before and looked):
        return None
    move, reason = _move(plan, looked)
    same = (before.revision, before.started_at) == (looked.revision, looked.started_at)
    if not same or not (world.asked or move is not Move.WAITS):
        return None
    analysis = kept(world.spec.analysis)
    titles = [title(metric) for metric in analysis.metrics]
    return Look(
        namespace=world.namespace,
        name=world.name,
        uid=world.uid,
        revision=looked.revision,
        version=looked.version,
        started_at=looked.started_at,
        at=spell(world.now),
        exposed_at=looked.exposed_at,
        shifted_at=looked.shifted_at,
        stage=_stage(looked),
        first=not before.evidence,
        digest=digest(analysis.model_dump(mode="json", by_alias=True)),
        analysis=analysis,
        answers={titles[n]: make_answered(a) for n, a in world.answers.items() if n in world.asked},
        silent=tuple(titles[n] for n in world.answers if n not in world.asked and n < len(titles)),
        found=found(looked.evidence),
        move=move,
        reason=reason,
    )


def kept(analysis: Analysis) -> Analysis:
    """The analysis without the text of its queries."""
    metrics = [
        m.model_copy(update={"value": m.value.model_copy(update={"query": "-"})}) if m.value else m
        for m in analysis.metrics
    ]
    return analysis.model_copy(update={"metrics": metrics})


def _stage(looked: Trying) -> Stage:
    step: PlannedStep = looked.steps[looked.step]
    judged = step.judged and looked.waived != looked.step and step.kind not in (StepKind.FULL, StepKind.BAKE)
    return Stage(number=looked.step, kind=step.kind, weight=step.weight, duration=step.duration, judged=judged)


def _move(plan: Plan, looked: Trying) -> tuple[Move, str]:
    """What the turn did with the candidate that it judged, and the reason."""
    now = plan.status.candidate
    if now and now.started_at == looked.started_at:
        if now.step != looked.step:
            return Move.STEP_ENTERED, Reason.STEP_ENTERED.value
        ready = next((c.reason for c in plan.status.conditions if c.type == "Ready"), "")
        return Move.WAITS, ready
    end = plan.status.history[-1].reason if plan.status.history else ""
    return (Move.PROMOTED if end == Reason.PROMOTED.value else Move.REJECTED), end


def make_answered(answer: Answer) -> Answered:
    """An answer as it is written down."""
    match answer:
        case Counts():
            four = (answer.candidate_bad, answer.candidate_total, answer.stable_bad, answer.stable_total)
            return Answered(counts=four)
        case Groups():
            return Answered(groups=dict(answer.counts))
        case Shapes():
            return Answered(shapes=Shaped(bounds=answer.bounds, candidate=answer.candidate, stable=answer.stable))
        case Levels():
            return Answered(levels=answer.values)
        case Silence():
            return Answered(silence=answer.message[:256])


def found(evidence: list[Evidence]) -> dict[str, Found]:
    """What each metric has shown, as it is written down."""
    return {
        e.metric: Found(
            candidate=(e.candidate.bad, e.candidate.total),
            stable=(e.stable.bad, e.stable.total) if e.stable else None,
            value=e.value,
            limit=e.limit,
            odds=e.odds,
            why=e.why,
            verdict=e.verdict,
        )
        for e in evidence
    }


def written(look: Look) -> Manifest:
    """The look as JSON values."""
    return look.model_dump(mode="json", by_alias=True, exclude_none=True)


def parse_look(line: str) -> Look | str | None:
    """The look in a line of the operator's log; None in any other line; words where a look is not one of ours.

    What stands before the first brace is passed over: `kubectl logs` may put a time or a pod's name there.
    """
    try:
        content: object = json.loads(line[max(0, line.find("{")) :])
    except (ValueError, RecursionError):
        return None
    if not isinstance(content, Mapping) or FIELD not in content:
        return None
    try:
        return Look.model_validate(content[FIELD])
    except ValidationError as error:
        first = error.errors()[0]
        return f"{'.'.join(map(str, (FIELD, *first['loc'])))}: {first['msg']}"
