"""What replicas cost by the administrator's prices, and what a budget lets there be. Pure; exact decimal numbers.

A replica costs what its pod asks for: requests, as the scheduler adds them up. A device without a price makes the sum
unknown rather than too small.
"""

from decimal import ROUND_HALF_UP, Decimal

from penstock.api.budget import Budget, Cost, OnExceed
from penstock.api.condition import ConditionStatus
from penstock.api.status import Status
from penstock.core import strategy
from penstock.core.demand import requests
from penstock.core.template import make_snapshot, wanted_revision
from penstock.model.copying import replace
from penstock.model.platform import Prices
from penstock.model.quantity import ONE
from penstock.model.reasons import Reason
from penstock.model.values import Manifest, Problem, Snapshot, World

CENT = Decimal("0.01")
FINEST = Decimal("0.0001")  # below a cent there are models that cost less
GIB = 1024**3
Fact = tuple[ConditionStatus, Reason, str]


def per_replica(pod: Manifest, prices: Prices) -> Decimal | str:
    """What an hour of a pod of this spec costs; in words why that is not known."""
    if not prices.per_hour:
        return "the administrator has given no prices (prices.perHour of the chart)"
    asked = {name: value for name, value in requests(pod).items() if value}
    if missing := sorted(name for name in asked if "/" in name and name not in prices.per_hour):
        return f"no price for {', '.join(missing)} in prices.perHour of the chart"
    priced = [(Decimal(asked[name]) / _unit(name)) * price for name, price in prices.per_hour.items() if name in asked]
    return (
        sum(priced, Decimal()) or f"a replica asks for nothing that has a price: {', '.join(sorted(prices.per_hour))}"
    )


def _unit(resource: str) -> int:
    """Thousandths of what a price is for: a GiB of bytes, one of everything else."""
    return ONE * GIB if resource == "memory" or resource.startswith("hugepages-") else ONE


def spent(world: World, status: Status) -> Cost | None:
    """What all replicas that there should be cost now; None where that is not known."""
    if not status.stable:
        return None
    prices = {name: _price(world, world.snapshots.get(name)) for name in world.workloads}
    each = prices.get(status.stable.revision)
    known = [(price, world.workloads[name].desired) for name, price in prices.items() if isinstance(price, Decimal)]
    if not isinstance(each, Decimal) or len(known) < len(prices):
        return None
    total = sum((price * count for price, count in known), Decimal())
    return Cost(per_hour=spelt(total), per_replica=spelt(each), currency=world.platform.prices.currency)


def guarded(world: World) -> World:
    """The world with a problem where the budget refuses what is wanted."""
    if world.problem or not world.spec or not _refuses(world):
        return world
    snapshot = world.snapshots.get(wanted_revision(world)) or make_snapshot(world)
    price = _price(world, snapshot) if isinstance(snapshot, Snapshot) else ""
    budget = world.spec.scaling.budget
    if not budget or isinstance(price, str):
        return world
    count = _needed(world)
    if price * count <= budget.amount:
        return world
    pods = f"{count} replica{'s' if count > 1 else ''}"
    text = (
        f"version {world.spec.model.version} needs {pods} of {_money(world, price)} per hour, together"
        f" {_money(world, price * count)}, and scaling.budget.perHour is {budget.per_hour}: raise it, or lower"
        " scaling.minReplicas or what a replica asks for"
    )
    return replace(world, problem=Problem(Reason.BUDGET_EXCEEDED, text))


def _needed(world: World) -> int:
    """The fewest replicas, and for a revision that is to begin as many as there are to take over from."""
    assert world.spec
    least, stable, wanted = world.spec.scaling.min_replicas, world.status.stable, wanted_revision(world)
    known = [*(each.revision for each in world.status.rejected), *([stable.revision] if stable else [])]
    if not stable or world.status.candidate or wanted in known:
        return least
    return max(least, strategy.full_size(world, strategy.running(world)))


def afforded(world: World, snapshot: Snapshot, floor: int) -> tuple[World, int]:
    """The world with the bounds that a revision's budget pays for, and its floor within them; one replica at least."""
    price = _price(world, snapshot)
    if not world.spec or not _refuses(world) or isinstance(price, str):
        return world, floor
    scaling, most = world.spec.scaling, _most(world, price)
    update = {"max_replicas": scaling.max_replicas and min(scaling.max_replicas, most)}
    update |= {"min_replicas": min(scaling.min_replicas, most)}
    spec = world.spec.model_copy(update={"scaling": scaling.model_copy(update=update)})
    return replace(world, spec=spec), min(floor, most)


def told(world: World, status: Status) -> Fact | None:
    """Whether the budget holds, with the numbers; None without a budget or before anything serves."""
    budget, stable = _budget(world), status.stable
    if not budget or not stable or not world.spec:
        return None
    price = _price(world, world.snapshots.get(stable.revision))
    if isinstance(price, str) or not status.cost:
        return (
            ConditionStatus.UNKNOWN,
            Reason.NO_PRICES,
            price if isinstance(price, str) else "not all prices are known",
        )
    most = world.spec.scaling.max_replicas or world.spec.scaling.min_replicas
    text = f"{status.cost.per_hour} of {_money(world, budget.amount)} per hour"
    pays = _most(world, price)
    if Decimal(status.cost.per_hour) > budget.amount:
        several = "; it is for one revision, and several stand during a rollout" if _several(world) else ""
        return ConditionStatus.FALSE, Reason.BUDGET_EXCEEDED, f"{text}: lower the replicas or raise the budget{several}"
    if most <= pays:
        return ConditionStatus.TRUE, Reason.WITHIN_BUDGET, text
    held = "it is held to these" if budget.on_exceed is OnExceed.REFUSE else "nothing holds it there"
    text = f"{text}; it pays for {pays} replicas, and there may be {most}: {held}"
    return ConditionStatus.TRUE, Reason.WITHIN_BUDGET, text


def spelt(amount: Decimal) -> str:
    """An amount in cents, or finer where it is less than one."""
    step = CENT if amount >= CENT or not amount else FINEST
    return str(amount.quantize(step, ROUND_HALF_UP))


def _several(world: World) -> bool:
    return sum(each.desired > 0 for each in world.workloads.values()) > 1


def _money(world: World, amount: Decimal) -> str:
    return f"{spelt(amount)} {world.platform.prices.currency}".rstrip()


def _budget(world: World) -> Budget | None:
    return world.spec.scaling.budget if world.spec else None


def _refuses(world: World) -> bool:
    budget = _budget(world)
    return budget is not None and budget.on_exceed is OnExceed.REFUSE


def _price(world: World, snapshot: Snapshot | None) -> Decimal | str:
    if not snapshot:
        return "the revision has no record yet"
    return per_replica(snapshot.template["spec"], world.platform.prices)


def _most(world: World, price: Decimal) -> int:
    """Replicas that the budget pays for; one at least, as the last one is not taken away."""
    budget = _budget(world)
    assert budget
    return max(1, int(budget.amount / price))
