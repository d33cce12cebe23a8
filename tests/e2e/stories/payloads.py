"""Requests and answers as CloudEvents in a sink of the administrator's; and what a sink that is dead or slow costs."""

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

from examples.demo.records import quantile
from examples.demo.setup import SINK
from tests.e2e.stories import small, streams
from tests.e2e.stories.crowd import Crowd
from tests.e2e.stories.scene import NAMESPACE, Object, Scene

NAMESPACE_OF_SINK, NAME = SINK.split("/")
LOGGED = {"payloadLog": {"sink": "stories", "percent": 100}}
TROUBLES = {
    "slow": ("set", "env", f"deployment/{NAME}", "SLOW=30"),
    "dead": ("scale", f"deployment/{NAME}", "--replicas=0"),
}
ENOUGH = 400  # answers in each stretch


async def told(scene: Scene) -> None:
    """Every request is told with its answer, streams are not; a sink that is slow or dead costs nobody anything."""
    await open_sink(scene)
    traffic = {"gateway": {"name": "models"}, "hostnames": [scene.host], **LOGGED}
    await small.first(scene, traffic=traffic)
    revision = scene.status["stable"]["revision"]
    await streams.patient(scene)
    crowd = scene.crowd(rate=40.0)
    await scene.until(lambda s: len(crowd.answers) > 20)
    listening = await streams.listen(scene, 3, 2)
    p99 = [await _stretch(scene, crowd)]
    await streams.ended(scene, listening)
    events = await _events(scene)
    assert len(events) > ENOUGH / 2, f"{len(events)} events of {len(crowd.answers)} answers"
    _check(scene, events, revision)
    for words in TROUBLES.values():
        await trouble(scene, words)
        p99.append(await _stretch(scene, crowd))
    scene.note(events=len(events), p99_ms_well_slow_dead=[round(1000 * each, 1) for each in p99])
    scene.no_failure()


async def trouble(scene: Scene, words: tuple[str, ...]) -> None:
    """Do this to the sink, and wait until it is so."""
    await _sink(*words, scene=scene)
    await _sink("rollout", "status", f"deployment/{NAME}", "--timeout=120s", scene=scene)


async def hears(scene: Scene) -> None:
    """Wait until the sink has heard of this scene."""
    while not any(scene.name in line for line in await _lines(scene)):  # noqa: ASYNC110 - nothing here could tell us
        await asyncio.sleep(0.5)


async def _stretch(scene: Scene, crowd: Crowd) -> float:
    before = len(crowd.answers)
    await scene.until(lambda s: len(crowd.answers) > before + ENOUGH)
    return quantile(crowd.answers[before:], 0.99)


def _check(scene: Scene, events: list[Object], revision: str) -> None:
    bodies = {question.body for question in scene.house.rows}
    for each in events:
        data: dict[str, Any] = each["data"]
        assert (each["specversion"], each["type"], each["subject"]) == ("1.0", "dev.penstock.inference", revision)
        assert f"/namespaces/{NAMESPACE}/modeldeployments/" in each["source"] and each["time"]
        assert data["request"]["path"].endswith("/infer"), "streams are not told"
        assert base64.b64decode(data["request"]["base64"]) in bodies
        assert data["answer"]["status"] == 200
        assert json.loads(base64.b64decode(data["answer"]["base64"]))["model_version"] == "v1"
    assert len({each["id"] for each in events}) == len(events)


async def _events(scene: Scene) -> list[Object]:
    lines = await _lines(scene)
    kind = "application/cloudevents+json "
    assert all(line.startswith(kind) for line in lines), lines[:3]
    told = [json.loads(line.removeprefix(kind)) for line in lines]
    return [each for each in told if each["source"].endswith(f"/{scene.name}")]  # others may have been told of before


async def _lines(scene: Scene) -> list[str]:
    return (await _sink("logs", f"deployment/{NAME}", "--tail=-1", scene=scene)).splitlines()


async def _sink(*words: str, scene: Scene, given: str | None = None) -> str:
    return await scene.kubectl(*words, "--namespace", NAMESPACE_OF_SINK, given=given)


async def open_sink(scene: Scene) -> None:
    """What an administrator makes: a namespace with the sink, which allows the routes of the models' namespace."""
    for each in _manifests():  # of an earlier scene: well again, and without what it heard
        await _sink("apply", "-f", "-", scene=scene, given=scene.house.spell(json.dumps(each)))
    await _sink("rollout", "status", f"deployment/{NAME}", "--timeout=120s", scene=scene)


def _manifests() -> list[Object]:
    meta: Object = {"name": NAME, "namespace": NAMESPACE_OF_SINK}
    labels = {"app": NAME}
    text = Path(__file__).with_name("sink.py").read_text()
    container = {
        "name": "sink",
        "image": small.IMAGE,
        "command": ["python3", "/etc/sink/sink.py"],
        "env": [{"name": "SLOW", "value": "0"}],
        "readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [{"name": "sink", "mountPath": "/etc/sink"}],
    }
    pod = {
        "terminationGracePeriodSeconds": 1,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
        "volumes": [{"name": "sink", "configMap": {"name": NAME}}],
    }
    template = {"metadata": {"labels": labels}, "spec": pod}
    grant = {
        "from": [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "namespace": NAMESPACE}],
        "to": [{"group": "", "kind": "Service", "name": NAME}],
    }
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE_OF_SINK}},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"sink.py": text}},
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": meta,
            "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": template},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": meta,
            "spec": {"selector": labels, "ports": [{"port": 8080}]},
        },
        {"apiVersion": "gateway.networking.k8s.io/v1beta1", "kind": "ReferenceGrant", "metadata": meta, "spec": grant},
    ]
