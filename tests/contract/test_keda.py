"""The ScaledObject that we make, on a real API server with KEDA's own schema: taken, kept, and as it was meant."""

import json

from penstock.api.scaling import Scaling, ScalingMetric
from penstock.scaling import keda
from penstock.scaling.target import Target
from tests.conftest import ControlPlane

METRICS = [
    ScalingMetric(name="memory", target="80"),
    ScalingMetric(name="requestsPerSecond", target="50"),
    ScalingMetric(name="slowRate", threshold="300ms", target="5%"),
]


def test_kedas_schema_takes_it_whole(control_plane: ControlPlane) -> None:
    scaling = Scaling(min_replicas=2, max_replicas=9, metrics=METRICS)
    spec = keda.make(scaling, Target("churn-1", 2, "server", "http://penstock-live.penstock-system.svc/live/ml"))
    meta = {"name": "churn-1", "namespace": "default"}
    made = {"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": meta, "spec": spec}
    applied = control_plane.kubectl(
        "apply", "--validate=strict", "-o", "json", "-f", "-", input=json.dumps(made)
    ).stdout
    assert json.loads(applied)["spec"] == spec
    control_plane.kubectl("delete", "scaledobject", "churn-1")
