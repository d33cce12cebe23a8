"""Stories of weighted rollouts: good, bad, superseded, reverted, aborted, retried, undone, paused, approved, baked."""

import time
from typing import Any

from tests.e2e.stories.crowd import share, versions
from tests.e2e.stories.scene import Scene

CANARY: dict[str, Any] = {"canary": {"steps": [{"weight": 20, "duration": "4s"}, {"weight": 60, "duration": "4s"}]}}
# A second step that only a person, or another spec, ends.
HELD: dict[str, Any] = {"canary": {"steps": [{"weight": 20, "duration": "2s"}, {"weight": 60, "duration": "10m"}]}}
BAKE: dict[str, Any] = {**CANARY, "bake": {"duration": "12s"}}


async def first(scene: Scene, rollout: dict[str, Any] = CANARY, **spec: Any) -> None:
    """v1 serves, clients come."""
    await scene.apply("v1", rollout, **spec)
    await scene.settled("v1")
    scene.crowd()


async def good(scene: Scene) -> None:
    """A good version walks its steps and is promoted; nobody notices."""
    await first(scene)
    await scene.apply("v2", CANARY)
    await scene.step(1)
    begin = time.time()
    await scene.until(lambda s: s.candidate.get("step") == 2 or s.status["stable"]["version"] == "v2")
    seen = [a for c in scene.crowds for a in c.answers if begin + 0.5 < a.sent < time.time() - 0.5]
    await scene.settled("v2")
    assert 30 < share(seen, "v2") < 90, versions(seen)
    told = ["RolloutStarted", "Promoted", "RolloutStarted", "StepEntered", "StepEntered", "Promoted"]
    await scene.until(lambda s: s.reasons() == told)
    assert [e["reason"] for e in scene.status["history"]] == ["Promoted", "Promoted"]
    scene.no_failure()


async def bad(scene: Scene) -> None:
    """A version that fails on part of the rows is taken off; nobody else's requests fail, none after weight 0."""
    await first(scene)
    await scene.apply("v3", CANARY)
    await scene.rejected("ErrorRateAbove")
    home = scene.status["stable"]["revision"]
    await scene.until(lambda s: s.weights()[-1][1].get(home) == 100)
    off = scene.since(home)
    late = [a for a in scene.answers() if a.failed and a.sent > off + 1.0]
    assert not late, late
    strange = [a for a in scene.answers() if a.failed and a.status != 500]
    assert not strange, f"only the bad model's own answers may fail: {strange}, weight 0 at {off}"
    scene.note(failed=len([a for a in scene.answers() if a.failed]))


async def supersede(scene: Scene) -> None:
    """A third version in mid-rollout: the second leaves without a verdict, the third starts at step 0."""
    await first(scene, HELD)
    await scene.apply("v2", HELD)
    await scene.step(1)
    await scene.apply("v1", CANARY, server={"env": [{"name": "STORY", "value": "third"}]})
    await scene.until(lambda s: s.candidate.get("version") == "v1" and s.candidate.get("step") == 0)
    assert scene.status["stable"]["version"] == "v1"
    await scene.until(lambda s: s.ready.get("status") == "True")
    ended = [(e["version"], e["reason"]) for e in scene.status["history"]]
    assert ended == [("v1", "Promoted"), ("v2", "Superseded"), ("v1", "Promoted")]
    assert "rejected" not in scene.status
    scene.no_failure()


async def revert(scene: Scene) -> None:
    """The stable spec comes back at 60 %: all traffic returns at once, no verdict."""
    await first(scene, HELD)
    await scene.apply("v2", HELD)
    await scene.step(1)
    asked = time.time()
    await scene.apply("v1", CANARY)
    await scene.until(lambda s: max(s.weights()[-1][1].values()) == 100)
    scene.note(seconds_to_return=round(scene.weights()[-1][0] - asked, 1))
    await scene.settled("v1")
    assert [e["reason"] for e in scene.status["history"]] == ["Promoted", "Superseded"]
    scene.no_failure()


async def abort_and_retry(scene: Scene) -> None:
    """A person takes a good version off, applies it again to no avail, and lets it be tried again."""
    await first(scene, HELD)
    await scene.apply("v2", HELD)
    await scene.step(0)
    name = scene.candidate["revision"]
    await scene.annotate("eve", abort=name)
    await scene.rejected("Aborted")
    assert scene.status["rejected"][-1]["by"] == "eve"
    await scene.apply("v2", CANARY)
    await scene.until(lambda s: bool(s.ready))  # of the new generation: it must not have tried again
    assert scene.ready["reason"] == "RolledBack"
    await scene.annotate("bob", retry=name)
    await scene.settled("v2")
    assert [(e["reason"], e.get("by", "")) for e in scene.status["history"]][1:] == [
        ("Aborted", "eve"),
        ("Promoted", ""),
    ]
    scene.no_failure()


async def undo(scene: Scene) -> None:
    """After the promotion a person goes back to the version before, which was good so lately that it needs no steps."""
    window = {**CANARY, "rollbackWindow": "1h"}
    await first(scene, window)
    home = scene.status["stable"]["revision"]
    await scene.apply("v2", window)
    await scene.settled("v2")
    asked = time.time()
    await scene.annotate("zoe", undo=home)
    await scene.until(lambda s: s.ready.get("reason") == "RolledBack" and s.status["stable"]["version"] == "v1")
    scene.note(seconds=round(time.time() - asked, 1))
    last = scene.status["history"][-1]
    assert (last["reason"], last["by"], last["version"]) == ("Promoted", "zoe", "v1")
    scene.no_failure()


async def pause(scene: Scene) -> None:
    """A paused rollout stands still past its duration, and goes on when the pause ends."""
    await first(scene)
    await scene.apply("v2", CANARY)
    await scene.step(0)
    await scene.annotate("bob", pause="true")
    paused = await scene.until(lambda s: s.ready.get("reason") == "Paused")
    await scene.until(lambda s: time.time() > paused + 10)  # the subject: more than twice the step's duration
    assert scene.candidate["step"] == 0
    assert "bob" in scene.ready["message"]
    await scene.annotate("bob", pause="")
    await scene.settled("v2")
    await scene.until(lambda s: {"Paused", "Resumed"} <= set(s.reasons()))
    scene.no_failure()


async def approval(scene: Scene) -> None:
    """Two people of the right group must agree; one from outside does not count."""
    asked = {"groups": ["leads"], "minApprovals": 2}
    steps = [{"weight": 50, "duration": "2s", "approval": asked}]
    await first(scene, {"canary": {"steps": steps}})
    await scene.apply("v2", {"canary": {"steps": steps}})
    await scene.until(lambda s: s.ready.get("reason") == "WaitingForApproval")
    name = scene.candidate["revision"]
    await scene.annotate("mallory", "visitors", approve=f"{name}/1")
    await scene.until(lambda s: "ActionIgnored" in s.reasons())
    await scene.annotate("ann", "leads", approve=name)
    await scene.until(lambda s: "1 of 2 approvals" in s.ready.get("message", ""))
    await scene.annotate("ben", "leads", approve=f"{name}/1")
    await scene.settled("v2")
    await scene.until(lambda s: s.reasons().count("Approved") == 2)
    scene.no_failure()


async def bake_good(scene: Scene) -> None:
    """After 100 % the old version stays warm; then it goes."""
    await first(scene, BAKE)
    await scene.apply("v2", BAKE)
    await scene.until(lambda s: s.ready.get("reason") == "Baking")
    assert scene.status["stable"]["version"] == "v1"
    await scene.settled("v2")
    scene.no_failure()


async def bake_breach(scene: Scene) -> None:
    """Clients begin to send what the new version cannot handle only after it got everything: one write returns."""
    long = {**CANARY, "bake": {"duration": "120s"}}
    await first(scene, long)
    scene.crowds[0].rows = scene.house.sane  # rows that v3 handles
    await scene.apply("v3", long)
    await scene.until(lambda s: s.ready.get("reason") == "Baking")
    home = scene.status["stable"]["revision"]
    pods = {s.seen["metadata"]["uid"] for s in scene.sights("Deployment", home)}
    sizes = len({s.seen["spec"]["replicas"] for s in scene.sights("Deployment", home)})
    scene.crowds[0].rows = scene.house.rows
    await scene.until(lambda s: any(a.failed for a in s.answers()))
    failed = time.time()
    await scene.rejected("ErrorRateAbove")
    await scene.until(lambda s: s.weights()[-1][1].get(home) == 100)
    back = scene.since(home)
    scene.note(seconds_from_first_failure_to_return=round(back - failed, 1))
    assert {s.seen["metadata"]["uid"] for s in scene.sights("Deployment", home)} == pods
    assert len({s.seen["spec"]["replicas"] for s in scene.sights("Deployment", home)}) == sizes == 1
    assert not [a for a in scene.answers() if a.failed and a.sent > back + 1.0]


async def never_ready_then_fixed(scene: Scene) -> None:
    """A broken model is reverted at its deadline with the cause; the next one starts clean and is promoted."""
    short = {**CANARY, "deadline": "25s"}
    await first(scene, short)
    await scene.apply("v4", short)
    await scene.rejected("NeverReady")
    await scene.apply("v2", short | {"deadline": "90s"})
    await scene.settled("v2")
    scene.no_failure()


INFER = 'method="POST",path=~"/v2/models/.+/infer"'
KINDS: dict[str, Any] = {
    "interval": "2s",
    "minRequests": 15,
    "warmup": "2s",
    "metrics": [
        {"name": "errorRate", "max": "2%"},
        {"name": "latencyShift", "max": "0.5", "dryRun": True},
        {"name": "requestsPerSecond", "min": "0.5"},
        {"name": "inFlight", "max": "50"},
        {
            "name": "refusals",
            "ratio": {
                "bad": {"name": "rest_server_requests_total", "where": f'{INFER},status_code=~"4.."'},
                "total": {"name": "rest_server_requests_total", "where": INFER},
            },
            "compare": "Stable",
        },
        {
            "name": "byPath",
            "ratio": {
                "bad": {"name": "rest_server_requests_total", "where": f'{INFER},status_code=~"5.."'},
                "total": {"name": "rest_server_requests_total", "where": INFER},
                "by": "path",
            },
            "maxDisparity": "2",
        },
        {
            "name": "answered",
            "value": {
                "query": 'sum(rest_server_requests_total{penstock_dev_revision="{{revision}}",status_code="200"})'
            },
            "min": "1",
        },
    ],
}


async def every_kind(scene: Scene) -> None:
    """Shares, groups, a distribution and values, from the real server by the real Prometheus: a good version passes."""
    await first(scene, analysis=KINDS)
    await scene.apply("v2", CANARY, analysis=KINDS)
    await scene.until(lambda s: len(s.candidate.get("evidence", [])) == len(KINDS["metrics"]))
    await scene.settled("v2")
    seen = [s.seen.get("status", {}).get("candidate") or {} for s in scene.sights("ModelDeployment")]
    last = [c["evidence"] for c in seen if len(c.get("evidence", [])) == len(KINDS["metrics"])][-1]
    named = {e["metric"].split()[0]: e for e in last}
    assert all(e["verdict"] != "Fail" for e in last), last
    for counted in ("errorRate", "refusals", "byPath", "latencyShift"):
        assert named[counted]["candidate"]["total"] > 15, named[counted]
    assert {g["name"] for g in named["byPath"]["groups"]} == {"/v2/models/{model_name}/infer"}
    assert float(named["answered"]["value"]) > 1 and float(named["requestsPerSecond"]["value"].split()[0]) > 0.5
    scene.no_failure()


async def value_below(scene: Scene) -> None:
    """A number of the model's own is below its limit: the version is taken off though it answers everything."""
    low = {"name": "answered", "value": {"query": "vector(0.5)"}, "min": "0.9", "failureBudget": 1}
    judged = {**KINDS, "metrics": [KINDS["metrics"][0], low]}
    await first(scene, analysis=judged)
    await scene.apply("v2", CANARY, analysis=judged)
    await scene.rejected("MetricBelowLimit")
    scene.no_failure()
