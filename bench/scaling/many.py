"""The operator's API for external metrics under a thousand autoscalers, over TLS, on a real Prometheus."""

import asyncio
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import aiohttp

from bench.batching.__main__ import ROOT, surroundings, until_scraped
from bench.batching.exporter import place
from cluster.certs import Authority
from penstock.metrics.batch import Batch
from penstock.metrics.http import Http
from penstock.metrics.prometheus import Prometheus
from penstock.shell.cache import Cache
from penstock.shell.clock import Clock
from penstock.shell.external import Trust, make_app, make_context
from penstock.shell.meter import Meter
from penstock.shell.projection import Child, Scale
from penstock.shell.texts import Record
from penstock.shell.web import serve
from tests.ports import free_port

SPEC = {"scaling": {"maxReplicas": 5, "metrics": [{"name": "requestsPerSecond", "target": 50}]}}
PROFILE = {"requests": {"name": "requests_total"}}


def many(models: int, seconds: float) -> dict[str, Any]:
    """Latency of the answers and the operator's share of a core."""
    with surroundings(models) as (url, _), tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_run(url, Path(folder), models, seconds))


async def _run(url: str, folder: Path, models: int, seconds: float) -> dict[str, Any]:
    for name, hosts in (("front-proxy", ()), ("server", ("127.0.0.1",))):
        authority = Authority(folder, f"{name}-ca")
        authority.create()
        authority.issue(name, f"/CN={name}", hosts)
    async with aiohttp.ClientSession(trust_env=False) as session:
        await until_scraped(url, session, 60.0)
        batches = {"default": Batch("default", Prometheus("bench", Http(url, session)))}
        meter = Meter(_cache(models), batches, Clock().now)
        trust = Trust((folder / "front-proxy-ca.crt").read_text(), frozenset({"front-proxy"}))
        context = make_context(str(folder / "server.crt"), str(folder / "server.key"), trust)
        runner = await serve(make_app(meter, trust), port := free_port(), context)
        keeping = asyncio.create_task(meter.keep())
        words = ["--address", f"https://127.0.0.1:{port}", "--folder", str(folder)]
        words += ["--models", str(models), "--seconds", str(seconds)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "operator"), *sys.path])}
        asker = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bench.scaling.asker", *words, stdout=asyncio.subprocess.PIPE, env=environment
        )
        before, began = time.process_time(), time.monotonic()
        said, _ = await asker.communicate()
        core = (time.process_time() - before) / (time.monotonic() - began)
        keeping.cancel()
        await runner.cleanup()
    return {"models": models, "seconds": seconds, "share_of_a_core": round(core, 3), **json.loads(said)}


def _cache(models: int) -> Cache:
    """As the watches would have filled it."""
    cache = Cache()
    for number in range(models):
        key = place(number)
        revision = f"{key[1]}-old"
        cache.parents[key] = {"metadata": {"uid": "owner", "namespace": key[0], "name": key[1]}, "spec": SPEC}
        data = {"version": "7", "port": 8080, "template": {}, "profile": PROFILE}
        seen = {"ControllerRevision": Record.of({"data": data, "revision": 1}), "Deployment": Scale(2, 2)}
        mine = [Child(kind, revision, "u", 1, revision, "x", "", "owner", each, None) for kind, each in seen.items()]
        cache.children[key] = {(c.kind, c.name): c for c in mine}
    return cache
