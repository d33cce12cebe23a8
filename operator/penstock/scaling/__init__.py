"""Bounds -> autoscaler manifests; no client.

Who scales is the administrator's choice, a file and one line in `SCALERS`. Two never follow one Deployment: while the
other's object is there, or what it made of it, ours waits (`core.desired`).
"""

from collections.abc import Callable
from dataclasses import dataclass

from penstock.api.scaling import Scaling
from penstock.model.platform import Scaler
from penstock.model.values import Manifest
from penstock.scaling import hpa, keda
from penstock.scaling.target import Target


@dataclass(frozen=True)
class Output:
    """What an autoscaler is told by: a kind, and its spec."""

    kind: str
    make: Callable[[Scaling, Target], Manifest]


SCALERS = {
    Scaler.HPA: Output("HorizontalPodAutoscaler", hpa.make),
    Scaler.KEDA: Output("ScaledObject", keda.make),
}
KINDS = frozenset(output.kind for output in SCALERS.values())
