"""A server that says it is ready long before its model answers, and what a warm-up makes of it.

The model is MLServer's own scikit-learn model, late: real servers that load, compile or fetch at their first requests
behave so. Its image is made here, as no other story needs it.
"""

import json
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from cluster import images
from examples.demo import setup
from tests.e2e.stories.canaries import first
from tests.e2e.stories.scene import Scene

LATE = 20
"""Seconds after its load at which it begins to answer."""
MODULE = f'''"""Ready at once, and able to answer {LATE} seconds later."""

import time

from mlserver.errors import MLServerError
from mlserver_sklearn import SKLearnModel


class Lazy(SKLearnModel):
    async def load(self):
        self.answers_at = time.monotonic() + {LATE}
        return await super().load()

    async def predict(self, payload):
        if time.monotonic() < self.answers_at:
            raise MLServerError("the model is still loading", 503)
        return await super().predict(payload)
'''


def image() -> Path:
    """The archive of the late model."""
    trained, folder = setup.scratch() / "models" / "v2", setup.scratch() / "models" / "lazy"
    folder.mkdir(parents=True, exist_ok=True)
    settings = json.loads((trained / "model-settings.json").read_text()) | {"implementation": "lazy.Lazy"}
    settings["parameters"]["version"] = "lazy"
    (folder / "lazy.py").write_text(MODULE)
    (folder / "model-settings.json").write_text(json.dumps(settings))
    files = {"/model.joblib": trained / "model.joblib"}
    files |= {f"/{name}": folder / name for name in ("lazy.py", "model-settings.json")}
    return images.from_files("penstock.local/models/digits:lazy", files)


async def cold(scene: Scene) -> None:
    """A server is ready 20 s before its model answers: unwarmed, users see it; warmed, nobody does."""
    await first(scene, {})
    failed, _ = await _switched(scene, server={"warmup": {"request": "None"}})
    scene.note(failed_without_warm_up=failed, ready_after=await _ready(scene))
    assert failed > 0, "without a warm-up nothing failed, so the rest shows nothing"
    await scene.apply("v1", {})
    await scene.settled("v1")
    failed, asked = await _switched(scene)
    warmed = await _ready(scene)
    scene.note(failed_with_warm_up=f"{failed} of {asked}", ready_after_with=warmed)
    assert not failed and warmed >= LATE
    await scene.quiet()
    again = await _ready(scene, restarts=1)
    scene.note(ready_after_restart=again)
    assert again >= LATE, "a server that was started again has to answer again"


async def _switched(scene: Scene, **spec: Any) -> tuple[int, int]:
    """Switch to the late model; of the requests until it answers to all, how many failed, and how many there were."""
    begin = time.time()
    await scene.apply("lazy", {}, **spec)
    await scene.settled("lazy")
    await scene.until(lambda s: sum(a.version == "lazy" and a.sent > begin for a in s.answers()) > 40)
    answers = [a for a in scene.answers() if a.sent > begin]
    return sum(a.failed for a in answers), len(answers)


async def _ready(scene: Scene, restarts: int = 0) -> int:
    """Seconds from the start of the stable revision's server to the readiness of its pod; `restarts` starts it anew."""
    which = ("-l", f"penstock.dev/revision={scene.status['stable']['revision']}")
    (pod,) = json.loads(await scene.kubectl("get", "pods", *which, "-o", "json"))["items"]
    name = f"pod/{pod['metadata']['name']}"
    if restarts:
        await scene.kubectl("exec", name, "-c", "server", "--", "python3", "-c", "import os; os.kill(1, 15)")
    for what in (f"jsonpath={{.status.containerStatuses[0].restartCount}}={restarts}", "condition=Ready"):
        await scene.kubectl("wait", name, f"--for={what}", "--timeout=120s")
    status = json.loads(await scene.kubectl("get", name, "-o", "json"))["status"]
    (ready,) = (c["lastTransitionTime"] for c in status["conditions"] if c["type"] == "Ready")
    started = status["containerStatuses"][0]["state"]["running"]["startedAt"]
    return round((datetime.fromisoformat(ready) - datetime.fromisoformat(started)).total_seconds())
