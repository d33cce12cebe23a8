"""Listeners of a model's own: what keeps keys is in them for good, from before they are there."""

import asyncio

from penstock.model.schedule import spell
from tests.fake.clock import run
from tests.sim.machine import Object, model
from tests.sim.test_access import GUARDS, KEYS
from tests.sim.test_switch import TRAFFICS
from tests.sim.test_switch_guarded import PLAIN, Switched

CERTIFIED = TRAFFICS["gateway"] | {"policy": KEYS | {"tls": {"secret": {"name": "certificate"}}}}


class Listening(Switched):
    """One that has listeners of a model's own, too, and may be slow to take a lock."""

    slow: float = 0.0  # seconds that it takes for a lock longer than for other policies

    def _react(self, change: str, live: Object) -> None:
        super()._react(change, live)
        if live["kind"] == "ListenerSet" and change == "ADDED":
            asyncio.get_running_loop().call_later(0.4, self._listen, ("ListenerSet", "ml", live["metadata"]["name"]))

    def answer_for(self, live: Object) -> None:
        if live["metadata"]["name"] == "churn-lock":
            asyncio.get_running_loop().call_later(self.slow, super().answer_for, live)
        else:
            super().answer_for(live)

    def _listen(self, ref: tuple[str, str, str]) -> None:
        def say(*kinds: str) -> list[Object]:
            words = {"status": "True", "reason": "Yes", "message": "", "observedGeneration": 1}
            return [{"type": kind, "lastTransitionTime": spell(self.now()), **words} for kind in kinds]

        listeners = [{"name": "a", "conditions": say("ResolvedRefs")}]
        self._status(ref, lambda s: s.update(conditions=say("Accepted", "Programmed"), listeners=listeners))


def test_listeners_of_a_models_own_have_a_lock_before_they_are_there_and_nothing_opens_without_it() -> None:
    async def story() -> None:
        sim = Listening()
        sim.slow = 30.0
        sim.apply(model("v1", traffic=CERTIFIED))
        await sim.run(20)
        made = [(kind, name) for _, kind, name in sim.kube.writes if kind in {"HTTPRoute", "ListenerSet", *GUARDS}]
        assert made[:3] == [("HTTPRoute", "churn-lock"), ("SecurityPolicy", "churn-lock"), ("ListenerSet", "churn")]
        assert not sim.is_open() and sim.said(sim.store.get("SecurityPolicy", "ml", "churn") or {}) == ["True"]
        await sim.run(40)
        assert sim.is_open() and sim.condition("Ready")["status"] == "True"
        writes = len(sim.kube.writes)
        await sim.run(300)
        assert len(sim.kube.writes) == writes, "a settled object costs nothing"
        sim.apply(model("v1", traffic=CERTIFIED | {"policy": KEYS}))
        await sim.run(60)
        assert not sim.store.get("HTTPRoute", "ml", "churn-lock") and sim.is_open()

    run(story())


def test_the_lock_stays_as_long_as_the_route_and_no_longer() -> None:
    async def story() -> None:
        sim = Listening()
        sim.apply(model("v1", traffic=CERTIFIED, **PLAIN))
        await sim.run(60)
        sim.apply(model("v1", traffic=TRAFFICS["istio"], **PLAIN))
        await sim.run(3)  # Istio has not taken it, as far as anybody can know
        assert sim.is_open() and all(
            sim.store.get(kind, "ml", "churn-lock") for kind in ("HTTPRoute", "SecurityPolicy")
        )
        await sim.run(60)
        assert not any(sim.store.get(kind, "ml", "churn-lock") for kind in ("HTTPRoute", "SecurityPolicy"))

    run(story())
