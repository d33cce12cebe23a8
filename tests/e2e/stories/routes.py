"""Stories of the other routers: a route that its user owns."""

import json
from typing import Any

from tests.e2e.stories.canaries import CANARY, HELD
from tests.e2e.stories.crowd import share, versions
from tests.e2e.stories.scene import NAMESPACE, Object, Scene


async def own_route(scene: Scene) -> None:
    """A rule of the user's own HTTPRoute carries the shares; nobody notices, and nothing else of the route changes."""
    name = f"{scene.name}-route"
    wish: dict[str, Any] = {"traffic": {"route": {"name": name, "rules": ["main"]}}}
    await scene.create(users_route(scene, name))
    await scene.apply("v1", CANARY, **wish)
    await scene.until(lambda s: s.ready.get("reason") == "Conflict")
    assert f"kubectl label httproute {name}" in scene.ready["message"], scene.ready
    await scene.kubectl("label", "httproute", name, f"penstock.dev/name={scene.name}")
    await scene.settled("v1")
    crowd = scene.crowd()
    await scene.apply("v2", CANARY, **wish)
    await scene.step(1)
    labelled = next(s for s in scene.sights("HTTPRoute", name) if "labels" in s.seen["metadata"])
    since = len(crowd.answers)
    await scene.until(lambda s: s.candidate.get("step") == 2 or s.status["stable"]["version"] == "v2")
    mixed = crowd.answers[since:]
    await scene.settled("v2")
    assert 30 < share(mixed, "v2") < 90, versions(mixed)
    # another one, taken back in its middle while somebody edits another rule of the same route
    await scene.apply("v1", HELD, server={"env": [{"name": "STORY", "value": "held"}]}, **wish)
    await scene.step(1, "v1")
    patch = [{"op": "replace", "path": "/spec/rules/0/matches/0/path/value", "value": "/manuals"}]
    await scene.kubectl("patch", "httproute", name, "--type=json", "-p", json.dumps(patch))
    await scene.apply("v2", HELD, **wish)
    await scene.settled("v2")
    sights = [s.seen for s in scene.sights("HTTPRoute", name) if s.at >= labelled.at]
    kinds = {json.dumps(theirs(seen)) for seen in sights}
    assert kinds == {json.dumps(theirs(labelled.seen)), json.dumps(theirs(labelled.seen, "/manuals"))}, kinds
    scene.no_failure()
    weights = [refs(seen) for seen in sights]
    scene.note(changes_of_the_route=len(sights), shares=len({json.dumps(each) for each in weights}))
    await scene.until(lambda s: "leaving" not in s.status)
    before = await scene.kubectl("get", "httproute", name, "-o", "jsonpath={.metadata.uid}{.spec}")
    await scene.quiet()
    await scene.kubectl("delete", "modeldeployment", scene.name)
    assert before == await scene.kubectl("get", "httproute", name, "-o", "jsonpath={.metadata.uid}{.spec}")
    await scene.kubectl("delete", "httproute", name)


def users_route(scene: Scene, name: str) -> Object:
    """As somebody keeps it in Git, not handed over yet."""
    header = {
        "type": "ResponseHeaderModifier",
        "responseHeaderModifier": {"set": [{"name": "x-team", "value": "risk"}]},
    }
    docs = {"matches": [{"path": {"type": "PathPrefix", "value": "/docs"}}]}
    main = {
        "name": "main",
        "matches": [{"path": {"type": "PathPrefix", "value": "/v2"}}],
        "filters": [header],
        "backendRefs": [{"name": scene.name, "port": 80}],
        "timeouts": {"request": "7s"},
    }
    meta = {"name": name, "namespace": NAMESPACE, "annotations": {"team": "risk"}}
    spec = {"parentRefs": [{"name": "models"}], "hostnames": [scene.host], "rules": [docs, main]}
    return {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": meta, "spec": spec}


def refs(route: Object) -> list[Object]:
    """The backends of the named rule."""
    return next(list(rule["backendRefs"]) for rule in route["spec"]["rules"] if rule.get("name") == "main")


def theirs(route: Object, docs: str = "") -> Object:
    """Every byte of the route but the named rule's backends and what the API server counts; `docs`: as edited."""
    kept: Object = json.loads(json.dumps({key: value for key, value in route.items() if key != "status"}))
    for key in ("resourceVersion", "generation", "managedFields"):
        kept["metadata"].pop(key, None)
    for rule in kept["spec"]["rules"]:
        if rule.get("name") == "main":
            del rule["backendRefs"]
    if docs:
        kept["spec"]["rules"][0]["matches"][0]["path"]["value"] = docs
    return kept
