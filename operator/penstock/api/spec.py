"""What a user writes in a ModelDeployment. The description of each field is the manual that `kubectl explain` prints.

Shapes and cross-field rules only. A field is listed here when it acts, not before.
"""

from enum import StrEnum

from pydantic import ConfigDict

from penstock.api.analysis import Analysis
from penstock.api.fields import Frozen, Name, cel, rules
from penstock.api.rollout import Rollout
from penstock.api.scaling import Scaling
from penstock.api.serving import Model, Pod, Server
from penstock.api.traffic import CARRIERS, Traffic

JUDGED = {"canary": "canary", "shadow": "shadow", "abTest": "test"}
ROUTED = {"shadow": "copy requests", "abTest": "tell requests apart"}
CARRIED = " || ".join(f"has(self.traffic.{name})" for name in CARRIERS)


class DeletionPolicy(StrEnum):
    """What becomes of the pods, Services and routes when the ModelDeployment is deleted."""

    DELETE = "Delete"
    ORPHAN = "Orphan"


class Spec(Frozen):
    """The wish: which model, on what, how many, reached how, changed how."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            *(
                cel(
                    f"!has(self.rollout) || !has(self.rollout.{kind}) || has(self.analysis)",
                    f"rollout.{kind} needs analysis.metrics: a {word} that nothing judges is only a timer;"
                    " for example analysis: {metrics: [{name: errorRate, compare: Stable}]}",
                )
                for kind, word in JUDGED.items()
            ),
            *(
                cel(
                    f"!has(self.rollout) || !has(self.rollout.{kind}) || has(self.traffic) && ({CARRIED})",
                    f"rollout.{kind} needs traffic.gateway: a plain Service cannot {what}",
                )
                for kind, what in ROUTED.items()
            ),
            *(
                cel(
                    f"!has(self.traffic) || !has(self.traffic.route) || !has(self.rollout) || !has(self.rollout.{kind})",
                    f"rollout.{kind} needs a route that Penstock makes, as traffic.gateway does: in your own route it"
                    " changes weights only",
                )
                for kind in ("shadow", "abTest")
            ),
            cel(
                "!has(self.traffic) || !has(self.traffic.protocol) || self.traffic.protocol != 'GRPC' || !has(self.rollout)"
                " || !has(self.rollout.abTest) || self.rollout.abTest.match.all(m, has(m.header))",
                "abTest.match with protocol: GRPC needs a header: gRPC clients keep no cookies, and gRPC has no query",
            ),
            cel(
                "!has(self.traffic) || !has(self.traffic.sticky)"
                " || has(self.rollout) && has(self.rollout.canary) && self.rollout.canary.steps.size() <= 15",
                "traffic.sticky needs rollout.canary with at most 15 steps: only weighted steps split users, and a gateway"
                " tells no more than 16 shares apart",
            ),
            cel(
                "!has(self.scaling) || !has(self.scaling.minReplicas) || self.scaling.minReplicas > 0"
                " || !has(self.deletionPolicy) || self.deletionPolicy != 'Orphan'",
                "scaling.minReplicas: 0 and deletionPolicy: Orphan exclude each other: who would wake the model when its"
                " ModelDeployment is gone? Set minReplicas: 1",
            ),
            cel(
                "!has(self.rollout) || !has(self.rollout.capacityPolicy) || self.rollout.capacityPolicy != 'Replace'"
                " || !has(self.scaling) || !has(self.scaling.maxReplicas)",
                "capacityPolicy: Replace needs a fixed number of replicas, as an autoscaler would take the room again:"
                " leave scaling.maxReplicas out",
            ),
            cel(
                "!has(self.analysis) || has(self.rollout) && (has(self.rollout.canary) || has(self.rollout.shadow)"
                " || has(self.rollout.abTest) || has(self.rollout.bake) || has(self.rollout.blueGreen)"
                " && has(self.rollout.blueGreen.previewAnalysis) && self.rollout.blueGreen.previewAnalysis == 'Require')",
                "analysis needs rollout.canary, shadow, abTest, bake, or blueGreen.previewAnalysis: Require;"
                " without steps nothing would be judged",
            ),
            cel(
                "!has(self.rollout) || !has(self.rollout.bake) || !has(self.analysis)"
                " || self.analysis.metrics.exists(m, has(m.max))",
                "rollout.bake needs a metric with max: after 100% the old revision gets no requests to compare with;"
                " for example {name: errorRate, max: 1%}",
            ),
            cel(
                "has(self.analysis) || !has(self.rollout) || !has(self.rollout.blueGreen)"
                " || !has(self.rollout.blueGreen.previewAnalysis) || self.rollout.blueGreen.previewAnalysis != 'Require'",
                "blueGreen.previewAnalysis: Require needs analysis.metrics",
            ),
            cel(
                "has(self.traffic) && (has(self.traffic.gateway) || has(self.traffic.istio)) || !has(self.rollout) || !has(self.rollout.blueGreen)"
                " || !has(self.rollout.blueGreen.previewHostnames) || size(self.rollout.blueGreen.previewHostnames) == 0",
                "blueGreen.previewHostnames needs traffic.gateway; without one the Service <name>-preview is the preview",
            ),
            cel(
                "!has(self.traffic) || !has(self.traffic.hostnames) || !has(self.rollout) || !has(self.rollout.blueGreen)"
                " || !has(self.rollout.blueGreen.previewHostnames)"
                " || self.rollout.blueGreen.previewHostnames.all(h, !(h in self.traffic.hostnames))",
                "blueGreen.previewHostnames must differ from traffic.hostnames: under those the stable revision answers",
            ),
        )
    )

    model: Model
    """The model to serve."""
    runtime: Name | None = None
    """ModelRuntime (cluster-scoped, owned by the platform team). Default: the one that lists `model.format`. Example: mlserver."""
    server: Server = Server()
    """Overrides for the runtime's server container. Default: none."""
    pod: Pod = Pod()
    """Placement and identity of the pods. Default: none."""
    scaling: Scaling = Scaling()
    """How many replicas serve. Default: one."""
    traffic: Traffic = Traffic()
    """How clients reach the model. Default: only through the Service of the same name."""
    rollout: Rollout = Rollout()
    """How a new revision takes over. Default: switch at once when it is ready."""
    analysis: Analysis | None = None
    """How a candidate is judged on live metrics. Default: readiness only."""
    deletion_policy: DeletionPolicy = DeletionPolicy.DELETE
    """Delete: everything goes with the ModelDeployment. Orphan: what serves stays and goes on serving; a new
    ModelDeployment of the same name takes it over. Default: Delete."""
