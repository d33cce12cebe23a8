"""What somebody ran before Penstock came: a Deployment and a Service, and whoever is answered by them."""

from typing import Any

from tests.sim.machine import Object, Sim, model

LABEL = {"penstock.dev/name": "churn"}
OLD = {"app": "churn", "tier": "web"}


def deployment(name: str = "old", replicas: int = 3, labels: dict[str, str] | None = None) -> Object:
    """Somebody's Deployment."""
    pods = {"metadata": {"labels": OLD}, "spec": {"containers": [{"name": "server", "image": "theirs:1"}]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": OLD}, "template": pods}
    meta = {"name": name, "namespace": "ml", "labels": labels or {}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": spec}


def service(labels: dict[str, str] | None = None, name: str = "churn", **spec: Any) -> Object:
    """Somebody's Service, on a port of its own."""
    meta = {"name": name, "namespace": "ml", "labels": labels or {}, "annotations": {"team": "risk"}}
    body = {"selector": OLD, "ports": [{"port": 8080, "targetPort": 5000, "protocol": "TCP"}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": body | {"clusterIP": "10.0.0.7"} | spec}


def autoscaler(target: str, name: str = "theirs", labels: dict[str, str] | None = None) -> Object:
    """Somebody's autoscaler."""
    meta = {"name": name, "namespace": "ml", "labels": labels or {}}
    spec = {"maxReplicas": 9, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": target}}
    return {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": meta, "spec": spec}


def plain(version: str, **spec: Any) -> Object:
    """A ModelDeployment without a gateway, and of the size that is there."""
    wish = model(version, **({"scaling": {"minReplicas": 3}} | spec))
    del wish["spec"]["traffic"], wish["spec"]["analysis"]
    wish["spec"]["rollout"] = {"deadline": "3m", "scaleDownDelay": "20s"}
    return wish


def behind(sim: Sim) -> int:
    """Ready pods in the endpoints of the Service `churn`."""
    front = sim.store.get("Service", "ml", "churn")
    selector = front["spec"]["selector"] if front else {}
    found = 0
    for live in sim.store.list("Deployment"):
        labels = live["spec"]["template"]["metadata"]["labels"]
        if selector and selector.items() <= labels.items():
            found += live.get("status", {}).get("readyReplicas", 0)
    return found


def watched(sim: Sim, fewest: int) -> list[int]:
    """From now on, after every write: never fewer ready pods behind the Service than these. Returns what was seen."""
    seen: list[int] = []

    def look(change: str, live: Object) -> None:
        if live["kind"] in ("Service", "Deployment"):
            seen.append(behind(sim))
            assert seen[-1] >= fewest, (change, live["kind"], live["metadata"]["name"], seen[-5:])

    sim.store.subscribe(look)
    return seen


async def running(sim: Sim, labels: dict[str, str] | None = None, replicas: int = 3, name: str = "old") -> None:
    """Their Deployment and Service, up and answering."""
    sim.store.apply(deployment(name, replicas, labels), "helm")
    sim.store.apply(service(labels), "helm")
    await sim.run(10)
    assert behind(sim) == replicas


def give(sim: Sim, kind: str, name: str) -> None:
    """`kubectl label KIND NAME penstock.dev/name=churn`."""
    sim.store.edit((kind, "ml", name), lambda live: live["metadata"].setdefault("labels", {}).update(LABEL), "kubectl")


def names(sim: Sim, kind: str) -> list[str]:
    """Names of all objects of a kind."""
    return [live["metadata"]["name"] for live in sim.store.list(kind)]


def delete(sim: Sim) -> None:
    """`kubectl delete mdep churn`."""
    sim.store.delete("ModelDeployment", "ml", "churn")
