"""A watch that is open and says nothing: who is ready, or routed, looks like one who never will be."""

import pytest

from tests.fake.clock import run
from tests.sim.machine import Nature, Object, Sim, model

KINDS = ("Deployment", "EndpointSlice", "HTTPRoute", "Pod")
QUICK: Object = {"canary": {"steps": [{"weight": 50, "duration": "5s"}]}, "deadline": "40s", "scaleDownDelay": "5s"}


class Deaf(Sim):
    """From some time on nothing is heard of one kind."""

    deaf = ""

    def deliver(self, event: str, live: Object) -> None:
        """All but that."""
        if live["kind"] != self.deaf:
            super().deliver(event, live)


async def tried(sim: Sim) -> None:
    """A second version begins."""
    sim.apply(model("v1", rollout=QUICK))
    await sim.run(30)
    assert sim.condition("Ready")["status"] == "True"
    sim.kube.requests.clear()
    sim.apply(model("v2", rollout=QUICK))


@pytest.mark.parametrize("kind", KINDS)
def test_nobody_is_given_up_for_what_a_watch_does_not_tell(kind: str) -> None:
    async def story() -> None:
        sim = Deaf()
        await tried(sim)
        sim.deaf = kind
        await sim.run(60)
        sim.deaf = ""  # it was opened anew
        for live in sim.store.list(kind):
            sim.deliver("ADDED", live)
        await sim.run(60)
        assert "rejected" not in sim.status
        assert sim.status["stable"]["version"] == "v2"

    run(story())


def test_who_is_never_ready_is_given_up_after_one_look_of_our_own() -> None:
    async def story() -> None:
        sim = Sim(natures={"v2": Nature(ready_after=None)})
        await tried(sim)
        await sim.run(60)
        assert [one["reason"] for one in sim.status["rejected"]] == ["NeverReady"]
        lists = [kind for verb, kind, _ in sim.kube.requests if verb == "list"]
        assert len(lists) == len(set(lists)) and {*KINDS} <= {*lists}

    run(story())
