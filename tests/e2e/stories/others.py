"""Stories of the other strategies: blue-green, shadow, A/B test, plain; and of coming and going."""

import asyncio
import json
import time
from collections import Counter
from typing import Any

from examples.demo.records import Answer
from penstock.model.schedule import read
from tests.e2e.stories.crowd import Crowd, versions
from tests.e2e.stories.scene import NAMESPACE, Scene


async def blue_green(scene: Scene) -> None:
    """The candidate answers under its preview host only, until somebody approves the switch."""
    preview = f"preview.{scene.host}"
    wish: dict[str, Any] = {"blueGreen": {"previewHostnames": [preview], "approval": {"minApprovals": 1}}}
    await scene.apply("v1", wish, analysis=None)
    await scene.settled("v1")
    main = scene.crowd()
    await scene.apply("v2", wish, analysis=None)
    await scene.until(lambda s: s.ready.get("reason") == "WaitingForApproval")
    await scene.until(
        lambda s: any("/v2" in json.dumps(x.seen) for x in s.sights("Deployment", s.candidate["revision"]))
    )
    looking = scene.crowd(host=preview, rate=5.0)
    await scene.until(lambda s: len(looking.answers) > 10)
    assert set(versions(main.answers)) == {"v1"}
    assert set(versions(looking.answers[2:])) == {"v2"}, versions(looking.answers)
    await scene.annotate("alice", approve=scene.candidate["revision"])
    await scene.settled("v2")
    await scene.until(lambda s: s.crowds[0].answers[-1].version == "v2")
    scene.no_failure()


async def blue_green_by_service(scene: Scene) -> None:
    """Without a gateway the Service is switched, after the preview Service showed the candidate."""
    wish: dict[str, Any] = {"blueGreen": {"duration": "3s"}, "bake": {"duration": "5s"}}
    await scene.apply("v1", wish, traffic=None, analysis=None)
    await scene.settled("v1")
    scene.send(Crowd(await inside(scene), scene.house.rows, lasting=False))
    await scene.apply("v2", wish, traffic=None, analysis=None)
    await scene.until(lambda s: s.ready.get("reason") == "Baking")
    assert scene.status["stable"]["version"] == "v1"
    await scene.settled("v2")
    await scene.until(lambda s: s.answers()[-1].version == "v2")
    assert set(versions(scene.answers())) == {"v1", "v2"}
    scene.no_failure()


async def inside(scene: Scene, port: int = 80) -> str:
    """Where the Service answers, for whoever is on the node."""
    address = await scene.kubectl("get", "service", scene.name, "-o", "jsonpath={.spec.clusterIP}")
    return f"http://{address}:{port}/v2/models/{scene.name}/infer"


async def shadow(scene: Scene) -> None:
    """Copies only: the candidate counts requests, no client ever sees its answer; then a switch."""
    wish = {"shadow": {"percent": 50, "duration": "5s"}}
    await scene.apply("v1", wish)
    await scene.settled("v1")
    crowd = scene.crowd()
    await scene.until(lambda _: len(crowd.answers) >= 200)
    alone = len(crowd.answers)
    await scene.apply("v2", wish)
    await scene.step(0)
    begin = time.time()
    await scene.until(lambda s: s.candidate.get("step") == 1 or s.status["stable"]["version"] == "v2")
    while_copied = [a for a in crowd.answers if a.sent > begin]
    scene.note(p99_ms_alone=_p99(crowd.answers[:alone]), p99_ms_while_copied=_p99(while_copied))
    copied = max(
        sum(e["candidate"]["total"] for e in (x.seen["status"].get("candidate") or {}).get("evidence", []))
        for x in scene.sights("ModelDeployment")
        if "status" in x.seen
    )
    assert copied > 15
    entered = next(s.at for s in scene.sights("ModelDeployment") if _step(s.seen) == 1 or _stable(s.seen) == "v2")
    assert set(versions(a for a in scene.answers() if a.sent < entered - 0.5)) == {"v1"}
    await scene.settled("v2")
    scene.no_failure()


def _p99(answers: list[Answer]) -> int:
    """Milliseconds that all but one in a hundred answers came within."""
    return round(1000 * sorted(a.seconds for a in answers)[max(0, len(answers) * 99 // 100 - 1)])


async def shadow_bad(scene: Scene) -> None:
    """A bad version is found out by copies: not one client sees a failure."""
    wish = {"shadow": {"percent": 100, "duration": "5s"}}
    await scene.apply("v1", wish)
    await scene.settled("v1")
    scene.crowd()
    await scene.apply("v3", wish)
    await scene.rejected("ErrorRateAbove")
    assert set(versions(scene.answers())) == {"v1"}
    scene.no_failure()


def _step(live: dict[str, Any]) -> int:
    return int((live.get("status", {}).get("candidate") or {}).get("step", 0))


def _stable(live: dict[str, Any]) -> str:
    return str((live.get("status", {}).get("stable") or {}).get("version", ""))


async def _cohort(scene: Scene, match: dict[str, str], headers: dict[str, str]) -> None:
    wish = {"abTest": {"match": [match], "duration": "5s"}}
    await scene.apply("v1", wish)
    await scene.settled("v1")
    others, cohort = scene.crowd(rate=10.0), scene.crowd(headers=headers, rate=10.0)
    await scene.apply("v2", wish)
    await scene.step(0)
    begin = time.time()
    await scene.until(lambda s: any(_step(x.seen) == 1 for x in s.sights("ModelDeployment")))
    last = next(x.seen for x in scene.sights("ModelDeployment") if _step(x.seen) == 1)
    ended = read(last["status"]["candidate"]["stepStartedAt"]).timestamp()  # however late the watch tells of it
    seen = [versions(a for a in c.answers if begin + 0.5 < a.sent < ended - 0.7) for c in (others, cohort)]
    assert set(seen[0]) == {"v1"}, seen
    assert set(seen[1]) == {"v2"}, seen
    await scene.settled("v2")
    scene.no_failure()


async def ab_by_header(scene: Scene) -> None:
    """Requests with the header get the candidate, all others the stable version."""
    await _cohort(scene, {"header": "x-cohort", "value": "beta"}, {"x-cohort": "beta"})


async def ab_by_cookie(scene: Scene) -> None:
    """The same by a cookie among others."""
    await _cohort(scene, {"cookie": "cohort", "value": "beta"}, {"Cookie": "a=1; cohort=beta; z=cohort=x"})


async def ab_bad(scene: Scene) -> None:
    """A bad version hurts its cohort only."""
    wish = {"abTest": {"match": [{"header": "x-cohort", "value": "beta"}], "duration": "5s"}}
    await scene.apply("v1", wish)
    await scene.settled("v1")
    others, cohort = scene.crowd(rate=10.0), scene.crowd(headers={"x-cohort": "beta"}, rate=10.0)
    await scene.apply("v3", wish)
    await scene.rejected("ErrorRateAbove")
    assert cohort.failed()
    assert not others.failed()


async def rolling(scene: Scene) -> None:
    """No steps: a switch when the new version is ready."""
    await scene.apply("v1")
    await scene.settled("v1")
    scene.crowd()
    await scene.apply("v2")
    await scene.settled("v2")
    await scene.until(lambda s: s.reasons() == ["RolloutStarted", "Promoted", "RolloutStarted", "Promoted"])
    scene.no_failure()


async def deleted(scene: Scene) -> None:
    """After the deletion the gateway says that nothing is there; no connection is ever broken."""
    await scene.apply("v1")
    await scene.settled("v1")
    crowd = scene.crowd()
    await scene.until(lambda s: len(crowd.answers) > 20)
    await scene.kubectl("delete", "modeldeployment", scene.name)
    await scene.until(lambda s: crowd.answers[-1].status == 404)
    await asyncio.sleep(3)  # what comes late must be seen too
    counts = Counter(a.status for a in crowd.answers)
    scene.note(answers=dict(counts))
    # The garbage collector keeps no order: 500 is what a gateway says of a route whose Service went first, 503 of one
    # whose pods did.
    assert set(counts) <= {200, 404, 500, 503}, counts
    gone = [a.status for a in crowd.answers if a.sent > crowd.answers[-1].sent - 2]
    assert set(gone) == {404}, gone


async def orphaned(scene: Scene) -> None:
    """With deletionPolicy Orphan everything goes on serving, and a new object takes it over without a restart."""
    await scene.apply("v1", deletionPolicy="Orphan")
    await scene.settled("v1")
    name = scene.status["stable"]["revision"]
    crowd = scene.crowd()
    await scene.until(lambda s: len(crowd.answers) > 20)
    await scene.kubectl("delete", "modeldeployment", scene.name)
    await asyncio.sleep(5)  # the garbage collector had its time
    await scene.apply("v1", deletionPolicy="Orphan")
    await scene.settled("v1")
    assert len({s.seen["metadata"]["uid"] for s in scene.sights("Deployment", name)}) == 1
    assert not [
        s
        for s in scene.sights("Deployment", name)
        if not s.seen["status"].get("readyReplicas") and s.at > crowd.answers[0].sent
    ]
    scene.no_failure()


async def adopted(scene: Scene) -> None:
    """A plain Deployment and its Service are taken over under load; ready pods never fall, then the old ones go."""
    await scene.create(json.dumps(plain(scene)))
    await scene.kubectl("rollout", "status", f"deployment/{scene.name}-server", "--timeout=120s")
    crowd = scene.send(Crowd(await inside(scene, 9000), scene.house.rows, lasting=False))
    await scene.until(lambda s: len(crowd.answers) > 20)
    for what in (f"deployment/{scene.name}-server", f"service/{scene.name}"):
        await scene.kubectl("label", what, f"penstock.dev/name={scene.name}")
    await scene.apply("v1", traffic=None)
    await scene.settled("v1")
    await scene.until(lambda s: s.sights("Deployment", f"{s.name}-server")[-1].change == "DELETED")
    await asyncio.sleep(2)  # what comes late must be seen too
    scene.no_failure()


def plain(scene: Scene) -> dict[str, Any]:
    """A Deployment and a Service as anybody might have written them."""
    labels = {"app": scene.name}
    server = {
        "name": "server",
        "image": "penstock.local/mlserver:1.7.1",
        "args": ["mlserver", "start", "/mnt/models"],
        "env": [
            {"name": "MLSERVER_MODEL_NAME", "value": scene.name},
            {"name": "MLSERVER_PARALLEL_WORKERS", "value": "0"},
        ],
        "ports": [{"name": "web", "containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": f"/v2/models/{scene.name}/ready", "port": "web"}, "periodSeconds": 2},
        "lifecycle": {"preStop": {"sleep": {"seconds": 10}}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [{"name": "model", "mountPath": "/mnt/models"}, {"name": "tmp", "mountPath": "/tmp"}],
    }
    pod = {
        "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [server],
        "volumes": [
            {"name": "model", "image": {"reference": "penstock.local/models/digits:v1", "pullPolicy": "IfNotPresent"}},
            {"name": "tmp", "emptyDir": {}},
        ],
    }
    spec = {
        "replicas": 1,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": pod},
    }
    service = {"selector": labels, "ports": [{"name": "web", "port": 9000, "targetPort": "web"}]}
    meta = {"namespace": NAMESPACE}
    items = [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {**meta, "name": f"{scene.name}-server"},
            "spec": spec,
        },
        {"apiVersion": "v1", "kind": "Service", "metadata": {**meta, "name": scene.name}, "spec": service},
    ]
    return {"apiVersion": "v1", "kind": "List", "items": items}


async def configured(scene: Scene) -> None:
    """A ConfigMap edited in place is a new revision that walks the steps; the pods of each see their own content."""
    steps: dict[str, Any] = {"canary": {"steps": [{"weight": 50, "duration": "4s"}]}}
    await _config(scene, "one")
    mount = {"configMaps": [{"name": f"{scene.name}-settings", "mountPath": "/etc/story"}]}
    await scene.apply("v1", steps, server=mount)
    await scene.settled("v1")
    first = scene.status["stable"]["revision"]
    scene.crowd()
    await _config(scene, "two")
    await scene.until(lambda s: bool(s.candidate.get("shiftedAt")))
    second = scene.candidate["revision"]
    assert [await _mounted(scene, first), await _mounted(scene, second)] == ["one", "two"]
    await scene.until(lambda s: s.ready.get("status") == "True" and s.status["stable"]["revision"] == second)
    scene.no_failure()


async def _config(scene: Scene, content: str) -> None:
    meta = {"name": f"{scene.name}-settings", "namespace": NAMESPACE, "labels": {"penstock.dev/config": "tracked"}}
    await scene.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"story": content}})


async def _mounted(scene: Scene, revision: str) -> str:
    return await scene.kubectl("exec", f"deployment/{revision}", "--", "cat", "/etc/story/story")


async def scaled(scene: Scene) -> None:
    """Three times the load: more replicas, by the live rate alone; the next version has them all before it serves."""
    scaling = {"minReplicas": 1, "maxReplicas": 3, "metrics": [{"name": "requestsPerSecond", "target": 10}]}
    wish = {"canary": {"steps": [{"weight": 50, "duration": "3s"}]}}
    await scene.apply("v1", wish, scaling=scaling)
    await scene.settled("v1")
    begin = time.time()
    scene.crowd(rate=27.0)
    scene.notes["to_3_replicas"] = f"{await scene.until(lambda s: s.status.get('replicas') == 3) - begin:.0f} s"
    await scene.until(lambda s: s.says("ScalingActive") == "True")
    await scene.apply("v2", wish, scaling=scaling)
    await scene.settled("v2")
    name = scene.status["stable"]["revision"]
    await scene.until(lambda s: any(_weight(x.seen, name) == 100 for x in s.sights("HTTPRoute")))
    full = next(s for s in scene.sights("HTTPRoute") if _weight(s.seen, name) == 100)
    # The watch of Deployments may be behind that of routes: what it will tell was written before, or it was not.
    await scene.until(lambda s: any(_grown(x.seen) == (3, 3) for x in s.sights("Deployment", name)))
    grown = [_grown(s.seen) for s in scene.sights("Deployment", name) if _written(s.seen) < _written(full.seen)]
    assert (3, 3) in grown, f"it has the old version's pods before it has everything: {grown}"
    if grown[-1] != (3, 3):  # one that stopped being ready as the route was written: nobody can know of that yet
        scene.notes["grown"] = str(grown[grown.index((3, 3)) :])
    scene.no_failure()


def _grown(live: dict[str, Any]) -> tuple[int, int]:
    return live["spec"]["replicas"], live["status"].get("readyReplicas", 0)


def _weight(route: dict[str, Any], revision: str) -> int:
    backends = route["spec"]["rules"][0]["backendRefs"]
    return next((int(each.get("weight", 1)) for each in backends if each["name"] == revision), 0)


def _written(live: dict[str, Any]) -> int:
    """The order of writes, whatever the order in which two watches told of them."""
    return int(live["metadata"]["resourceVersion"])
