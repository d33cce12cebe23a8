"""Facts -> how long each part took, from the first moment at which anybody could know to weight 0. Pure.

knowable    the answers that clients have got would suffice, by the operator's own arithmetic
scrape      until a sample holds those answers
evidence    until the samples that Prometheus holds suffice, and from then on do
look        until the turn that asks; it trusts samples of a second's age, and comes once an interval
ask         until Prometheus has answered
decision    until the plan stands
write       until the status says so
route       until the API server has the route with weight 0: our own part is decision + write + route
gateway     until the last request that the bad version answered was sent
"""

from dataclasses import dataclass
from itertools import pairwise, takewhile

from bench.breach.clients import Told
from bench.breach.facts import Counts, Facts
from examples.demo.rollback import breaks_objective
from penstock.core.judge import rejection_odds
from penstock.core.measures import TOLERANCE
from penstock.model.schedule import LAG
from penstock.stats.sequential import odds, two_arm_sums

SERVER_ERROR = 500


@dataclass(frozen=True)
class Parts:
    """Seconds of each part, in order."""

    scrape: float
    evidence: float
    look: float
    ask: float
    decision: float
    write: float
    route: float
    gateway: float

    @property
    def own(self) -> float:
        """From the metrics' answers to the route in the API server: what is the operator's alone."""
        return self.decision + self.write + self.route

    @property
    def whole(self) -> float:
        """From the moment at which it could be known to weight 0."""
        return self.scrape + self.evidence + self.look + self.ask + self.own


@dataclass(frozen=True)
class Row:
    """One rollout, added up."""

    name: str
    parts: Parts
    gathering: float
    """Seconds from the first bad answer until the answers sufficed: what the statistics need."""
    confirmed: float
    """Seconds from weight 0 in the API server until the gateway said that it had taken it."""
    bad: int
    bad_before: int
    requests: int
    reason: str
    load: float

    @property
    def hurt(self) -> float:
        """Seconds from the first bad answer to weight 0."""
        return self.gathering + self.parts.whole


def add_up(facts: Facts) -> Row:
    """All figures of one rollout."""
    mine = own(facts)
    bad = [each for each in mine if each.status == SERVER_ERROR]
    known = knowable(facts, mine)
    held, sufficed = _contained(facts, mine, known), _sufficed(facts)
    held = min(held, sufficed)
    known = min(known, held)
    steps = [known, held, sufficed, *(facts.audit[f"{each}_at"] for each in TURN)]
    last = max(each.sent for each in mine)
    spans = [later - earlier for earlier, later in pairwise([*steps, max(last, steps[-1])])]
    parts = Parts(*spans)
    return Row(
        facts.name,
        parts,
        gathering=known - min(bad[0].ended, known),
        confirmed=facts.confirmed - facts.audit["acted_at"],
        bad=len(bad),
        bad_before=sum(each.ended <= known for each in bad),
        requests=len(facts.told),
        reason=facts.reason,
        load=facts.load,
    )


TURN = ("asked", "answered", "decided", "recorded", "acted")


def own(facts: Facts) -> list[Told]:
    """The bad version's answers as they came in; it alone answers with a 500."""
    mine = [each for each in facts.told if each.status == SERVER_ERROR or each.version == facts.bad_version]
    return sorted(mine, key=lambda each: each.ended)


def knowable(facts: Facts, mine: list[Told]) -> float:
    """The first moment at which the answers that clients had got would have sufficed; infinite where none did."""
    bad = 0
    for total, each in enumerate(mine, start=1):
        bad += each.status == SERVER_ERROR
        if suffices(facts, each.ended, (bad, total), _home_by_clients(facts, each.ended)):
            return each.ended
    return float("inf")


def suffices(facts: Facts, at: float, mine: Counts, home: Counts) -> bool:
    """Whether a look at these counts would reject: `mine` are all so far, `home` those since the last look before."""
    if breaks_objective(facts.analysis, *mine):
        return True
    compared = [m for m in facts.analysis.metrics if m.compare]
    if not compared:
        return False
    sums, known = _before(facts, at)
    new = (max(0, mine[0] - known[0]), max(0, mine[1] - known[1]))
    tolerance = float(compared[0].tolerance or TOLERANCE)
    return odds(two_arm_sums(sums, new, home, tolerance)) >= rejection_odds(facts.analysis)


def _before(facts: Facts, at: float) -> tuple[tuple[float, ...], Counts]:
    past = list(takewhile(lambda look: look.end < at, facts.looks))
    return (past[-1].sums, past[-1].counts) if past else ((), (0, 0))


def _since(facts: Facts, at: float) -> float:
    """The end of the last look's window; before the first look, the first answer of the candidate."""
    ends = [look.end for look in facts.looks if look.end < at]
    return ends[-1] if ends else min((each.sent for each in own(facts)), default=at)


def _home_by_clients(facts: Facts, at: float) -> Counts:
    since = _since(facts, at)
    return 0, sum(each.version == facts.home_version and since < each.ended <= at for each in facts.told)


def _contained(facts: Facts, mine: list[Told], known: float) -> float:
    """The time of the first sample that holds all answers up to a moment."""
    bad = sum(each.status == SERVER_ERROR and each.ended <= known for each in mine)
    total = sum(each.ended <= known for each in mine)
    for at in facts.candidate.times():
        seen = facts.candidate.at(at)
        if seen[0] >= bad and seen[1] >= total:
            return at
    return float("inf")


def _sufficed(facts: Facts) -> float:
    """The sample from which on, up to the deciding look, what Prometheus held sufficed."""
    end = facts.audit["asked_at"] - LAG.total_seconds()
    times = sorted(at for at in {*facts.candidate.times(), *facts.home.times()} if at <= end)
    enough = list(takewhile(lambda at: _holds(facts, at), reversed(times)))
    return enough[-1] if enough else times[-1]


def _holds(facts: Facts, at: float) -> bool:
    now, before = facts.home.at(at), facts.home.at(min(at, _since(facts, at)))
    return suffices(facts, at, facts.candidate.at(at), (now[0] - before[0], now[1] - before[1]))
