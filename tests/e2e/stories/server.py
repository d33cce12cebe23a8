"""A model server as small as can be, for proofs about traffic: it is not the subject, so it must be cheap and honest.

Runs in a pod, from a ConfigMap. Every answer names the version that gave it; it can be slow, stream (SSE), hold a
WebSocket, and ends what it has begun before it goes. SLOW is the seconds that it thinks before each answer; HELD those
for which a request then has its only device, so that more of them wait for each other.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator

from aiohttp import web
from prometheus_client import Counter, Histogram, generate_latest

NAME, VERSION = sys.argv[1:3]
SLOW, HELD = (float(os.environ.get(name, "0")) for name in ("SLOW", "HELD"))
DEVICE = asyncio.Lock()
PATH = f"/v2/models/{NAME}"
TICK = 0.25
ASKED = Counter("small_requests", "Answers by their status.", ["code"])
TOOK = Histogram("small_request_seconds", "From the request to its answer.", buckets=(0.01, 0.05, 0.1, 0.3, 1.0, 5.0))


async def infer(request: web.Request) -> web.Response:
    """One prediction, always the same."""
    began = time.perf_counter()
    await request.read()
    await asyncio.sleep(SLOW)
    async with DEVICE:
        await asyncio.sleep(HELD)
    ASKED.labels("200").inc()
    TOOK.observe(time.perf_counter() - began)
    outputs = [{"name": "predict", "shape": [1], "datatype": "INT64", "data": [0]}]
    return web.json_response({"model_name": NAME, "model_version": VERSION, "outputs": outputs})


async def _tokens(request: web.Request) -> AsyncIterator[str]:
    """A token now and then for as many seconds as were asked for; the last one says that it is the last."""
    end, number = time.monotonic() + float(request.query.get("seconds", "1")), 0
    while time.monotonic() < end:
        yield json.dumps({"model_version": VERSION, "number": number})
        number += 1
        await asyncio.sleep(TICK)
    yield "[DONE]"


async def stream(request: web.Request) -> web.StreamResponse:
    """Tokens as server-sent events: chunked, without a length."""
    answer = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
    await answer.prepare(request)
    async for token in _tokens(request):
        await answer.write(f"data: {token}\n\n".encode())
    await answer.write_eof()
    return answer


async def socket(request: web.Request) -> web.WebSocketResponse:
    """The same tokens over a WebSocket."""
    answer = web.WebSocketResponse()
    await answer.prepare(request)
    async for token in _tokens(request):
        await answer.send_str(token)
    await answer.close()
    return answer


async def ready(request: web.Request) -> web.Response:
    """It can answer from its first moment on."""
    return web.Response(text="ready")


async def metrics(request: web.Request) -> web.Response:
    """For Prometheus."""
    return web.Response(body=generate_latest(), content_type="text/plain")


def main() -> None:
    """Serve until SIGTERM, then to the end of what was begun: how long that may take is the pod's matter."""
    app = web.Application()
    app.add_routes(
        [
            web.post(f"{PATH}/infer", infer),
            web.get(f"{PATH}/stream", stream),
            web.get(f"{PATH}/socket", socket),
            web.get(f"{PATH}/ready", ready),
            web.get("/metrics", metrics),
        ]
    )
    web.run_app(app, port=8080, shutdown_timeout=24 * 3600, print=None)


if __name__ == "__main__":
    main()
