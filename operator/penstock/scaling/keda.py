"""Bounds and targets -> KEDA ScaledObject spec, for clusters where KEDA owns the external metrics.

Live metrics are triggers of the type metrics-api: KEDA asks the operator, which answers as it would an autoscaler, so a
metric means the same whoever scales. KEDA makes a HorizontalPodAutoscaler out of it, with our labels, and that is what
we follow. It never scales to zero: that is `core.sleep`, and a model that sleeps has no ScaledObject.
"""

from penstock.api.scaling import Scaling, ScalingMetric
from penstock.model.values import Manifest
from penstock.scaling.hpa import behavior
from penstock.scaling.target import Target

PERIOD = 15  # seconds between two looks, as the cluster's own autoscaler has


def make(scaling: Scaling, of: Target) -> Manifest:
    """The ScaledObject's spec."""
    most = scaling.max_replicas or scaling.min_replicas
    live = f"{of.live}/{of.deployment}"
    return {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": of.deployment},
        "minReplicaCount": max(1, min(of.floor, most)),
        "maxReplicaCount": most,
        "pollingInterval": PERIOD,
        "advanced": {"horizontalPodAutoscalerConfig": {"behavior": behavior(scaling)}},
        "triggers": [_trigger(metric, live, of.container) for metric in scaling.metrics],
    }


def _trigger(metric: ScalingMetric, live: str, container: str) -> Manifest:
    if metric.is_resource:
        of = {"containerName": container} if container else {}
        return {"type": metric.name, "metricType": "Utilization", "metadata": {"value": f"{metric.wanted:g}"} | of}
    where = {"url": f"{live}/{metric.name}", "valueLocation": metric.name}
    return {
        "type": "metrics-api",
        "metricType": "Value" if metric.is_share else "AverageValue",
        "metadata": where | {"targetValue": f"{metric.wanted:g}"},
    }
