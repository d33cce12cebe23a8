"""The operator's own small web port: is it alive, is it ready, what does it count.

It only asks the callables it was given and must never do work of its own: a probe that does I/O is an outage
multiplier.
"""

import ssl
from collections.abc import Awaitable, Callable

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

Problems = Callable[[], list[str]]
Page = Callable[[web.Request], Awaitable[web.Response]]


def make_app(alive: Problems, ready: Problems, registry: CollectorRegistry) -> web.Application:
    """The pages; `alive` and `ready` return what is wrong, one line each."""
    app = web.Application()
    app.add_routes(
        [
            web.get("/healthz", _verdict_of(alive)),
            web.get("/readyz", _verdict_of(ready)),
            web.get("/metrics", _metrics_of(registry)),
        ]
    )
    return app


async def serve(app: web.Application, port: int, context: ssl.SSLContext | None = None) -> web.AppRunner:
    """Serve until the returned runner's `cleanup()`, on all addresses, IPv4 and IPv6; with a context over TLS."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, None, port, ssl_context=context).start()
    return runner


def _verdict_of(problems: Problems) -> Page:
    async def verdict(_: web.Request) -> web.Response:
        found = problems()
        return web.Response(text="\n".join(found or ["ok"]) + "\n", status=503 if found else 200)

    return verdict


def _metrics_of(registry: CollectorRegistry) -> Page:
    async def metrics(request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        response = web.Response(body=encode(registry), headers={"Content-Type": content_type})
        response.enable_compression()
        return response

    return metrics
