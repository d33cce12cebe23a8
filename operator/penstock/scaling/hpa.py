"""Bounds and targets -> HorizontalPodAutoscaler spec."""

from penstock.api.spec import Scaling
from penstock.model.values import Manifest


def owns_replicas(scaling: Scaling) -> bool:
    """True where the autoscaler, not the Deployment, says how many."""
    return scaling.max_replicas is not None


def make(scaling: Scaling, deployment: str, floor: int) -> Manifest:
    """The HPA's spec; `floor` is the fewest replicas that the rollout needs of this revision now."""
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": deployment}
    most = scaling.max_replicas or scaling.min_replicas
    return {
        "scaleTargetRef": target,
        "minReplicas": max(1, min(floor, most)),
        "maxReplicas": most,
        "metrics": [_metric(m.name.value, m.target) for m in scaling.metrics],
    }


def _metric(name: str, percent: int) -> Manifest:
    target = {"type": "Utilization", "averageUtilization": percent}
    return {"type": "Resource", "resource": {"name": name, "target": target}}
