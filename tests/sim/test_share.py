"""The share that requests show: seen within its interval however late scrapes are; a stuck gateway stops the step."""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from tests.fake.clock import run
from tests.sim.machine import START, Nature, Object
from tests.sim.rough import Rough
from tests.sim.stories import Wish, ends, revision, stable, step, why, wishing

STEPS = [{"weight": 20, "duration": "60s"}, {"weight": 80, "duration": "60s"}]
ROLLOUT: Object = {"canary": {"steps": STEPS}, "deadline": "2m"}
ERRORS = {"name": "errorRate", "max": "2%"}


def judged(rollout: Object | None = None, *metrics: Object) -> Wish:
    analysis = {"interval": "4s", "minRequests": 20, "metrics": list(metrics) or [ERRORS]}
    return wishing(rollout or ROLLOUT, analysis=analysis)


async def rolling(wish: Wish, scrape: float = 0.0, rps: float = 100.0, **natures: Nature) -> Rough:
    """v1 is stable, v2 is asked for."""
    sim = Rough(natures, scrape=scrape)
    sim.gate.traffic(rps)
    sim.apply(wish("v1"))
    await sim.run(60)
    sim.apply(wish("v2"))
    return sim


async def until(sim: Rough, what: Callable[[Rough], bool], seconds: float = 600.0) -> None:
    end = sim.time() + seconds
    while not what(sim):
        assert sim.time() < end, sim.status
        await sim.run(1.0)


def told(sim: Rough) -> list[tuple[str, str]]:
    """From now on: status and reason of the condition, each change once."""
    found: list[tuple[str, str]] = []

    def note(_: str, live: Object) -> None:
        if live["kind"] == "ModelDeployment":
            said = next((c for c in live["status"]["conditions"] if c["type"] == "TrafficVerified"), None)
            word = (said["status"], said["reason"]) if said else ("", "")
            if not found or found[-1] != word:
                found.append(word)

    sim.store.subscribe(note)
    return found


def verified(sim: Rough) -> str:
    return str(sim.condition("TrafficVerified").get("status", ""))


@pytest.mark.parametrize("scrape", [0.0, 5.0, 15.0])
def test_a_share_is_seen_as_asked_however_seldom_the_counters_are_scraped(scrape: float) -> None:
    """From 20 to 80 %: with what grew before the gateway confirmed it in the count, the share would seem another."""

    async def story() -> None:
        long = {"canary": {"steps": [each | {"duration": "150s"} for each in STEPS]}, "deadline": "2m"}
        sim = await rolling(judged(long), scrape)
        heard = told(sim)
        for number, share in ((1, 20), (2, 80)):
            await until(sim, lambda s, n=number: step(s) == n and verified(s) == "True")
            mine, home = (float(sim.status[role]["observedShare"].rstrip("%")) for role in ("candidate", "stable"))
            assert abs(mine - share) < 8, "a scrape more or less of one of them"
            assert mine + home == pytest.approx(100)
            assert f"asked {share}%, seen " in sim.condition("TrafficVerified")["message"]
            begun = (datetime.fromisoformat(sim.status["candidate"]["seen"]["since"]) - START).total_seconds()
            home = sum(c.stable_total for _, _, since, c in sim.shared if since == begun)
            assert home <= (100 - share) * (sim.time() - begun) + 1, "no request of the share before"
        await until(sim, lambda s: stable(s) == "v2")
        await sim.run(60)
        assert "False" not in {status for status, _ in heard}, heard
        assert heard[-1] == ("", ""), "nothing is tried any more"
        assert "observedShare" not in sim.status["stable"]

    run(story())


def test_a_stuck_gateway_stops_the_step_and_names_itself() -> None:
    """It says yes to 80 % and goes on with 20: enough requests, and all are well answered, but not the share."""

    async def story() -> None:
        sim = await rolling(judged(), scrape=5.0)
        await until(sim, lambda s: step(s) == 1 and verified(s) == "True")
        sim.gate.stuck = True
        await until(sim, lambda s: step(s) == 2)
        entered = sim.time()
        await until(sim, lambda s: verified(s) == "False")
        assert sim.time() - entered < 30
        said = sim.condition("TrafficVerified")["message"]
        assert said.startswith("asked 80%, seen ") and "Gateway ml/models does not follow the route" in said
        await sim.run(entered + 90 - sim.time())
        assert step(sim) == 2, "its duration is long over"
        assert why(sim) == "ShareMismatch" and said[:10] in sim.condition("Ready")["message"]
        low, high = (float(word) for word in re.findall(r"([0-9.]+)%", said)[1:])
        assert low < 20 < high < 80
        await until(sim, lambda s: bool(ends(s)[1:]))
        assert ends(sim)[-1] == ("v2", "ShareMismatch"), "the deadline; no metric is blamed"
        assert sim.status["rejected"][-1]["reason"] == "ShareMismatch"
        await sim.run(2)
        assert sim.gate.now.weights[revision(sim, "v1")] == 100

    run(story())


def test_a_gateway_that_is_mended_lets_the_step_go_on() -> None:
    """What was counted while it was stuck does not outweigh what it does now."""

    async def story() -> None:
        sim = await rolling(judged(), scrape=5.0)
        await until(sim, lambda s: step(s) == 1 and verified(s) == "True")
        sim.gate.stuck = True
        await until(sim, lambda s: step(s) == 2 and verified(s) == "False")
        await sim.run(40)
        sim.gate.heal()
        healed = sim.time()
        await until(sim, lambda s: stable(s) == "v2")
        assert sim.time() - healed < 60

    run(story())


def test_a_stuck_gateway_holds_no_rollback() -> None:
    async def story() -> None:
        sim = await rolling(judged(), v2=Nature(error_rate=0.0))
        await until(sim, lambda s: step(s) == 1 and verified(s) == "True")
        sim.gate.stuck = True
        await until(sim, lambda s: step(s) == 2 and verified(s) == "False")
        sim.natures["v2"].error_rate = 0.5
        broke = sim.time()
        await until(sim, lambda s: bool(ends(s)[1:]))
        assert ends(sim)[-1] == ("v2", "ErrorRateAboveLimit")
        assert sim.time() - broke < 15

    run(story())


def test_a_stuck_gateway_stops_the_bake_too() -> None:
    async def story() -> None:
        rollout = {"canary": {"steps": [{"weight": 50, "duration": "60s"}]}, "bake": {"duration": "40s"}}
        sim = await rolling(judged(rollout | {"deadline": "2m"}))
        await until(sim, lambda s: step(s) == 1 and verified(s) == "True")
        sim.gate.stuck = True
        await until(sim, lambda s: verified(s) == "False")
        assert "asked 100%, seen " in sim.condition("Ready")["message"]
        await sim.run(60)
        assert stable(sim) == "v1", "the bake is over, and half of the requests are still the old version's"
        sim.gate.heal()
        await until(sim, lambda s: stable(s) == "v2")

    run(story())


def test_a_person_may_pass_over_a_share_that_is_not_seen() -> None:
    """Where the counters are known to mislead."""

    async def story() -> None:
        sim = await rolling(judged())
        await until(sim, lambda s: step(s) == 1 and verified(s) == "True")
        sim.gate.stuck = True
        await until(sim, lambda s: step(s) == 2 and verified(s) == "False")
        name = sim.status["candidate"]["revision"]
        sim.store.edit(
            ("ModelDeployment", "ml", "churn"),
            lambda live: live["metadata"].update(annotations={"penstock.dev/promote": name}),
            "kubectl",
        )
        await until(sim, lambda s: stable(s) == "v2", 60)

    run(story())


VALUE = {"name": "accuracy", "value": {"query": "accuracy"}, "min": "0.5"}
UNKNOWN: dict[str, tuple[Wish, float, list[str]]] = {
    "no analysis": (wishing(ROLLOUT, judged=False), 100.0, ["WaitingForRoute", "NoCounters"]),
    "values only": (judged(None, VALUE), 100.0, ["WaitingForRoute", "NoCounters"]),
    "few requests": (judged(), 2.0, ["WaitingForRoute", "TooFewRequests"]),
    "copies": (
        judged({"shadow": {"percent": 50, "duration": "20s"}, "canary": {"steps": STEPS}, "deadline": "2m"}),
        100.0,
        ["NotAShare", "WaitingForRoute", "TooFewRequests", "ShareSeen"],
    ),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_cannot_be_told_is_unknown_and_holds_nothing(name: str) -> None:
    async def story() -> None:
        wish, rps, reasons = UNKNOWN[name]
        sim = await rolling(wish, rps=rps)
        heard = told(sim)
        await until(sim, lambda s: stable(s) == "v2")
        seen: dict[str, Any] = dict.fromkeys(reason for _, reason in heard if reason)
        assert list(seen) == reasons
        unsure = {reason for status, reason in heard if status == "Unknown"}
        assert unsure == set(reasons) - {"ShareSeen"}

    run(story())


def test_a_pod_is_ready_only_once_its_service_leads_to_it() -> None:
    """Endpoints come 20 s after the pods: until then nobody is sent there, and it is said why."""

    async def story() -> None:
        sim = await rolling(judged())
        sim.endpoints.lag = 20.0
        await until(sim, lambda s: bool(revision(s, "v2")))
        name = revision(sim, "v2")
        await until(sim, lambda s: bool(s.ready[name]) and s.ready[name][-1][1] == 1)
        await sim.run(5)
        assert "1 of 1 pods ready, 0 of them endpoints of their Service" in sim.condition("Ready")["message"]
        assert sim.gate.now.weights.get(name, 0) == 0
        await until(sim, lambda s: s.gate.now.weights.get(name, 0) == 20)
        assert sim.listed[name][-1][1] == 1

    run(story())


def test_endpoints_that_go_take_the_share_away_though_the_pods_say_ready() -> None:
    async def story() -> None:
        sim = await rolling(judged())
        await until(sim, lambda s: step(s) == 1 and verified(s) == "True")
        name = revision(sim, "v2")
        sim.endpoints.lag = 1e6
        sim.store.edit(("EndpointSlice", "ml", f"{name}-slice"), lambda live: live.update(endpoints=[]), "controller")
        await sim.run(5)
        assert sim.gate.now.weights[name] == 0
        assert why(sim) == "WaitingForPods"
        assert verified(sim) == "Unknown"

    run(story())
