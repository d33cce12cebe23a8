"""Pretended model servers: one socket, one path for each pod, and at each a real exposition whose counters go on.

Runs as a process of its own, so that its work is not taken for Prometheus'. Values are made beforehand: what a scrape
costs here is one lookup.
"""

import sys
from collections import Counter
from math import ceil
from pathlib import Path

from aiohttp import web

CAPTURE = Path(__file__).resolve().parents[2] / "tests/unit/expositions/mlserver.prom"
VARIANTS = 256
SPREAD = 17  # pods are at different places of the same walk
_GROWING = ("counter", "histogram", "summary")


def walk(text: str, steps: int) -> list[bytes]:
    """The exposition, and how it reads after 1, 2, ... steps in which every counter that is not 0 has grown.

    Growth is in proportion, so that the buckets of a histogram stay in order, and in whole numbers where events are
    counted: fractions would be stored four times as large.
    """
    kinds: dict[str, str] = {}
    lines: list[tuple[str, float, bool]] = []
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, family, kind = line.split()
            kinds[family] = kind
        if not line.startswith("#"):
            series, _, value = line.rpartition(" ")
            lines.append((series, float(value), _grows(series, kinds)))
    made = ("\n".join(f"{s} {v + step * _growth(v) if grows else v}" for s, v, grows in lines) for step in range(steps))
    return [(text + "\n").encode() for text in made]


def _growth(value: float) -> float:
    return float(ceil(value / 20)) if value.is_integer() else value / 20


def _grows(series: str, kinds: dict[str, str]) -> bool:
    name = series.partition("{")[0]
    if name.endswith("_created"):
        return False
    stems = (name, *(name.removesuffix(end) for end in ("_bucket", "_count", "_sum")))
    return any(kinds.get(stem) in _GROWING for stem in stems)


def make_app() -> web.Application:
    """`/pods/NUMBER`: each scrape of a number is one step further."""
    variants = walk(CAPTURE.read_text(), VARIANTS)
    seen: Counter[int] = Counter()

    async def exposition(request: web.Request) -> web.Response:
        number = int(request.match_info["number"])
        seen[number] += 1
        body = variants[(seen[number] + number % SPREAD) % VARIANTS]
        return web.Response(body=body, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})

    app = web.Application()
    app.router.add_get("/pods/{number:[0-9]+}", exposition)
    return app


if __name__ == "__main__":
    web.run_app(make_app(), host="127.0.0.1", port=int(sys.argv[1]), print=lambda *_: None, access_log=None)
