"""The users: real rows at a fixed rate, whatever the answers are, each prediction checked against its label.

Runs as a process of its own. It must never retry (aiohttp repeats no POST) and never slow down when answers are slow:
both would hide what clients suffer. Latency counts from when a request was due, so a late client flatters nobody.
"""

import argparse
import asyncio
import json
import random
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import aiohttp

from examples.demo.records import NO_ANSWER, OK, Answer

PATIENCE = aiohttp.ClientTimeout(total=5)


@dataclass(frozen=True)
class Question:
    """One row as a request of the Open Inference Protocol V2, and what is right."""

    body: bytes
    label: int


def questions(path: Path) -> list[Question]:
    """The unseen rows, ready to send."""
    unseen = json.loads(path.read_text())
    return [Question(_body(row), label) for row, label in zip(unseen["rows"], unseen["labels"], strict=True)]


def _body(row: list[float]) -> bytes:
    tensor = {"name": "pixels", "shape": [1, len(row)], "datatype": "FP64", "data": row}
    return json.dumps({"inputs": [tensor]}).encode()


def shuffled(asked: list[Question], seed: int = 1) -> Iterator[Question]:
    """All rows again and again, each round in another order, the same in every run."""
    order = random.Random(seed)
    while True:
        yield from order.sample(asked, len(asked))


class Client:
    """Sends one request per question and writes down what came back."""

    def __init__(self, session: aiohttp.ClientSession, url: str, out: TextIO) -> None:
        self._session = session
        self._url = url
        self._out = out

    async def ask(self, question: Question, due: float) -> None:
        """One request, one record; what breaks on the way is a failed request, not an error of this program."""
        sent = time.time()
        try:
            status, answer = await self._post(question.body)
        except (aiohttp.ClientError, TimeoutError, ConnectionError):
            status, answer = NO_ANSWER, {}
        version, right = read_answer(status, answer, question.label)
        record = Answer(sent, time.time() - due, status, version, right)
        self._out.write(record.line() + "\n")
        self._out.flush()

    async def _post(self, body: bytes) -> tuple[int, dict[str, Any]]:
        headers = {"Content-Type": "application/json"}
        async with self._session.post(self._url, data=body, headers=headers) as response:
            text = await response.read()
        return response.status, json.loads(text) if response.status == OK else {}


def read_answer(status: int, answer: dict[str, Any], label: int) -> tuple[str, bool]:
    """The version that answered, and whether its prediction is the label."""
    if status != OK:
        return "", False
    return str(answer.get("model_version", "")), answer["outputs"][0]["data"] == [label]


async def send(client: Client, asked: Iterator[Question], rate: float) -> None:
    """An open loop: request number n is due at n/rate seconds, however the others fare; ends on SIGTERM."""
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    start, number = time.time(), 0
    async with asyncio.TaskGroup() as flying:
        while not stop.is_set():
            flying.create_task(client.ask(next(asked), start + number / rate))
            number += 1
            await _until(start + number / rate, stop)


async def _until(when: float, stop: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(max(0.0, when - time.time())):
            await stop.wait()
    except TimeoutError:
        pass


async def main() -> None:
    """Sends until it is told to end, then waits for the answers that are still due."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True, help="where to POST")
    parser.add_argument("--rate", type=float, default=50.0, help="requests per second")
    parser.add_argument("--rows", type=Path, required=True, help="rows and labels as JSON")
    parser.add_argument("--out", type=Path, required=True, help="file of records, one line per request")
    wish = parser.parse_args()
    asked = shuffled(questions(wish.rows))
    pool = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=pool, timeout=PATIENCE) as session:
        with wish.out.open("w") as out:
            await send(Client(session, wish.url, out), asked, wish.rate)


if __name__ == "__main__":
    asyncio.run(main())
