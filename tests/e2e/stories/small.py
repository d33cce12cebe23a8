"""Scenes with the small server instead of a real model: where traffic is the subject, and many requests are needed."""

from pathlib import Path
from typing import Any

from tests.e2e.stories.scene import NAMESPACE, Object, Scene

IMAGE = "penstock.local/mlserver:1.7.1"  # has Python and what the server imports
FOLDER = "/etc/server"
RUNTIME: Object = {
    "apiVersion": "penstock.dev/v1alpha1",
    "kind": "ModelRuntime",
    "metadata": {"name": "small"},
    "spec": {
        "formats": ["small"],
        "protocol": "OpenInferenceV2",
        "container": {
            "image": IMAGE,
            "command": ["python3", f"{FOLDER}/server.py"],
            "args": ["{{model.name}}", "{{model.version}}"],
            "readiness": {"path": "/v2/models/{{model.name}}/ready", "periodSeconds": 1},
            "shutdownSeconds": 15,
            "resources": {"requests": {"cpu": "20m", "memory": "48Mi"}},
        },
        "metrics": {
            "requests": {"name": "small_requests_total"},
            "errors": {"name": "small_requests_total", "where": 'code=~"5.."'},
            "latency": {
                "histogram": {"name": "small_request_seconds"},
                "bounds": ["0.01", "0.05", "0.1", "0.3", "1.0", "5.0"],
            },
        },
    },
}


async def furnish(scene: Scene) -> None:
    """The runtime, and the server's text as a ConfigMap of the scene's own."""
    await scene.create(RUNTIME)
    meta = {"name": _config(scene), "namespace": NAMESPACE, "labels": {"penstock.dev/config": "tracked"}}
    text = Path(__file__).with_name("server.py").read_text()
    await scene.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"server.py": text}})


async def apply(scene: Scene, version: str, rollout: Object | None = None, slow: float = 0.0, **spec: Any) -> None:
    """The scene's ModelDeployment with this version of the small server, which thinks for `slow` seconds.

    With `held` each request also has its only device for so many seconds.
    """
    times = {"SLOW": slow, "HELD": spec.pop("held", 0.0)}
    env = [{"name": name, "value": str(seconds)} for name, seconds in times.items() if seconds]
    server: Object = {"configMaps": [{"name": _config(scene), "mountPath": FOLDER}]} | ({"env": env} if env else {})
    wish: Object = {"model": {"version": version, "format": "small"}, "runtime": "small", "server": server}
    await scene.apply(version, rollout, **wish | spec)


async def first(scene: Scene, rollout: Object | None = None, **spec: Any) -> None:
    """Version v1 serves."""
    await furnish(scene)
    await apply(scene, "v1", rollout, **spec)
    await scene.settled("v1")


def _config(scene: Scene) -> str:
    return f"{scene.name}-server"


def plain(scene: Scene) -> Object:
    """A Deployment and a Service as anybody might have written them, with the same server."""
    labels = {"app": scene.name}
    server = {
        "name": "server",
        "image": IMAGE,
        "command": ["python3", f"{FOLDER}/server.py", scene.name, "v0"],
        "ports": [{"name": "web", "containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": f"/v2/models/{scene.name}/ready", "port": "web"}, "periodSeconds": 1},
        "lifecycle": {"preStop": {"sleep": {"seconds": 5}}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [{"name": "server", "mountPath": FOLDER}],
    }
    pod = {
        "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [server],
        "volumes": [{"name": "server", "configMap": {"name": _config(scene)}}],
    }
    spec = {
        "replicas": 2,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": pod},
    }
    service = {"selector": labels, "ports": [{"name": "web", "port": 9000, "targetPort": "web"}]}
    meta = {"namespace": NAMESPACE}
    deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta | {"name": f"{scene.name}-server"}}
    front = {"apiVersion": "v1", "kind": "Service", "metadata": meta | {"name": scene.name}}
    return {"apiVersion": "v1", "kind": "List", "items": [deployment | {"spec": spec}, front | {"spec": service}]}
