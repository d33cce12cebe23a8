"""How many replicas an objective needs is learned from live latency; on a real Prometheus and a real autoscaler."""

from tests.e2e.stories.scene import Scene

HARSH = {"slowRate": {"threshold": "5ms", "max": "1%"}}  # so that the model of the stories is too slow for it


async def objective(scene: Scene) -> None:
    """Too slow at this load: a target is learned, replicas follow it, and the status says from what."""
    past = {"season": "Day", "history": 2, "lead": "2m"}  # there is none: nothing is foreseen, and nothing breaks
    scaling = {"minReplicas": 1, "maxReplicas": 3, "objective": HARSH, "predictive": past}
    await scene.apply("v1", None, scaling=scaling)
    await scene.settled("v1")
    scene.crowd(rate=20.0)
    await scene.until(lambda s: bool(s.status.get("objective", {}).get("perReplica")), 300)
    await scene.until(lambda s: s.status.get("replicas", 0) > 1, 120)
    learned = scene.status["objective"]
    scene.note(learned=learned["message"], reachable=scene.says("ObjectiveReachable"))
    assert "slow" in learned["message"] and scene.says("ObjectiveReachable") in ("True", "False")
    scene.no_failure()
