"""The pods of many canaries, pretended by one process: counters that grow evenly, so that the truth is known.

`python -m bench.batching.exporter --canaries 1000 --port 9000`; each of SLICES paths shows a part of them.
"""

import argparse
import time
from collections.abc import Iterator

from aiohttp import web

SLICES, PODS = 10, 2
ROLES = {"old": (9.5, 0.01), "new": (0.5, 0.01)}  # requests a second of each pod, the failed share of them
SHARE_FAST = 0.9


def place(number: int) -> tuple[str, str]:
    """Namespace and name of a canary."""
    return f"team-{number % 50}", f"model-{number}"


def series(number: int, age: float) -> Iterator[str]:
    """What the pods of one canary say so many seconds after they began."""
    namespace, name = place(number)
    for role, (rate, share) in ROLES.items():
        for pod in range(PODS):
            own = f'namespace="{namespace}",penstock_dev_revision="{name}-{role}",pod="{name}-{role}-{pod}"'
            total = int(age * rate)
            bad = int(total * share)
            yield f'requests_total{{{own},code="200"}} {total - bad}'
            yield f'requests_total{{{own},code="500"}} {bad}'
            yield f'seconds_bucket{{{own},le="0.1"}} {int(total * SHARE_FAST)}'
            yield f'seconds_bucket{{{own},le="0.5"}} {total}'
            yield f'seconds_bucket{{{own},le="+Inf"}} {total}'
            yield f"seconds_count{{{own}}} {total}"


def main() -> None:
    """Serve until the end of the process."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--canaries", type=int, required=True)
    parser.add_argument("--port", type=int, required=True)
    args = parser.parse_args()
    began = time.time()

    async def show(request: web.Request) -> web.Response:
        age = time.time() - began + 3600
        mine = range(int(request.match_info["slice"]), args.canaries, SLICES)
        lines = [line for number in mine for line in series(number, age)]
        return web.Response(text="\n".join([*lines, ""]), content_type="text/plain")

    app = web.Application()
    app.router.add_get("/metrics/{slice}", show)
    web.run_app(app, host="127.0.0.1", port=args.port, print=None)


if __name__ == "__main__":
    main()
