"""The leaves of the CRD's spec, and values for each: good ones at and inside the bounds, ones that the schema refuses.

Values come from type, bounds, enum and pattern. What a schema cannot say (that a threshold must be a bucket bound, that
a claim must exist) is in the small tables below, by leaf.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from penstock.api import fields

Object = dict[str, Any]
Path_ = tuple[str, ...]
CRDS = Path(__file__).parents[2] / "crds"
ITEM, VALUE = "[]", "{}"  # an item of a list, a value of a map


@dataclass(frozen=True)
class Leaf:
    """One place in the spec that holds no other."""

    path: Path_
    schema: Object
    required: bool

    @property
    def name(self) -> str:
        """As people write it. Example: rollout.canary.steps[].weight."""
        return ".".join(self.path).replace(f".{ITEM}", ITEM).replace(f".{VALUE}", VALUE)


def leaves(kind: str = "modeldeployments") -> list[Leaf]:
    """All of them, in the CRD's order."""
    crd = yaml.safe_load((CRDS / f"{kind}.yaml").read_text())
    spec = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    return list(_below(spec, (), True))


def _below(schema: Object, path: Path_, required: bool) -> Any:
    if "properties" in schema:
        for key, inner in schema["properties"].items():
            yield from _below(inner, (*path, key), key in schema.get("required", []))
    elif schema.get("type") == "array":
        yield from _below(schema["items"], (*path, ITEM), True)
    elif "additionalProperties" in schema:
        yield from _below(schema["additionalProperties"], (*path, VALUE), True)
    else:
        yield Leaf(path, schema, required)


LABEL63, NAME253 = "a" * 63, ".".join(["b" * 62] * 4)  # 251 characters, as no part may have more than 63
BY_PATTERN: dict[str, list[Any]] = {
    fields.DURATION: ["1s", "90s", "1h30m", "99999h"],
    fields.PERIOD: ["1s", "90s", "1h30m", "99999h"],
    fields.PERCENT: ["1%", "62.5%", "100%"],
    fields.FACTOR: ["1", "2.5", "999.999"],
    fields.DNS_LABEL: ["one", "t-2", LABEL63],
    fields.DNS_NAME: ["one", "two.b", NAME253],
    fields.HOST: ["one.corp", "two.corp", NAME253],
    fields.IMAGE: ["mlserver:2", "registry.corp:5000/a/b:1", "r/m@sha256:" + "0" * 64],
    fields.QUANTITY: ["750m", 1, "2Gi"],
}

# What the schema cannot say: that something must exist (in `grounds`), fit another field, or be one of few words.
METRICS = ["one_total", "two_total|three_total", "n" * 256]
MATCHERS = ['code="500"', 'code=~"5..", method!="GET"']
DURING = ["1h", "10m", "168h"]
FROM, TO = ["2026-11-20", "2026-11-22"], ["2026-12-24", "2026-11-20"]  # it is the 21st
GOOD: dict[str, list[Any]] = {
    "model.version": ["v7", "ü 7", "x" * 63],
    "model.format": ["sklearn", "xgboost"],
    "model.uri": ["oci://registry.corp/one:1", "pvc://claim/two", "pvc://claim", "oci://r/" + "m" * 504],
    "runtime": ["mlserver", "other"],
    "server.args[]": ["--one", "{{model.path}} {{model.name}}", "x" * 1024, ""],
    "server.env[].name": ["ONE", "_2", "X" * 128],
    "server.env[].value": ["", "{{model.version}}", "two\nlines: $(HOME) ü", "x" * 4096],
    "server.configMaps[].name": ["limits", "other"],
    "server.configMaps[].mountPath": ["/etc/one", "/a/" + "b" * 253],
    "server.resources.requests{}": ["250m", 1, "0.5"],
    "server.resources.limits{}": ["750m", 2, "1.5"],
    "server.warmup.request": ["OpenInferenceV2", "OpenAI", "None"],
    "server.warmup.custom.path": ["/one", "/v1/{{model.name}}?a=b", "/" + "x" * 511],
    "server.warmup.custom.body": ["", "[0]", "x" * 8192],
    "server.warmup.custom.contentType": ["text/plain", "text/plain; charset=utf-8"],
    "pod.nodeSelector{}": ["a100", "", "x" * 63],
    "pod.tolerations[].key": ["gpu", "nvidia.com/gpu"],
    "pod.tolerations[].value": ["yes", "x" * 63],
    "pod.drainTimeout": ["1s", "90s", "24h"],
    "scaling.minReplicas": [1, 3, 6],
    "scaling.maxReplicas": [2, 9, 1000],
    "scaling.metrics[].name": ["ownOne", "ownTwo"],
    "scaling.metrics[].target": ["2%", "62.5%"],
    "scaling.metrics[].threshold": ["100ms", "500ms"],
    "scaling.metrics[].ratio.by": [],
    "scaling.metrics[].value.query": ["tokens", 'sum(tokens{revision="{{revision}}"})', "x" * 1024],
    "scaling.objective.slowRate.threshold": ["100ms", "500ms"],
    "scaling.objective.slowRate.max": ["0.5%", "5%", "100%"],
    "scaling.schedules[].minReplicas": [1, 4, 6],
    "scaling.schedules[].maxReplicas": [6, 9, 1000],
    "scaling.schedules[].duration": DURING,
    "scaling.schedules[].from": FROM,
    "scaling.schedules[].to": TO,
    "scaling.schedules[].start": ["12:00", "18:30", "23:59"],
    "scaling.schedules[].timeZone": ["UTC", "Europe/Berlin", "Asia/Kolkata"],
    "scaling.scaleToZero.idleFor": ["1m", "5m", "99999h"],
    "scaling.predictive.lead": ["1s", "90s", "1h"],
    "scaling.predictive.quantile": ["1%", "62.5%", "100%"],
    "scaling.budget.perHour": ["8.5", "12.50", "999999999.999999"],
    "scaling.fallback.replicas": [1, 4, 6],
    "traffic.route.name": ["churn-route"],
    "traffic.route.rules[]": ["main", "old"],
    "traffic.istio.gateways[]": ["istio-ingress/models", "other"],
    "traffic.path": ["/one", "/v2/models/churn", "/" + "x" * 511],
    "traffic.sticky.cookie": ["variant", "x_1", "c" * 128],
    "traffic.previewHeader": ["x-revision", "x-other"],
    "traffic.policy.timeout": ["0s", "30s", "250ms", "99999h"],
    "traffic.policy.retries.codes[]": [500, 503, 599],
    "traffic.policy.rateLimit.header": ["x-client", "x" * 64],
    "traffic.policy.maxBody": ["1", "512Ki", "999999999Mi"],
    "traffic.policy.apiKey.header": ["x-key", "x" * 64],
    "traffic.policy.apiKey.clientHeader": ["x-client", "y" * 64],
    "traffic.policy.jwt.provider": ["corp", "other"],
    "traffic.policy.jwt.issuer": ["https://login.corp", "!" * 253],
    "traffic.policy.jwt.audiences[]": ["churn", "x" * 256],
    "traffic.policy.jwt.claimHeaders[].claim": ["sub", "realm.team"],
    "traffic.policy.jwt.claimHeaders[].header": ["x-user", "x" * 64],
    "traffic.policy.clients[].podLabels{}": ["shop", "", "x" * 63],
    "traffic.payloadLog.sink": ["lake", "other"],
    "rollout.shadow.approval.groups[]": ["ml-leads", "x" * 256],
    "rollout.abTest.match[].header": ["x-cohort", "x-two"],
    "rollout.abTest.match[].cookie": ["cohort", "two"],
    "rollout.abTest.match[].query": ["variant", "two"],
    "rollout.abTest.match[].value": ["beta", "v.2", "x" * 128],
    "rollout.abTest.approval.groups[]": ["ml-leads", "x" * 256],
    "rollout.canary.steps[].approval.groups[]": ["ml-leads", "x" * 256],
    "rollout.blueGreen.approval.groups[]": ["ml-leads", "x" * 256],
    "rollout.canary.steps[].weight": [1, 5, 40],
    "rollout.canary.steps[].capacity": ["50%", "62.5%", "100%"],
    "rollout.freeze[].duration": DURING,
    "rollout.freeze[].from": FROM,
    "rollout.freeze[].to": TO,
    "rollout.freeze[].start": ["12:00", "12:10", "23:59"],
    "rollout.freeze[].timeZone": ["UTC", "Europe/Berlin", "Asia/Kolkata"],
    "analysis.source": ["default", "other"],
    "analysis.alpha": ["1%", "5%", "49.999%"],
    "analysis.metrics[].name": ["ownOne", "ownTwo"],
    "analysis.metrics[].source": ["default", "other"],
    "analysis.metrics[].ratio.by": ["age_group", "x" * 63],
    "analysis.metrics[].value.query": ["accuracy", 'min(accuracy{revision="{{revision}}"})', "x" * 1024],
    "analysis.metrics[].max": ["0%", "2%", "99.999%", "100%"],
    "analysis.metrics[].min": ["0.1", "0.92", "-999999999.999999999"],
    "analysis.metrics[].threshold": ["100ms", "500ms"],
    "analysis.metrics[].noDataFor": ["1s", "90s", "99999h"],
}
GOOD |= {
    f"{place}.{part}.{key}": values
    for place in ("scaling.metrics[].ratio", "analysis.metrics[].ratio", "analysis.metrics[].shift")
    for part in ("bad", "good", "total", "histogram")
    for key, values in (("name", METRICS), ("where", MATCHERS))
}
GOOD["analysis.metrics[].shift.histogram.name"] = ["one", "n" * 256]
for _source in ("scaling.metrics[].source", "scaling.objective.source"):
    GOOD[_source] = ["default", "other"]

# A rule across fields holds them where they are walked. Whether it does, a test asks the API server.
HELD = frozenset(
    {
        "pod.tolerations[].key",
        "scaling.maxReplicas",
        "scaling.metrics[].threshold",
        "scaling.schedules[].start",
        "scaling.schedules[].duration",
        "scaling.schedules[].from",
        "scaling.schedules[].to",
        "traffic.policy.jwt.provider",
        "traffic.policy.jwt.issuer",
        "rollout.shadow.approval.maxAge",
        "rollout.abTest.match[].header",
        "rollout.abTest.match[].cookie",
        "rollout.abTest.match[].query",
        "rollout.abTest.approval.maxAge",
        "rollout.canary.steps[].approval.maxAge",
        "rollout.blueGreen.approval.maxAge",
        "rollout.freeze[].start",
        "rollout.freeze[].duration",
        "rollout.freeze[].from",
        "rollout.freeze[].to",
        "analysis.metrics[].ratio.by",
        "analysis.metrics[].max",
        "analysis.metrics[].compare",
        "analysis.metrics[].maxDisparity",
        "analysis.metrics[].threshold",
    }
)
# Leaves that cannot be walked, and why.
UNWALKED = {
    "scaling.metrics[].ratio.by": "the API server refuses every value: an autoscaler follows one number, not groups",
    "analysis.metrics[].compare": "has one value, Stable, and stands where max does not: no other to go to",
}


def can_go(leaf: Leaf) -> bool:
    """Whether it may be taken away where it stands."""
    return not leaf.required and leaf.name not in HELD


def good(leaf: Leaf) -> list[Any]:
    """Values that the API server takes; the first two lie inside the bounds, then come the bounds."""
    if leaf.name in GOOD:
        return GOOD[leaf.name]
    schema = leaf.schema
    if "enum" in schema:
        return list(schema["enum"])
    if schema["type"] == "boolean":
        return [True, False]
    if schema["type"] == "integer":
        least, most = schema["minimum"], schema["maximum"]
        return list(dict.fromkeys((least + 1, (least + most) // 2, least, most)))
    return BY_PATTERN[schema["pattern"]]


def bad(leaf: Leaf) -> list[Any]:
    """Values that the schema alone refuses: of another type, out of bounds, in other words, too long."""
    schema = leaf.schema
    if schema.get("x-kubernetes-int-or-string"):
        return ["many!", True]
    if "enum" in schema:
        return [schema["enum"][0].upper() + "!", 7]
    if schema["type"] == "boolean":
        return ["yes", 2]
    if schema["type"] == "integer":
        return [schema["minimum"] - 1, schema["maximum"] + 1, "7"]
    return [7, "x" * (schema["maxLength"] + 1), *(["no such! "] if "pattern" in schema else [])]
