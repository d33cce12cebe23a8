"""A sink for CloudEvents: prints each as a line. Runs in a pod, from a ConfigMap; SLOW is how long it thinks."""

import asyncio
import os

from aiohttp import web


async def take(request: web.Request) -> web.Response:
    """Whatever comes, after its content type."""
    text = (await request.read()).decode()
    print(f"{request.content_type} {text}", flush=True)
    await asyncio.sleep(float(os.environ.get("SLOW", "0")))
    return web.Response()


def main() -> None:
    """Serve until SIGTERM."""
    app = web.Application(client_max_size=16 * 1024 * 1024)
    app.router.add_post("/", take)
    web.run_app(app, port=8080, print=None)


if __name__ == "__main__":
    main()
