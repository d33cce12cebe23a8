"""A write that got no answer may have landed: the next turn reads what the watches have not shown yet."""

import pytest

from penstock.model.faults import Retry
from tests.fake.clock import run
from tests.sim import test_own_route as own
from tests.sim.machine import Object, Sim, model
from tests.sim.stories import ask


class Deaf(Sim):
    """From some time on nothing is heard of routes, and somebody aborts as soon as one changes."""

    tried = ""  # the revision that is to be aborted; none: all is heard

    def deliver(self, event: str, live: Object) -> None:
        """All but that."""
        if not (self.tried and live["kind"] == "HTTPRoute"):
            super().deliver(event, live)
        else:
            ask(self, abort=self.tried)


@pytest.mark.parametrize("theirs", [False, True], ids=["a route of ours", "somebody's route"])
def test_an_abort_takes_off_what_landed_without_an_answer(theirs: bool) -> None:
    async def story() -> None:
        sim = Deaf()
        wish, weights = (own.wish, own.shares) if theirs else (model, Deaf.weights)
        if theirs:
            sim.store.apply(own.route(), "gitops")
        sim.apply(wish("v1"))
        await sim.run(60)
        sim.apply(wish("v2"))
        await sim.run(3)
        assert weights(sim) == {"v1": 100, "v2": 0}
        sim.tried = sim.status["candidate"]["revision"]
        sim.kube.fail_next("*", "HTTPRoute", Retry(20.0, "no answer"), landed=True)
        seen: list[dict[str, int]] = []
        sim.store.subscribe(lambda _, live: seen.append(weights(sim)) if live["kind"] == "HTTPRoute" else None)
        await sim.run(4)
        assert seen[0] == {"v1": 95, "v2": 5} and seen[-1] == {"v1": 100, "v2": 0}

    run(story())
