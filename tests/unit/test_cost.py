"""What replicas cost, what a budget says of it, and what it lets there be."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from penstock.api.scaling import Scaling
from penstock.api.status import Status
from penstock.core.cost import per_replica, spelt
from penstock.core.plan import decide
from penstock.model.platform import Platform, Prices
from penstock.model.values import Following, RouteSeen, Workload, World
from penstock.shell.settings import Settings, load
from tests.unit.worlds import NAMES, OWNED, SNAPSHOTS, STABLE, V1, V2, bare

PRICES = Prices({"cpu": Decimal("0.04"), "memory": Decimal("0.005"), "gpu.corp/a": Decimal("2.10")}, "EUR")
CPU = {"name": "cpu", "target": 70}


def pod(**requests: str) -> dict[str, Any]:
    return {"containers": [{"name": "server", "resources": {"requests": requests}}]}


def asks(version: str, requests: dict[str, str]) -> Any:
    """The snapshot of a version whose pods ask for this."""
    known = SNAPSHOTS[NAMES[version]]
    (server,) = known.template["spec"]["containers"]
    own = server | {"resources": {"requests": requests}}
    return replace(known, template=known.template | {"spec": known.template["spec"] | {"containers": [own]}})


def world(count: int = 4, wants: str = "v1", prices: Prices = PRICES, **scaling: Any) -> World:
    """v1 serves with so many pods of one GPU and half a cpu, 2.12 an hour each."""
    made = bare(wants, "plain")
    assert made.spec
    own = {"gpu.corp/a": "1", "cpu": "500m"}
    return replace(
        made,
        spec=made.spec.model_copy(update={"scaling": Scaling.model_validate({"minReplicas": 2} | scaling)}),
        status=Status(stable=STABLE),
        platform=Platform(prices=prices),
        workloads={V1: Workload(count, count)},
        snapshots={V1: asks("v1", own), V2: asks("v2", own)},
        owned=OWNED,
        route=RouteSeen({V1: 100}, programmed=True),
        scalers={V1: Following(active=True, wanted=count, bounds=(2, 20))} if "maxReplicas" in scaling else {},
    )


def budget(amount: str, policy: str = "Refuse") -> dict[str, str]:
    return {"perHour": amount, "onExceed": policy}


def says(found: World, kind: str = "WithinBudget") -> tuple[str, str, str] | None:
    told = next((c for c in decide(found).status.conditions if c.type == kind), None)
    return (told.status, told.reason, told.message) if told else None


def sizes(found: World, revision: str = V1) -> Any:
    """Replicas of the Deployment, and the autoscaler's bounds where there is one."""
    made = {c["kind"]: c["spec"] for c in decide(found).children if c["metadata"]["name"] == revision and "spec" in c}
    scaler = made.get("HorizontalPodAutoscaler")
    return (scaler["minReplicas"], scaler["maxReplicas"]) if scaler else made["Deployment"]["replicas"]


@pytest.mark.parametrize(
    ("requests", "cost"),
    [
        ({"cpu": "500m"}, "0.02"),
        ({"cpu": "1", "memory": "2Gi"}, "0.05"),
        ({"gpu.corp/a": "2", "cpu": "8", "memory": "64Gi"}, "4.84"),
        ({"cpu": "1m"}, "0.00004"),
    ],
)
def test_a_replica_costs_what_it_asks_for(requests: dict[str, str], cost: str) -> None:
    assert per_replica(pod(**requests), PRICES) == Decimal(cost)


@pytest.mark.parametrize(
    ("requests", "prices", "words"),
    [
        ({"cpu": "1"}, Prices(), "no prices"),
        ({"cpu": "1", "gpu.corp/b": "1"}, PRICES, "no price for gpu.corp/b"),
        ({}, PRICES, "asks for nothing that has a price: cpu, gpu.corp/a, memory"),
    ],
)
def test_what_is_not_known_is_no_small_sum(requests: dict[str, str], prices: Prices, words: str) -> None:
    assert words in str(per_replica(pod(**requests), prices))


def test_money_is_exact_and_spelt_in_cents_or_finer() -> None:
    assert [spelt(Decimal(each)) for each in ("3.6", "0", "12.505", "0.00412", "0.1")] == [
        "3.60",
        "0.00",
        "12.51",
        "0.0041",
        "0.10",
    ]
    assert spelt(sum([Decimal("0.1")] * 3, Decimal())) == "0.30"


def test_status_says_what_all_revisions_cost() -> None:
    told = decide(world()).status.cost
    assert told and (told.per_hour, told.per_replica, told.currency) == ("8.48", "2.12", "EUR")
    both = replace(world(), workloads={V1: Workload(4, 4), V2: Workload(1, 0)})
    told = decide(both).status.cost
    assert told and told.per_hour == "10.60"
    assert decide(world(prices=Prices())).status.cost is None
    unknown = replace(world(), workloads={V1: Workload(4, 4), "churn-unrecorded": Workload(1, 1)})
    assert decide(unknown).status.cost is None


def test_without_a_budget_nothing_is_said_or_held() -> None:
    assert says(world()) is None
    assert sizes(world(maxReplicas=20, metrics=[CPU])) == (2, 20)


def test_within_the_budget_it_says_how_far_that_goes() -> None:
    assert says(world(maxReplicas=5, metrics=[CPU], budget=budget("12.50"))) == (
        "True",
        "WithinBudget",
        "8.48 of 12.50 EUR per hour",
    )
    told = says(world(maxReplicas=20, metrics=[CPU], budget=budget("12.50")))
    assert told and told[2].endswith("it pays for 5 replicas, and there may be 20: it is held to these")
    told = says(world(maxReplicas=20, metrics=[CPU], budget=budget("12.50", "Warn")))
    assert told and told[2].endswith("nothing holds it there")


@pytest.mark.parametrize(("policy", "bounds"), [("Refuse", (2, 5)), ("Warn", (2, 20))])
def test_refuse_holds_the_autoscaler_to_what_is_paid_for(policy: str, bounds: tuple[int, int]) -> None:
    assert sizes(world(maxReplicas=20, metrics=[CPU], budget=budget("12.50", policy))) == bounds


def test_above_the_budget_a_warning_says_so_and_changes_nothing() -> None:
    found = world(6, minReplicas=6, budget=budget("10.00", "Warn"))
    told = says(found)
    assert told and told[:2] == ("False", "BudgetExceeded") and told[2].startswith("12.72 of 10.00 EUR per hour")
    assert sizes(found) == 6 and says(found, "Ready") == ("True", "Settled", "version v1 serves")


def test_a_spec_whose_fewest_replicas_are_too_dear_is_refused_with_the_fix() -> None:
    found = world(4, minReplicas=6, budget=budget("10.00"))
    ready = says(found, "Ready")
    assert ready and ready[:2] == ("False", "BudgetExceeded")
    assert ready[2] == (
        "version v1 needs 6 replicas of 2.12 EUR per hour, together 12.72 EUR, and scaling.budget.perHour is 10.00:"
        " raise it, or lower scaling.minReplicas or what a replica asks for"
    )
    assert sizes(found) == 4, "and there are as many as it pays for"
    assert sizes(world(4, budget=budget("1.00"))) == 1, "the last one is not taken away"


def test_a_new_revision_that_needs_more_than_it_pays_for_does_not_begin() -> None:
    scaled: dict[str, Any] = {"maxReplicas": 20, "metrics": [CPU], "budget": budget("10.00")}
    dear = world(4, "v2", **scaled)
    dear = replace(dear, snapshots=dear.snapshots | {V2: asks("v2", {"gpu.corp/a": "2"})})
    plan = decide(dear)
    assert plan.status.candidate is None and plan.status.stable and plan.status.stable.revision == V1
    ready = says(dear, "Ready")
    assert ready and "version v2 needs 4 replicas of 4.20 EUR" in ready[2]
    assert decide(world(4, "v2", **scaled)).status.candidate, "as dear as the one before"


def test_several_revisions_may_stand_above_it_for_a_while_and_it_says_why() -> None:
    found = replace(world(4, budget=budget("10.00")), workloads={V1: Workload(4, 4), V2: Workload(2, 2)})
    told = says(found)
    assert told and told[0] == "False" and told[2].endswith("several stand during a rollout")


def test_without_prices_a_budget_is_no_promise() -> None:
    assert says(world(prices=Prices(), budget=budget("10.00"))) == (
        "Unknown",
        "NoPrices",
        "the administrator has given no prices (prices.perHour of the chart)",
    )


def test_prices_come_from_the_administrators_file(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text('prices: {currency: EUR, perHour: {cpu: "0.04", gpu.corp/a: "2.10"}}')
    assert load(str(path)).given.prices == Prices({"cpu": Decimal("0.04"), "gpu.corp/a": Decimal("2.10")}, "EUR")
    assert Settings().given.prices == Prices()
    path.write_text("prices: {perHour: {cpu: 0.04}}")
    with pytest.raises(SystemExit, match=r"prices.perHour.cpu"):
        load(str(path))
