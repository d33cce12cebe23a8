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
from typing import Any

import aiohttp
import kopf

from penstock.metrics import SOURCES
from penstock.shell import external, logs, settings, web
from penstock.shell.cache import Cache
from penstock.shell.clock import Clock
from penstock.shell.kopf_watch import NoMemories, list_for_kopf, make_registry, make_settings
from penstock.shell.kube import Kube
from penstock.shell.lease import Lease
from penstock.shell.loop import Loop
from penstock.shell.meter import Meter
from penstock.shell.queue import Queue
from penstock.shell.room import Rooms
from penstock.shell.settings import Settings
from penstock.shell.telemetry import Telemetry
from penstock.shell.watch import Watch

log = logging.getLogger("penstock")
# Unused without peering, but else kopf asks for the name of the user, who has none in a container.
IDENTITY: Any = "penstock"
# Young often, else garbage in cycles (of requests) is kept, 10 MiB of it; old seldom: start-up makes many objects that
# live long, and Python's own settings ask them all again and again.
GARBAGE = (5_000, 50, 200)
Tasks = dict[str, asyncio.Task[Any]]


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
    gc.set_threshold(*GARBAGE)
    asyncio.run(_whole(settings.load(args.config), args.kubeconfig))


async def _whole(config: Settings, kubeconfig: str | None) -> None:
    """The process, to its end, be it by a bug: neither kopf's threads nor its farewell keep one that leads no more."""
    code = 1
    try:
        code = await run(config, kubeconfig)
    except Exception:
        log.exception("ending")
    finally:
        os._exit(code)


async def run(config: Settings, kubeconfig: str | None) -> int:
    """Serve health, wait for the lease, reconcile until the lease or the watches are lost or a signal comes."""
    telemetry, stop, clock = Telemetry(), asyncio.Event(), Clock()
    _on_signals(stop)
    kube, apart = await Kube.connect(kubeconfig), await Kube.connect(kubeconfig, pool=1)
    kube.on_request, kube.on_date, apart.on_date = telemetry.request, clock.hear, clock.hear
    who = settings.identity()
    lease = Lease(apart, (who.namespace, "penstock"), who.holder)
    kube.fence = lease.fence
    queue = Queue(time.monotonic, random.Random())
    watch = Watch(kube, Cache(), queue, config.namespace or None, config.kinds, on_cut=telemetry.cut.inc)
    jar = aiohttp.DummyCookieJar()  # what one source sets is no other's business
    async with aiohttp.ClientSession(trust_env=False, cookie_jar=jar) as session:
        tools = session, clock.seconds
        sources = {n: SOURCES[s.type](n, s.model_dump(), *tools) for n, s in config.metric_sources.items()}
        loop = Loop(
            kube,
            watch.cache,
            queue,
            sources,
            telemetry,
            clock.now,
            watch.look,
            rooms=Rooms(kube),
            verified=config.verified_actions,
            platform=config.given,
        )
        telemetry.depth.set_function(queue.depth)
        telemetry.age.set_function(queue.oldest)
        meter = Meter(watch.cache, loop.batches, clock.now)
        app = web.make_app(alive=watch.problems, ready=list, registry=telemetry.registry)
        if config.keda:
            app.router.add_get(settings.PLACE + "/{namespace}/{revision}/{metric}", external.value_of(meter))
        await web.serve(app, config.port)
        operator = asyncio.create_task(_kopf(watch, config.namespace, stop))  # it watches before it leads
        metering = await _meter(kube, meter, config)
        code = await _lead(lease, (watch, loop), (config, stop), {"watches ended": operator, **metering})
    await lease.release()
    return code


async def _meter(kube: Kube, meter: Meter, config: Settings) -> Tasks:
    """Serve live metrics to autoscalers, whether this process leads or not; the tasks that must not end."""
    wish = config.external_metrics
    if config.keda:
        return {"live metrics ended": asyncio.create_task(meter.keep())}
    if not wish:
        return {}
    trust = await external.front_proxy(kube)
    context = external.make_context(wish.cert_file, wish.key_file, trust)
    await web.serve(external.make_app(meter, trust), wish.port, context)
    renewing = external.keep_certificates(context, (wish.cert_file, wish.key_file), kube)
    return {
        "live metrics ended": asyncio.create_task(meter.keep()),
        "certificates ended": asyncio.create_task(renewing),
    }


async def _lead(lease: Lease, parts: tuple[Watch, Loop], control: tuple[Settings, asyncio.Event], tasks: Tasks) -> int:
    (watch, loop), (config, stop) = parts, control
    waiting = {"stop": asyncio.create_task(stop.wait()), **tasks}
    leading = asyncio.create_task(lease.acquire())
    await asyncio.wait([leading, *waiting.values()], return_when=asyncio.FIRST_COMPLETED)
    if not leading.done():
        leading.cancel()
        return _ended(waiting)
    leading.result()
    log.info("leading")
    working = asyncio.create_task(loop.work(config.workers))
    ends = {
        **waiting,
        "lease lost": asyncio.create_task(lease.lost()),
        # Lists anew: what the watches have brought so far may be older than the last leader's last write.
        "synchronisation ended": asyncio.create_task(watch.keep()),
        "telling ended": asyncio.create_task(loop.voice.work()),
        "turning ended": working,
    }
    await asyncio.wait(ends.values(), return_when=asyncio.FIRST_COMPLETED)
    code = _ended(ends)
    working.cancel()
    return code


def _ended(tasks: Tasks) -> int:
    """The exit code, and a line that says which task has ended first."""
    ended = next(name for name, task in tasks.items() if task.done())
    fault = None if ended == "stop" else tasks[ended].exception()
    log.log(logging.ERROR if fault else logging.INFO, "ending", extra={"cause": ended}, exc_info=fault)
    return 0 if ended == "stop" else 1


async def _kopf(watch: Watch, namespace: str, stop: asyncio.Event) -> None:
    list_for_kopf(watch)
    tasks = await kopf.spawn_tasks(
        registry=make_registry(watch),
        settings=make_settings(),
        memories=NoMemories(),
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
