"""Bounds and targets -> HorizontalPodAutoscaler spec."""

from penstock.api.spec import Scaling
from penstock.model.values import Manifest


def owns_replicas(scaling: Scaling) -> bool:
    """True where the autoscaler, not the Deployment, says how many."""
    return scaling.max_replicas is not None


def make(scaling: Scaling, deployment: str, floor: int, container: str = "") -> Manifest:
    """The HPA's spec; `floor` is the fewest replicas that the rollout needs of this revision now.

    Where the pods have more than one container, `container` is the one whose use counts.
    """
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": deployment}
    most = scaling.max_replicas or scaling.min_replicas
    return {
        "scaleTargetRef": target,
        "minReplicas": max(1, min(floor, most)),
        "maxReplicas": most,
        "metrics": [_metric(m.name.value, m.target, container) for m in scaling.metrics],
    }


def _metric(name: str, percent: int, container: str) -> Manifest:
    target = {"type": "Utilization", "averageUtilization": percent}
    if container:
        of = {"container": container, "name": name, "target": target}
        return {"type": "ContainerResource", "containerResource": of}
    return {"type": "Resource", "resource": {"name": name, "target": target}}
