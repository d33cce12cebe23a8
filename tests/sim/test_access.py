"""A model that is guarded: never a moment of open access, whatever is written, refused or dies in between."""

import asyncio
from typing import Any, Literal

import pytest

from penstock.model.platform import Fence, Implementation, Platform
from penstock.model.schedule import spell
from tests.fake.clock import run
from tests.sim.machine import Object, Sim, model

KEYS = {"apiKey": {"secret": {"name": "keys"}}, "maxBody": "1Mi"}
GUARDS = {"SecurityPolicy", "BackendTrafficPolicy"}
PREVIEWED: Object = {"blueGreen": {"duration": "20s", "previewHostnames": ["next.churn.corp"]}, "scaleDownDelay": "5s"}


class Guarded(Sim):
    """A cluster whose gateway keeps policies, and which looks at every write of a route whether it is guarded."""

    takes = True  # whether the gateway accepts what it is given
    guarded = True  # whether a route must never be open

    def __post_init__(self) -> None:
        self.wrong: list[str] = []  # the operator would take an assertion in here for a bug of its own, and go on
        self.platform = Platform(locks=True)
        super().__post_init__()

    async def run(self, seconds: float) -> None:
        await super().run(seconds)
        assert not self.wrong, self.wrong

    def _react(self, change: str, live: Object) -> None:
        super()._react(change, live)
        if live["kind"] in GUARDS and change != "DELETED":
            self.answer_for(live)
        lost = change == "DELETED" and live["kind"] == "SecurityPolicy" and self.guarded
        if lost and self.store.get("HTTPRoute", "ml", live["metadata"]["name"]):
            self.wrong.append("a route has lost its guard")

    def answer_for(self, live: Object) -> None:
        """The gateway takes a policy, or does not."""
        meta = live["metadata"]
        said = [c["observedGeneration"] for a in live.get("status", {}).get("ancestors", []) for c in a["conditions"]]
        if said != [meta["generation"]]:
            ref = (live["kind"], "ml", meta["name"])
            asyncio.get_running_loop().call_later(0.4, self._hold, ref, meta["generation"])

    def _hold(self, ref: tuple[str, str, str], generation: int) -> None:
        route = self.store.get("HTTPRoute", "ml", ref[2])
        if not route:
            return
        condition = {
            "type": "Accepted",
            "status": str(self.takes),
            "reason": "Accepted" if self.takes else "Invalid",
            "message": "" if self.takes else "secret ml/keys does not exist",
            "observedGeneration": generation,
            "lastTransitionTime": spell(self.now()),
        }
        ancestors = [{"ancestorRef": {"name": "models"}, "conditions": [condition]}]
        self._status(ref, lambda s: s.update(ancestors=ancestors))

    def _check_route(self, live: Object) -> None:
        """An open route has a policy that was taken; one that is shut leads nowhere."""
        refs = [ref for rule in live["spec"]["rules"] for ref in rule["backendRefs"]]
        if not refs:
            return
        if live["metadata"]["name"] == "churn":
            super()._check_route(live)
        policy = self.store.get("SecurityPolicy", "ml", live["metadata"]["name"])
        if self.guarded and not policy:
            self.wrong.append("an open route without a policy")
        elif self.guarded and policy and "True" not in self.said(policy):
            self.wrong.append("a route was opened whose policy does not hold")

    def said(self, policy: Object) -> list[str]:
        """What the gateway has said of a policy."""
        return [c["status"] for a in policy.get("status", {}).get("ancestors", []) for c in a["conditions"]]

    def is_open(self, route: str = "churn") -> bool:
        """Whether requests come through."""
        live = self.store.get("HTTPRoute", "ml", route)
        return bool(live and live["spec"]["rules"][0]["backendRefs"])

    def verbs(self, *kinds: str) -> list[tuple[str, str]]:
        """What was written of these kinds, in order."""
        return [(verb, kind) for verb, kind, _ in self.kube.writes if kind in kinds]


def guarded(version: str, policy: Object | None = None, **spec: Any) -> Object:
    """A model with keys."""
    traffic = {"gateway": {"name": "models"}, "policy": KEYS if policy is None else policy}
    return model(version, traffic=traffic, **spec)


def test_a_route_is_born_shut_and_opens_when_its_policies_are_taken() -> None:
    async def story() -> None:
        sim = Guarded()
        sim.apply(guarded("v1"))
        await sim.run(60)
        assert sim.condition("Ready")["status"] == "True" and sim.weights() == {"v1": 100}
        assert sim.verbs("HTTPRoute", *GUARDS) == [
            ("apply", "HTTPRoute"),
            ("apply", "SecurityPolicy"),
            ("apply", "BackendTrafficPolicy"),
            ("apply", "HTTPRoute"),
        ]
        writes = len(sim.kube.writes)
        await sim.run(300)
        assert len(sim.kube.writes) == writes, "a settled object costs nothing"

    run(story())


def test_a_policy_that_is_refused_keeps_the_route_shut_and_is_said_in_the_gateways_words() -> None:
    async def story() -> None:
        sim = Guarded()
        sim.takes = False
        sim.apply(guarded("v1"))
        await sim.run(60)
        assert not sim.is_open()
        words = "the gateway does not take SecurityPolicy churn: Invalid: secret ml/keys does not exist"
        assert words in sim.condition("Ready")["message"] and sim.condition("Available")["status"] == "False"
        sim.takes = True
        for kind in GUARDS:
            sim._hold((kind, "ml", "churn"), 1)
        await sim.run(30)
        assert sim.is_open() and sim.condition("Ready")["status"] == "True"

    run(story())


def test_a_policy_that_is_refused_later_is_told_though_the_model_serves() -> None:
    async def story() -> None:
        sim = Guarded()
        sim.apply(guarded("v1"))
        await sim.run(60)
        sim.takes = False
        sim.apply(guarded("v1", KEYS | {"apiKey": {"secret": {"name": "lost"}}}))
        await sim.run(10)
        assert sim.condition("Ready")["reason"] == "PolicyNotAccepted"
        assert sim.condition("Available")["status"] == "False", "of Envoy Gateway everybody gets 500 then"
        assert sim.is_open(), "a route that serves is not touched"

    run(story())


def test_a_policy_for_a_route_that_was_open_leaves_it_open_until_it_holds() -> None:
    async def story() -> None:
        sim = Guarded()
        sim.guarded = False
        sim.apply(model("v1"))
        await sim.run(60)
        sim.apply(guarded("v1"))
        await sim.run(0.2)
        assert sim.condition("Ready")["reason"] == "PolicyNotAccepted", sim.status
        assert "has not answered" in sim.condition("Ready")["message"]
        await sim.run(10)
        assert sim.condition("Ready")["status"] == "True"
        assert sim.history == [{next(iter(sim.history[0])): 100}], "nobody was turned away meanwhile"

    run(story())


def test_what_guards_goes_after_its_route() -> None:
    async def story() -> None:
        sim = Guarded()
        sim.apply(guarded("v1", rollout={}, analysis=None))
        await sim.run(60)
        for kind in GUARDS:
            owners = sim.store.get(kind, "ml", "churn")["metadata"]["ownerReferences"]  # type: ignore[index]
            assert [(o["kind"], o.get("controller", False)) for o in owners] == [
                ("ModelDeployment", True),
                ("HTTPRoute", False),
            ]
        sim.apply(model("v1", traffic={}, rollout={}, analysis=None))
        await sim.run(60)
        assert not any(sim.store.get(kind, "ml", "churn") for kind in ("HTTPRoute", *GUARDS))
        assert sim.condition("Ready")["status"] == "True"

    run(story())


def test_the_preview_is_guarded_as_the_model_is() -> None:
    async def story() -> None:
        sim = Guarded()
        sim.apply(guarded("v1", rollout=PREVIEWED, analysis=None))
        await sim.run(60)
        assert sim.is_open("churn-preview") and sim.is_open()
        for kind in GUARDS:
            policy = sim.store.get(kind, "ml", "churn-preview")
            assert policy and policy["spec"]["targetRefs"][0]["name"] == "churn-preview"
        sim.apply(guarded("v1", rollout={}, analysis=None))
        await sim.run(30)
        assert not any(sim.store.get(kind, "ml", "churn-preview") for kind in ("HTTPRoute", *GUARDS))

    run(story())


@pytest.mark.parametrize(
    ("platform", "policy", "words"),
    [
        (Platform(Implementation.ISTIO), KEYS, "traffic.policy.apiKey needs Envoy Gateway"),
        (Platform(Implementation.NONE), {"rateLimit": {"requests": 1}}, "traffic.policy.rateLimit needs Envoy Gateway"),
        (Platform(), KEYS, "traffic.policy.apiKey needs a lock that stays"),
        (Platform(), {"jwt": {"provider": "corp"}}, "traffic.policy.jwt needs a lock that stays"),
        (Platform(locks=True), {"jwt": {"provider": "corp"}}, "no token issuer corp"),
        (Platform(), {"tls": {"issuer": {"name": "ca"}}}, "needs cert-manager"),
        (Platform(), {"clients": [{"namespace": "shop"}]}, "needs the operator's networkPolicy.models.enabled"),
    ],
)
def test_what_this_cluster_cannot_keep_is_refused_and_what_runs_goes_on_as_it_was(
    platform: Platform, policy: Object, words: str
) -> None:
    async def story() -> None:
        traffic = {"gateway": {"name": "models"}, "hostnames": ["churn.corp"]}
        sim = Guarded()
        sim.guarded = False
        sim.apply(model("v1", traffic=traffic | {"policy": {"maxBody": "1Mi"}}))
        await sim.run(60)
        sim.platform = sim.loop.platform = platform
        before = sorted(ref for ref in sim.store.entries if ref[0] != "Event")
        sim.apply(model("v2", traffic=traffic | {"policy": policy}))
        await sim.run(60)
        assert sim.condition("Ready")["reason"] == "PolicyUnsupported" and sim.condition("Stalled")["status"] == "True"
        assert words in sim.condition("Ready")["message"]
        assert sorted(ref for ref in sim.store.entries if ref[0] != "Event") == before
        assert sim.weights() == {"v1": 100} and sim.condition("Available")["status"] == "True"

        fresh = Guarded()
        fresh.platform = fresh.loop.platform = platform
        fresh.apply(model("v1", traffic=traffic | {"policy": policy}))
        await fresh.run(60)
        assert fresh.condition("Ready")["reason"] == "PolicyUnsupported"
        assert not fresh.store.get("HTTPRoute", "ml", "churn"), "nothing is opened that cannot be guarded"

    run(story())


def test_a_route_that_is_shut_stays_shut_when_its_policy_becomes_one_that_cannot_be_kept() -> None:
    async def story() -> None:
        sim = Guarded()
        sim.takes = False
        sim.apply(guarded("v1"))
        await sim.run(60)
        sim.apply(guarded("v1", {"jwt": {"provider": "corp"}}))
        await sim.run(60)
        assert not sim.is_open() and sim.condition("Ready")["reason"] == "PolicyUnsupported"

    run(story())


def test_a_fence_stands_around_the_pods_where_the_administrator_wants_one() -> None:
    async def story() -> None:
        sim = Guarded()
        sim.guarded = False
        sim.platform = sim.loop.platform = Platform(fence=Fence(gateway=({"podSelector": {}},)))
        sim.apply(model("v1"))
        await sim.run(60)
        live = sim.store.get("NetworkPolicy", "ml", "churn")
        assert live and live["spec"]["podSelector"] == {"matchLabels": {"penstock.dev/name": "churn"}}
        writes = len(sim.kube.writes)
        await sim.run(300)
        assert len(sim.kube.writes) == writes

    run(story())


WRITES = 42  # at least as many as the story has


async def told(crash: tuple[int, Literal["before", "after"]] | None) -> Guarded:
    """v1 is created with keys, v2 follows under other keys, then the gateway is given up."""
    sim = Guarded()
    if crash:
        sim.kube.crash_at(*crash)
    plain: Object = {"rollout": {"scaleDownDelay": "5s"}, "analysis": None}
    sim.apply(guarded("v1", **plain))
    await sim.run(40)
    sim.apply(guarded("v2", KEYS | {"apiKey": {"secret": {"name": "new"}}}, **plain))
    await sim.run(60)
    assert sim.weights() == {"v2": 100}
    policy = sim.store.get("SecurityPolicy", "ml", "churn")
    assert policy and policy["spec"]["apiKeyAuth"]["credentialRefs"][0]["name"] == "new"
    sim.apply(model("v2", traffic={}, **plain))
    await sim.run(40)
    return sim


def left(sim: Sim) -> list[tuple[str, str]]:
    """What there is in the end."""
    return sorted((ref[0], ref[2]) for ref in sim.store.entries if ref[0] != "Event")


def test_the_story_has_no_more_writes_than_are_crashed_at() -> None:
    async def story() -> None:
        sim = await told(None)
        assert 20 <= len(sim.kube.writes) <= WRITES, len(sim.kube.writes)
        assert not {kind for kind, _ in left(sim)} & {"HTTPRoute", *GUARDS}

    run(story())


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("write", range(1, WRITES + 1))
def test_a_crash_at_any_write_opens_nothing_and_leaves_nothing(write: int, when: Literal["before", "after"]) -> None:
    async def story() -> None:
        sim = await told((write, when))
        assert sim.condition("Ready")["status"] == "True"
        assert not {kind for kind, _ in left(sim)} & {"HTTPRoute", *GUARDS}

    run(story())
