"""The operator process: kopf brings the watches, everything else hangs off the queue.

Only `on.event` is used, without I/O in it, and kopf stores nothing on any object. The process leads by a Lease; losing
it, or losing the watches, ends the process at once, because a restart is cheap and a second writer is not.
"""

import argparse
import asyncio
import gc
import logging
import os
import random
import signal
import time
from collections.abc import Coroutine
from typing import Any

import aiohttp
import kopf

from penstock.metrics import SOURCES
from penstock.shell import logs, settings, web
from penstock.shell.cache import Cache
from penstock.shell.kube import Kube
from penstock.shell.lease import Lease
from penstock.shell.loop import Loop
from penstock.shell.queue import Queue
from penstock.shell.room import Rooms
from penstock.shell.telemetry import Telemetry
from penstock.shell.watch import Watch, make_registry, make_settings

log = logging.getLogger("penstock")
# Unused without peering, but else kopf asks for the name of the user, who has none in a container.
IDENTITY: Any = "penstock"


def main() -> None:
    """Read the command line, then run until told to stop."""
    parser = argparse.ArgumentParser(prog="penstock", description="The Penstock operator.")
    parser.add_argument("--config", required=True, help="YAML file with the operator's configuration")
    parser.add_argument("--kubeconfig", help="default: the cluster that this pod runs in")
    parser.add_argument("--log-level", default="INFO")
    args = parser.parse_args()
    logs.setup(args.log_level)
    if args.kubeconfig:
        os.environ["KUBECONFIG"] = args.kubeconfig  # kopf looks there
    gc.set_threshold(50_000, 20, 100)  # start-up makes many long-lived objects; the default threshold stalls on them
    code = asyncio.run(run(settings.load(args.config), args.kubeconfig))
    os._exit(code)  # kopf's own threads must not keep a process alive that has lost its lease


async def run(config: settings.Settings, kubeconfig: str | None) -> int:
    """Serve health, wait for the lease, reconcile until the lease or the watches are lost or a signal comes."""
    telemetry, stop = Telemetry(), asyncio.Event()
    _on_signals(stop)
    kube = await Kube.connect(kubeconfig)
    kube.on_request = telemetry.request
    who = settings.identity()
    lease = Lease(await Kube.connect(kubeconfig, pool=1), (who.namespace, "penstock"), who.holder)
    kube.fence = lease.fence
    queue = Queue(time.monotonic, random.Random())
    watch = Watch(kube, Cache(), queue, config.namespace or None, on_cut=telemetry.cut.inc)
    app = web.make_app(alive=watch.problems, ready=list, registry=telemetry.registry)
    await web.serve(app, config.port)
    jar = aiohttp.DummyCookieJar()  # what one source sets is no other's business
    async with aiohttp.ClientSession(trust_env=False, cookie_jar=jar) as session:
        sources = {n: SOURCES[s.type](n, s.model_dump(), session) for n, s in config.metric_sources.items()}
        sinks = {n: s.sink() for n, s in config.payload_sinks.items()}
        loop = Loop(
            kube,
            watch.cache,
            queue,
            sources,
            telemetry,
            rooms=Rooms(kube),
            verified=config.verified_actions,
            sinks=sinks,
        )
        telemetry.depth.set_function(queue.depth)
        telemetry.age.set_function(queue.oldest)
        code = await _lead(lease, (watch, loop), (config, stop))
    await lease.release()
    return code


async def _lead(lease: Lease, parts: tuple[Watch, Loop], control: tuple[settings.Settings, asyncio.Event]) -> int:
    (watch, loop), (config, stop) = parts, control
    if not await _first(lease.acquire(), stop.wait()):
        return 0
    log.info("leading")
    workers = [asyncio.create_task(loop.work()) for _ in range(config.workers)]
    operator = asyncio.create_task(_kopf(watch, config.namespace, stop))
    ends: dict[str, asyncio.Task[Any]] = {
        "stop": asyncio.create_task(stop.wait()),
        "lease lost": asyncio.create_task(lease.lost()),
        "watches ended": operator,
        "synchronisation ended": asyncio.create_task(watch.keep()),
        **{f"worker {i} ended": worker for i, worker in enumerate(workers)},
    }
    await asyncio.wait(ends.values(), return_when=asyncio.FIRST_COMPLETED)
    ended = next(name for name, task in ends.items() if task.done())
    fault = None if ended == "stop" else ends[ended].exception()
    log.log(logging.ERROR if fault else logging.INFO, "ending", extra={"cause": ended}, exc_info=fault)
    for worker in workers:
        worker.cancel()
    return 0 if ended == "stop" else 1


async def _first(wanted: Coroutine[Any, Any, Any], other: Coroutine[Any, Any, Any]) -> bool:
    """True where the first of two ends first."""
    tasks = [asyncio.create_task(wanted), asyncio.create_task(other)]
    _, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    return tasks[0].done()


async def _kopf(watch: Watch, namespace: str, stop: asyncio.Event) -> None:
    tasks = await kopf.spawn_tasks(
        registry=make_registry(watch),
        settings=make_settings(),
        clusterwide=not namespace,
        namespaces=[namespace] if namespace else [],
        standalone=True,
        identity=IDENTITY,
    )
    _on_signals(stop)  # kopf has taken them for itself, and its farewell takes ten seconds
    await kopf.run_tasks(tasks)


def _on_signals(stop: asyncio.Event) -> None:
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)


if __name__ == "__main__":
    main()
