"""Bounds and targets -> HorizontalPodAutoscaler spec.

Live metrics are external metrics: their name, and the revision as a label, are what our own server of that API is asked
for (`shell.external`). A value is asked for in all and divided by the target of each replica, which does not depend on
how many there are now; a share of requests is held against its target, as more replicas do not divide it.
"""

from penstock.api.scaling import Scaling, ScalingMetric
from penstock.model.names import LABEL_REVISION
from penstock.model.quantity import canonical
from penstock.model.values import Manifest
from penstock.scaling.target import Target

# A model takes long to load and its load comes back: up at once, down by a tenth a minute when five minutes agree.
BEHAVIOR: Manifest = {
    "scaleDown": {
        "stabilizationWindowSeconds": 300,
        "selectPolicy": "Max",
        "policies": [
            {"type": "Percent", "value": 10, "periodSeconds": 60},
            {"type": "Pods", "value": 1, "periodSeconds": 60},
        ],
    }
}


def owns_replicas(scaling: Scaling) -> bool:
    """True where the autoscaler, not the Deployment, says how many."""
    return scaling.max_replicas is not None


def make(scaling: Scaling, of: Target) -> Manifest:
    """The HPA's spec."""
    most = scaling.max_replicas or scaling.min_replicas
    return {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": of.deployment},
        "minReplicas": max(1, min(of.floor, most)),
        "maxReplicas": most,
        "metrics": [_metric(metric, of.deployment, of.container) for metric in scaling.metrics],
        "behavior": behavior(scaling),
    }


def behavior(scaling: Scaling) -> Manifest:
    """How fast it follows: the user's word for each direction, else ours."""
    wish = scaling.behavior.model_dump(mode="json", by_alias=True, exclude_none=True) if scaling.behavior else {}
    return BEHAVIOR | wish


def _metric(metric: ScalingMetric, revision: str, container: str) -> Manifest:
    if metric.is_resource:
        return _resource(metric, container)
    kind = "Value" if metric.is_share else "AverageValue"
    target = {"type": kind, kind[0].lower() + kind[1:]: canonical(metric.wanted)}
    named = {"name": metric.name, "selector": {"matchLabels": {LABEL_REVISION: revision}}}
    return {"type": "External", "external": {"metric": named, "target": target}}


def _resource(metric: ScalingMetric, container: str) -> Manifest:
    target = {"type": "Utilization", "averageUtilization": int(metric.wanted)}
    if container:
        of = {"container": container, "name": metric.name, "target": target}
        return {"type": "ContainerResource", "containerResource": of}
    return {"type": "Resource", "resource": {"name": metric.name, "target": target}}
