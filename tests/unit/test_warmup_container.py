"""The warm-up container as it runs in a pod: the real program, asked as the kubelet asks, before a server."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from penstock import warmup

ROOT = Path(__file__).parents[2]
LIMIT_KIB = 15 * 1024
Reply = tuple[int, Any]
Respond = Callable[[str, bytes], Reply]
DIGITS = [{"name": "pixels", "datatype": "FP64", "shape": [-1, 64]}]


@dataclass
class Server:
    """A model server: answers as it is told, and writes down what it was asked."""

    respond: Respond
    port: int = 0
    asked: list[tuple[str, bytes, str]] = field(default_factory=list)

    def posted(self) -> list[bytes]:
        """Bodies of the inference requests so far."""
        return [body for what, body, _ in self.asked if not what.startswith("GET")]


@contextmanager
def serving(respond: Respond, port: int = 0) -> Iterator[Server]:
    """A server until the block ends; then nobody listens."""
    server = Server(respond)

    class Door(BaseHTTPRequestHandler):
        def _any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            what = f"{self.command} {self.path}"
            server.asked.append((what, body, self.headers.get("Content-Type", "")))
            status, found = server.respond(what, body)
            sent = found if isinstance(found, bytes) else json.dumps(found).encode()
            self.send_response(status)
            self.end_headers()  # no length: the end of the connection ends the body, as HTTP/1.0 has it
            self.wfile.write(sent)

        do_GET = do_POST = do_PUT = _any  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        allow_reuse_address, daemon_threads = True, True

        def handle_error(self, *_: Any) -> None:
            pass

    with Quiet(("127.0.0.1", port), Door) as door:
        server.port = door.server_port
        thread = threading.Thread(target=door.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            door.shutdown()
            thread.join()


def free() -> int:
    """A port that nobody has."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


@dataclass
class Warmer:
    """The program, and the kubelet's way to ask it."""

    port: int
    program: subprocess.Popen[str]

    def ask(self) -> int:
        """The status of one probe."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=20) as found:
                return int(found.status)
        except urllib.error.HTTPError as error:
            return error.code

    def give_up(self) -> socket.socket:
        """A probe whose kubelet has not the time to wait, once it closes what it gets."""
        line = socket.create_connection(("127.0.0.1", self.port))
        line.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        return line

    def peak(self) -> int:
        """KiB that it has held at most."""
        status = Path(f"/proc/{self.program.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0])

    def stop(self) -> list[str]:
        """What it has said; it ends at once, and well."""
        self.program.send_signal(signal.SIGTERM)
        said, _ = self.program.communicate(timeout=10)
        assert self.program.returncode == 0
        return said.splitlines()


@contextmanager
def warming(port: int, **wish: Any) -> Iterator[Warmer]:
    """The program in front of a server's port."""
    listen = free()
    usual = {"port": port, "ready": "/ready", "model": "churn", "request": "OpenInferenceV2", "count": 1}
    line = [sys.executable, "-S", "-m", "penstock.warmup", json.dumps(usual | wish | {"listen": listen})]
    environment = {"PYTHONPATH": str(ROOT / "operator"), "PATH": os.environ["PATH"]}
    with subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, text=True) as program:
        try:
            _listens(listen)
            yield Warmer(listen, program)
        finally:
            program.kill()


def _listens(port: int) -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        with socket.socket() as line:
            if line.connect_ex(("127.0.0.1", port)) == 0:
                return
    raise AssertionError("it never listened")


def model(inputs: list[dict[str, Any]], infer: Reply = (200, {"outputs": []})) -> Respond:
    """A server of the Open Inference Protocol, ready at once."""

    def respond(what: str, _: bytes) -> Reply:
        known = {"GET /ready": (200, ""), "GET /v2/models/churn": (200, {"name": "churn", "inputs": inputs})}
        return infer if what == "POST /v2/models/churn/infer" else known.get(what, (404, ""))

    return respond


def test_a_pod_is_asked_until_its_model_answers() -> None:
    port = free()
    with warming(port) as warmer:
        assert warmer.ask() == 503
        with serving(model(DIGITS), port) as server:
            server.respond = lambda what, _: (503, "loading") if "infer" in what else model(DIGITS)(what, b"")
            assert [warmer.ask(), warmer.ask()] == [503, 503] and len(server.posted()) == 2
            server.respond = model(DIGITS)
            assert warmer.ask() == 200
        said = warmer.stop()
    assert "ConnectionRefusedError" in said[0]
    assert said[1:] == [
        'not warm yet: POST /v2/models/churn/infer: 503 "loading"',
        "warm: the model has answered",
    ]


def test_a_server_that_died_has_to_answer_anew() -> None:
    with serving(model(DIGITS)) as first, warming(first.port) as warmer:
        assert warmer.ask() == 200
        first.respond = lambda *_: (500, "out of memory")
        assert warmer.ask() == 503
        first.respond = model(DIGITS)
        assert warmer.ask() == 200 and len(first.posted()) == 2


def test_nothing_is_inferred_before_the_server_says_that_it_is_ready() -> None:
    with serving(lambda *_: (503, "")) as server, warming(server.port) as warmer:
        assert warmer.ask() == 503
        assert [what for what, _, _ in server.asked] == ["GET /ready"]


def test_zeros_have_the_shapes_and_types_that_the_model_names() -> None:
    inputs = [
        {"name": "a", "datatype": "FP32", "shape": [-1, 2, 3]},
        {"name": "b", "datatype": "BYTES", "shape": [-1]},
        {"name": "c", "datatype": "BOOL", "shape": [2]},
        {"name": "d", "datatype": "INT64", "shape": []},
    ]
    with serving(model(inputs)) as server, warming(server.port) as warmer:
        assert warmer.ask() == 200
        (body,) = server.posted()
    assert json.loads(body) == {
        "inputs": [
            {"name": "a", "datatype": "FP32", "shape": [1, 2, 3], "data": [0] * 6},
            {"name": "b", "datatype": "BYTES", "shape": [1], "data": [""]},
            {"name": "c", "datatype": "BOOL", "shape": [2], "data": [False, False]},
            {"name": "d", "datatype": "INT64", "shape": [], "data": [0]},
        ]
    }


def test_a_model_that_names_no_inputs_is_told_what_to_do() -> None:
    with serving(model([])) as server, warming(server.port) as warmer:
        assert warmer.ask() == 503 and not server.posted()
        assert "names no inputs: declare them with the model" in warmer.stop()[0]


def test_it_stays_small_whatever_it_sends() -> None:
    video = [{"name": "frames", "datatype": "FP32", "shape": [16, 3, 640, 640]}]
    with serving(model(video)) as server, warming(server.port) as warmer:
        assert warmer.ask() == 200
        sent = server.posted()[0].partition(b'"data":')[2]
        assert sent == b"[" + b"0," * (16 * 3 * 640 * 640 - 1) + b"0]}]}"
        assert warmer.peak() < LIMIT_KIB, f"{warmer.peak()} KiB"


def test_so_many_answers_in_a_row() -> None:
    with serving(model(DIGITS)) as server, warming(server.port, count=3) as warmer:
        assert warmer.ask() == 200 and len(server.posted()) == 3
        server.respond = lambda what, _: (500, "") if len(server.posted()) == 5 else model(DIGITS)(what, b"")
        assert warmer.ask() == 503 and len(server.posted()) == 5, "the second of three failed"


def test_probes_that_were_given_up_during_a_long_first_answer_ask_nothing() -> None:
    begun, gate = threading.Event(), threading.Event()

    def slow(what: str, body: bytes) -> Reply:
        if "infer" in what:
            begun.set()
            assert gate.wait(20)
        return model(DIGITS)(what, body)

    with serving(slow) as server, warming(server.port) as warmer:
        first = warmer.give_up()
        assert begun.wait(20)
        first.close()
        for _ in range(3):
            warmer.give_up().close()
        gate.set()
        assert warmer.ask() == 200
        assert len(server.posted()) == 2, "the first, and the one of the probe that waited"


@pytest.mark.parametrize("chat", [False, True])
def test_one_token_of_a_language_model(chat: bool) -> None:
    def respond(what: str, _: bytes) -> Reply:
        return {
            "GET /ready": (200, ""),
            "GET /v1/models": (200, {"data": [{"id": "llama"}, {"id": "adapter"}]}),
            "POST /v1/completions": (404, "no such path") if chat else (200, {}),
            "POST /v1/chat/completions": (200, {}),
        }[what]

    with serving(respond) as server, warming(server.port, request="OpenAI") as warmer:
        assert warmer.ask() == 200
        what, body, _ = server.asked[-1]
    assert what == f"POST /v1/{'chat/' if chat else ''}completions"
    assert json.loads(body).items() >= {"model": "llama", "max_tokens": 1}.items()


def test_a_language_model_that_fails_is_not_asked_to_chat() -> None:
    def respond(what: str, _: bytes) -> Reply:
        return (500, "no memory") if what.startswith("POST") else (200, {"data": [{"id": "llama"}]})

    with serving(respond) as server, warming(server.port, request="OpenAI") as warmer:
        assert warmer.ask() == 503 and len(server.posted()) == 1


def test_a_request_of_ones_own() -> None:
    own = {"request": "Custom", "method": "PUT", "path": "/predict", "body": "ünder", "contentType": "text/plain"}
    with serving(lambda what, _: (200 if what == "GET /ready" else 418, "")) as server:
        with warming(server.port, **own) as warmer:
            assert warmer.ask() == 503
        with warming(server.port, **own, status=418) as warmer:
            assert warmer.ask() == 200
        assert server.asked[-1] == ("PUT /predict", "ünder".encode(), "text/plain")


@pytest.mark.parametrize(
    "odd",
    [
        (200, b"no json"),
        (200, []),
        (200, {"inputs": [{"name": "a"}]}),
        (200, {"inputs": [{"name": "a", "datatype": "FP32", "shape": "wide"}]}),
        (200, {"inputs": 7}),
    ],
)
def test_an_odd_server_is_not_warm_and_ends_nothing(odd: Reply) -> None:
    respond = lambda what, _: odd if what.endswith("churn") else (200, "")  # noqa: E731
    with serving(respond) as server, warming(server.port) as warmer:
        assert warmer.ask() == 503
        server.respond = model(DIGITS)
        assert warmer.ask() == 200


@pytest.mark.parametrize("said", [b"", b"SSH-2.0\r\n", b"HTTP/1.1 x\r\n\r\n"])
def test_what_is_no_http_is_not_warm(said: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as door, warming(door.getsockname()[1]) as warmer:

        def once() -> None:
            line, _ = door.accept()
            with line:
                line.recv(1000)
                line.sendall(said)

        thread = threading.Thread(target=once)
        thread.start()
        assert warmer.ask() == 503
        thread.join()


@pytest.mark.parametrize("length", ["", "Content-Length: 999999999\r\n", "Content-Length: -1\r\n"])
def test_an_answer_is_read_up_to_a_limit_whatever_length_it_names(length: str) -> None:
    ours, theirs = socket.socketpair()
    said = f"HTTP/1.1 200 OK\r\n{length}\r\n".encode() + b"x" * (2 * warmup.LIMIT)
    sending = threading.Thread(target=_send, args=(theirs, said))
    sending.start()
    with ours:
        assert len(warmup._read(ours)[1]) <= warmup.LIMIT
    sending.join()


def _send(line: socket.socket, said: bytes) -> None:
    with line, suppress(OSError):
        line.sendall(said)
