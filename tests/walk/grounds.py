"""Wishes to start from: every leaf stands in one of them, or in something that one of them has.

Each is as small as it can be and accepted by the API server as it is, so that a walk changes one thing at a time.
"""

from typing import Any

from tests.walk.leaves import ITEM, VALUE, Leaf, Path_

Object = dict[str, Any]

MODEL: Object = {"version": "v1", "format": "sklearn"}
QUICK: Object = {"deadline": "1m", "scaleDownDelay": "5s"}
GATEWAY: Object = {"gateway": {"name": "models", "namespace": "edge", "sectionName": "web"}}
NAMED: Object = GATEWAY | {"hostnames": ["churn.corp"], "path": "/churn"}
COUNTERS: Object = {"bad": {"name": "bad_total", "where": 'a="b"'}, "total": {"name": "all_total", "where": 'a="b"'}}
GOODS: Object = {"good": {"name": "good_total", "where": 'a="b"'}, "total": {"name": "all_total"}}
ERRORS: Object = {"name": "errorRate", "max": "2%"}
STEPS: list[Object] = [{"weight": 5, "duration": "10s"}, {"weight": 50, "duration": "10s"}]
APPROVAL: Object = {"groups": ["team"], "minApprovals": 2, "maxAge": "20s", "onTimeout": "Promote"}
EACH_WEEK: Object = {"days": ["Saturday"], "start": "12:00", "duration": "2h", "timeZone": "UTC"}
WHOLE_DAYS: Object = {"from": "2026-11-20", "to": "2026-11-22", "timeZone": "UTC"}
RULES: Object = {
    "stabilizationWindowSeconds": 60,
    "selectPolicy": "Min",
    "policies": [
        {"type": "Pods", "value": 4, "periodSeconds": 60},
        {"type": "Percent", "value": 50, "periodSeconds": 60},
    ],
}
LIVE: Object = {"minReplicas": 2, "maxReplicas": 6, "metrics": [{"name": "requestsPerSecond", "target": 50}]}


def _spec(**more: Any) -> Object:
    return {"model": MODEL, "scaling": {"minReplicas": 2}, "rollout": QUICK} | more


def _scaled(**more: Any) -> Object:
    return _spec(scaling=LIVE | more)


def _own(metric: Object) -> Object:
    return _scaled(metrics=[{"name": "own", **metric}])


def _guarded(**policy: Any) -> Object:
    return _spec(traffic=NAMED | {"policy": policy})


def _tried(traffic: Object | None = None, **rollout: Any) -> Object:
    return _spec(
        traffic=GATEWAY if traffic is None else traffic,
        rollout=QUICK | rollout,
        analysis={"interval": "5s", "minRequests": 20, "metrics": [ERRORS]},
    )


def _judged(*metrics: Object, **analysis: Any) -> Object:
    made = {"interval": "5s", "minRequests": 20, "metrics": [*metrics]} | analysis
    return _spec(traffic=GATEWAY, rollout=QUICK | {"canary": {"steps": STEPS}}, analysis=made)


SERVER: Object = {
    "image": "mlserver:1",
    "args": ["--a", "--b"],
    "env": [{"name": "A", "value": "b"}],
    "resources": {"requests": {"cpu": "500m"}, "limits": {"cpu": "2"}},
}
POD: Object = {
    "nodeSelector": {"gpu": "t4"},
    "tolerations": [{"key": "gpu", "operator": "Equal", "value": "t4", "effect": "NoSchedule"}],
    "serviceAccountName": "own",
    "imagePullSecrets": [{"name": "login"}],
    "priorityClassName": "high",
    "drainTimeout": "30s",
}
CUSTOM: Object = {"path": "/predict", "method": "POST", "body": "[]", "contentType": "application/json", "status": 200}
JWT: Object = {"provider": "corp", "audiences": ["churn"], "claimHeaders": [{"claim": "sub", "header": "x-sub"}]}

GROUNDS: dict[str, Object] = {
    "pods": _spec(runtime="mlserver", server=SERVER, pod=POD, model=MODEL | {"uri": "oci://r/churn:1"}),
    "tolerant": _spec(pod={"tolerations": [{"key": "gpu", "operator": "Exists"}]}),
    "config": _spec(server={"configMaps": [{"name": "limits", "mountPath": "/etc/churn"}]}),
    "warmed": _spec(server={"warmup": {"request": "OpenAI", "count": 2, "timeoutSeconds": 5}}),
    "custom": _spec(server={"warmup": {"request": "Custom", "custom": CUSTOM}}),
    "scaled": _scaled(
        behavior={"scaleUp": RULES, "scaleDown": RULES},
        fallback={"replicas": 3, "after": "1m"},
        predictive={"season": "Day", "history": 2, "quantile": "90%", "lead": "10m"},
        budget={"perHour": "50", "onExceed": "Refuse"},
    ),
    "bounded": _scaled(),
    "dear": _scaled(budget={"perHour": "1", "onExceed": "Warn"}),
    "paced": _scaled(behavior={way: {"selectPolicy": "Min"} for way in ("scaleUp", "scaleDown")}),
    "weekly": _scaled(schedules=[EACH_WEEK | {"minReplicas": 3, "maxReplicas": 8}]),
    "dated": _scaled(schedules=[WHOLE_DAYS | {"minReplicas": 3, "maxReplicas": 8}]),
    "counted": _own({"target": "5%", "ratio": COUNTERS, "source": "default"}),
    "counted-good": _own({"target": "5%", "ratio": GOODS}),
    "valued": _own({"target": 50, "value": {"query": "tokens"}}),
    "slow": _scaled(metrics=[{"name": "slowRate", "target": "5%", "threshold": "100ms"}]),
    "objective": _spec(
        scaling={
            "minReplicas": 2,
            "maxReplicas": 6,
            "objective": {"slowRate": {"threshold": "100ms", "max": "1%"}, "source": "default"},
        }
    ),
    "sleeper": _scaled(minReplicas=0, scaleToZero={"idleFor": "2m", "maxWaiting": 5, "waitTimeout": "1m"}),
    "gateway": _spec(
        traffic=NAMED | {"previewHeader": "x-a", "payloadLog": {"sink": "lake", "percent": 5}, "protocol": "HTTP"}
    ),
    "grpc": _spec(traffic=GATEWAY | {"protocol": "GRPC", "hostnames": ["churn.corp"]}),
    "route": _spec(traffic={"route": {"name": "churn-route", "rules": ["main"]}}),
    "istio": _spec(traffic={"istio": {"gateways": ["models"]}, "hostnames": ["churn.corp"], "path": "/churn"}),
    "sticky": _tried(GATEWAY | {"sticky": {"cookie": "a", "maxAge": "8h"}}, canary={"steps": STEPS}),
    "policed": _guarded(
        timeout="20s",
        retries={"attempts": 2, "codes": [502, 504]},
        rateLimit={"requests": 10, "per": "Minute", "header": "x-a"},
        maxBody="1Mi",
        clients=[{"namespace": "shop", "podLabels": {"app": "shop"}}],
    ),
    "keyed": _guarded(apiKey={"secret": {"name": "keys"}, "header": "x-a", "clientHeader": "x-b"}),
    "provided": _guarded(jwt=JWT),
    "issued": _guarded(jwt={"issuer": "https://a", "keys": {"name": "jwks"}}),
    "certified": _guarded(tls={"secret": {"name": "churn-tls"}}),
    "signed": _guarded(tls={"issuer": {"name": "ca", "kind": "ClusterIssuer"}}),
    "pods-only": _tried({"onShareUnreachable": "Nearest"}, canary={"steps": STEPS}),
    "shadow": _tried(shadow={"percent": 50, "duration": "10s", "approval": APPROVAL}),
    "cohort": _tried(
        abTest={
            "match": [{"header": "x-a", "value": "b"}],
            "duration": "10s",
            "capacity": "50%",
            "approval": APPROVAL,
        }
    ),
    "cohort-cookie": _tried(abTest={"match": [{"cookie": "x-a", "value": "b"}], "duration": "10s"}),
    "cohort-query": _tried(abTest={"match": [{"query": "x-a", "value": "b"}], "duration": "10s"}),
    "canary": _tried(canary={"steps": [STEPS[0] | {"capacity": "50%", "approval": APPROVAL}, STEPS[1]]}),
    "blue-green": _tried(
        NAMED,
        blueGreen={
            "duration": "10s",
            "approval": APPROVAL,
            "previewHostnames": ["next.corp"],
            "previewAnalysis": "Require",
        },
    ),
    "preview": _tried(blueGreen={"previewAnalysis": "Ignore"}, bake={"duration": "10s"}),
    "bake": _tried(bake={"duration": "1m", "onBreach": "Rollback"}, canary={"steps": STEPS}, rollbackWindow="10m"),
    "capacity": _spec(rollout=QUICK | {"capacityPolicy": "Replace"}),
    "frozen-weekly": _tried(canary={"steps": STEPS}, freeze=[EACH_WEEK]),
    "frozen-days": _tried(canary={"steps": STEPS}, freeze=[WHOLE_DAYS]),
    "judged": _judged(ERRORS | {"errorBudget": "1m", "source": "default"}, warmup="5s", alpha="5%", source="default"),
    "silent": _judged(ERRORS | {"noData": "Fail", "noDataFor": "10s"}),
    "quiet": _judged(ERRORS | {"noData": "Fail"}) | {"rollout": {"canary": {"steps": STEPS}, "deadline": "8m"}},
    "compared": _judged({"name": "errorRate", "compare": "Stable", "tolerance": "2"}),
    "slow-judged": _judged({"name": "slowRate", "threshold": "100ms", "max": "1%"}),
    "ratio": _judged({"name": "own", "ratio": COUNTERS, "max": "5%"}),
    "ratio-good": _judged({"name": "own", "ratio": GOODS, "max": "5%"}),
    "groups": _judged({"name": "own", "ratio": COUNTERS | {"by": "group"}, "maxDisparity": "1.5"}),
    "value": _judged(
        {"name": "own", "value": {"query": "accuracy"}, "min": "0.8", "max": "1", "failureBudget": 1, "minSamples": 2}
    ),
    "shift": _judged({"name": "own", "shift": {"histogram": {"name": "scores", "where": 'a="b"'}}, "max": "0.2"}),
    "dry": _judged(ERRORS, {"name": "slowRate", "threshold": "100ms", "max": "1%", "dryRun": True}),
    "orphan": _spec(deletionPolicy="Orphan"),
}

# Where the first ground that has the leaf is not the one in which it can change freely.
OF: dict[str, str] = {
    "model.uri": "pods",
    "runtime": "pods",
    "server.warmup.request": "warmed",
    "server.warmup.count": "custom",
    "scaling.minReplicas": "bounded",
    "scaling.maxReplicas": "bounded",
    "analysis.source": "silent",
    "scaling.metrics[].name": "counted",
    "scaling.metrics[].target": "counted",
    "scaling.behavior.scaleUp.selectPolicy": "paced",
    "scaling.behavior.scaleDown.selectPolicy": "paced",
    "pod.tolerations[].operator": "tolerant",
    "traffic.hostnames[]": "gateway",
    "traffic.protocol": "grpc",
    "analysis.metrics[].name": "ratio",
    "analysis.metrics[].dryRun": "dry",
    "analysis.metrics[].max": "judged",
    "analysis.metrics[].noData": "quiet",
    "rollout.blueGreen.previewAnalysis": "preview",
    "rollout.canary.steps[].weight": "pods-only",
    "rollout.canary.steps[].duration": "canary",
    "analysis.interval": "judged",
    "analysis.minRequests": "judged",
}
TRIED: dict[str, str] = {  # where it acts, if that is not where it is walked
    "scaling.budget.onExceed": "dear",  # what serves already goes on, so no path may lead there
    "model.format": "bounded",
    "runtime": "bounded",
}
WHICH: dict[str, int] = {"analysis.metrics[].dryRun": 1}  # the item of the last list, where it is not the first


def ground_of(leaf: Leaf) -> str:
    """Name of the ground in which a leaf is walked: where it stands, or else where what holds it does."""
    if leaf.name in OF:
        return OF[leaf.name]
    for path in (leaf.path, leaf.path[:-1]):
        for name, spec in GROUNDS.items():
            if _found(spec, path):
                return name
    raise LookupError(f"no ground has a place for {leaf.name}")


def _found(spec: Any, path: Path_) -> bool:
    for key in path:
        if key in (ITEM, VALUE):
            if not spec:
                return False
            spec = spec[0] if key == ITEM else next(iter(spec.values()))
        elif not isinstance(spec, dict) or key not in spec:
            return False
        else:
            spec = spec[key]
    return True


UNSET = object()


def planted(spec: Object, leaf: Leaf, value: Any) -> Object:
    """The same wish with another value at a leaf; `UNSET` takes it away."""
    made: Object = _planted(spec, leaf.path, value, WHICH.get(leaf.name, 0))
    return made


def _planted(at: Any, path: Path_, value: Any, which: int) -> Any:
    if not path:
        return value
    key, rest = path[0], path[1:]
    if key == ITEM:
        which = min(which, len(at) - 1) if at else 0
        inner = _planted(at[which] if at else None, rest, value, which)
        return [*at[:which], inner, *at[which + 1 :]] if at else [inner]
    place: Object = dict(at or {})
    name = next(iter(place), "any") if key == VALUE else key
    if not rest and value is UNSET:
        place.pop(name, None)
        return place
    place[name] = _planted(place.get(name), rest, value, which)
    return place
