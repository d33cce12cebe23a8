"""What a user writes in a ModelDeployment. The description of each field is the manual that `kubectl explain` prints.

Shapes and cross-field rules only. A field is listed here when it acts, not before. The API server evaluates every rule
at each write of a status too, and an access to a field costs it by how many fields the object has: a rule asks first
for what is seldom there, and once for each field.
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
CARRIED = " || ".join(f"self.?traffic.?{name}.hasValue()" for name in CARRIERS)
PREVIEW = "self.?rollout.?blueGreen.?previewAnalysis.orValue('Ignore')"
PREVIEWED = "self.?rollout.?blueGreen.?previewHostnames"


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
                    f"has(self.analysis) || !self.?rollout.?{kind}.hasValue()",
                    f"rollout.{kind} needs analysis.metrics: a {word} that nothing judges is only a timer;"
                    " for example analysis: {metrics: [{name: errorRate, compare: Stable}]}",
                )
                for kind, word in JUDGED.items()
            ),
            *(
                cel(
                    f"!self.?rollout.?{kind}.hasValue() || {CARRIED}",
                    f"rollout.{kind} needs traffic.gateway: a plain Service cannot {what}",
                )
                for kind, what in ROUTED.items()
            ),
            *(
                cel(
                    f"!self.?rollout.?{kind}.hasValue() || !self.?traffic.?route.hasValue()",
                    f"rollout.{kind} needs a route that Penstock makes, as traffic.gateway does: in your own route it"
                    " changes weights only",
                )
                for kind in ("shadow", "abTest")
            ),
            cel(
                "self.?traffic.?protocol.orValue('HTTP') != 'GRPC' || !self.?rollout.?abTest.hasValue()"
                " || self.rollout.abTest.match.all(m, has(m.header))",
                "abTest.match with protocol: GRPC needs a header: gRPC clients keep no cookies, and gRPC has no query",
            ),
            cel(
                "!self.?traffic.?sticky.hasValue()"
                " || self.?rollout.?canary.hasValue() && self.rollout.canary.steps.size() <= 15",
                "traffic.sticky needs rollout.canary with at most 15 steps: only weighted steps split users, and a gateway"
                " tells no more than 16 shares apart",
            ),
            cel(
                "self.?deletionPolicy.orValue('Delete') != 'Orphan' || self.?scaling.?minReplicas.orValue(1) > 0",
                "scaling.minReplicas: 0 and deletionPolicy: Orphan exclude each other: who would wake the model when its"
                " ModelDeployment is gone? Set minReplicas: 1",
            ),
            cel(
                "self.?rollout.?capacityPolicy.orValue('Surge') != 'Replace' || !self.?scaling.?maxReplicas.hasValue()",
                "capacityPolicy: Replace needs a fixed number of replicas, as an autoscaler would take the room again:"
                " leave scaling.maxReplicas out",
            ),
            cel(
                "!has(self.analysis) || self.?rollout.?canary.hasValue() || self.?rollout.?shadow.hasValue()"
                " || self.?rollout.?abTest.hasValue() || self.?rollout.?bake.hasValue()"
                f" || {PREVIEW} == 'Require'",
                "analysis needs rollout.canary, shadow, abTest, bake, or blueGreen.previewAnalysis: Require;"
                " without steps nothing would be judged",
            ),
            cel(
                "!self.?rollout.?bake.hasValue() || !has(self.analysis) || self.analysis.metrics.exists(m, has(m.max))",
                "rollout.bake needs a metric with max: after 100% the old revision gets no requests to compare with;"
                " for example {name: errorRate, max: 1%}",
            ),
            cel(
                f"has(self.analysis) || {PREVIEW} != 'Require'",
                "blueGreen.previewAnalysis: Require needs analysis.metrics",
            ),
            cel(
                f"{PREVIEWED}.orValue([]).size() == 0 || self.?traffic.?gateway.hasValue() || self.?traffic.?istio.hasValue()",
                "blueGreen.previewHostnames needs traffic.gateway; without one the Service <name>-preview is the preview",
            ),
            cel(
                f"!{PREVIEWED}.hasValue() || !self.?traffic.?hostnames.hasValue()"
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
