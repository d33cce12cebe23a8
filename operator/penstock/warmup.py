"""The warm-up container: turns the kubelet's startup probe of a server into a request that only the model can answer.

The kubelet asks here whether the server beside has started. It gets 200 only where the model has answered well since it
asked, so nothing is remembered: a server that died is asked about anew by the kubelet, and has to answer anew. One
question at a time. It runs in every pod of a warmed revision, so it imports nothing that is large, no other module of
Penstock, and talks to nobody but 127.0.0.1.
"""

import json
import signal
import socket
import sys
from math import prod

BLOCK = 64 * 1024  # bytes that are read or written at once
LIMIT = 1024 * 1024  # bytes of an answer that are looked at
COLD = 600.0  # seconds that a first answer may take: a model may compile itself; the kubelet asks again meanwhile
ZEROS = {"BOOL": b"false", "BYTES": b'""'}
Body = list[tuple[bytes, int]]  # runs: a text, and how often it comes; an image's zeros never lie in memory at once


class Wish:
    """What the operator asks for: the container's only argument."""

    def __init__(self, text: str) -> None:
        found = json.loads(text)
        self.listen: int = found["listen"]
        self.port: int = found["port"]
        self.ready: str = found["ready"]
        self.model: str = found["model"]
        self.request: str = found["request"]
        self.count: int = found["count"]
        self.method: str = found.get("method", "")
        self.path: str = found.get("path", "")
        self.body: str = found.get("body", "")
        self.kind: str = found.get("contentType", "")
        self.status: int | None = found.get("status")


def main() -> None:
    """Answer the kubelet until told to stop."""
    wish = Wish(sys.argv[1])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # the first process of a container has no default for it
    both = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if both else socket.AF_INET
    with socket.create_server(("", wish.listen), family=family, backlog=64, dualstack_ipv6=both) as door:
        told: str | None = None
        while True:
            line, _ = door.accept()
            with line:
                told = answer(line, wish, told)


def answer(line: socket.socket, wish: Wish, told: str | None) -> str | None:
    """Answer one probe; what was said last comes in and goes out, so that the log has each trouble once."""
    try:
        if not _is_waiting(line):
            return told
        trouble = cold(wish)
        if trouble != told or not trouble:
            print(f"not warm yet: {trouble}" if trouble else "warm: the model has answered", flush=True)
        line.sendall(f"HTTP/1.0 {'503 Cold' if trouble else '200 OK'}\r\nContent-Length: 0\r\n\r\n".encode())
        return trouble
    except OSError:  # who asked has gone
        return told


def _is_waiting(line: socket.socket) -> bool:
    """Whether who asked still waits: questions pile up, and are given up, while a first answer takes its time."""
    line.settimeout(1.0)
    line.recv(BLOCK)
    line.setblocking(False)
    try:
        return bool(line.recv(1))
    except BlockingIOError:
        return True
    finally:
        line.settimeout(1.0)


def cold(wish: Wish) -> str:
    """Why the model is not warm; empty where it has just answered as often as it should."""
    try:
        trouble, _ = _got(wish, wish.ready)
        return trouble or next(filter(None, (REQUESTS[wish.request](wish) for _ in range(wish.count))), "")
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        return f"{type(error).__name__}: {error}"


def open_inference(wish: Wish) -> str:
    """Zeros of the shapes and datatypes that the model itself names."""
    path = f"/v2/models/{wish.model}"
    trouble, body = _got(wish, path)
    if trouble:
        return trouble
    inputs = json.loads(body).get("inputs")
    if not inputs:
        return f"GET {path} names no inputs: declare them with the model, or set spec.server.warmup to Custom or None"
    runs: Body = [(b'{"inputs":[', 1)]
    for number, tensor in enumerate(inputs):
        shape = [max(1, size) for size in tensor["shape"]]
        head = json.dumps({"name": tensor["name"], "datatype": tensor["datatype"], "shape": shape})[:-1] + ', "data":['
        zero = ZEROS.get(tensor["datatype"], b"0")
        runs += [(("," if number else "").encode() + head.encode(), 1)]
        runs += [(zero + b",", prod(shape) - 1), (zero + b"]}", 1)]
    return _posted(wish, f"{path}/infer", [*runs, (b"]}", 1)])


def open_ai(wish: Wish) -> str:
    """One token of a completion, or of a chat where the server knows no completions."""
    trouble, body = _got(wish, "/v1/models")
    if trouble:
        return trouble
    one = {"model": json.loads(body)["data"][0]["id"], "max_tokens": 1}
    trouble = _posted(wish, "/v1/completions", _json(one | {"prompt": "a"}))
    if not trouble.startswith("POST /v1/completions: 4"):
        return trouble
    return _posted(wish, "/v1/chat/completions", _json(one | {"messages": [{"role": "user", "content": "a"}]}))


def custom(wish: Wish) -> str:
    """The request as it was written."""
    asked = f"{wish.method} {wish.path}"
    status, body = ask(wish.port, asked, [(wish.body.encode(), 1)], wish.kind)
    good = status == wish.status if wish.status else 200 <= status < 300
    return "" if good else _said(asked, status, body)


REQUESTS = {"OpenInferenceV2": open_inference, "OpenAI": open_ai, "Custom": custom}


def _got(wish: Wish, path: str) -> tuple[str, bytes]:
    """What is wrong with the answer, and its body. A probe's answer may be 3xx, as for the kubelet."""
    status, body = ask(wish.port, f"GET {path}")
    return "" if 200 <= status < 400 else _said(f"GET {path}", status, body), body


def _posted(wish: Wish, path: str, body: Body) -> str:
    status, found = ask(wish.port, f"POST {path}", body)
    return "" if 200 <= status < 300 else _said(f"POST {path}", status, found)


def _said(asked: str, status: int, body: bytes) -> str:
    words = " ".join(body[:200].decode(errors="replace").split())
    return f"{asked}: {status} {words}".rstrip()


def _json(value: dict[str, object]) -> Body:
    return [(json.dumps(value).encode(), 1)]


def ask(port: int, asked: str, body: Body | None = None, kind: str = "application/json") -> tuple[int, bytes]:
    """Status and body of the server's answer to a method and path. HTTP/1.0, as then no server answers in chunks."""
    runs = body or []
    size = sum(len(text) * times for text, times in runs)
    head = f"{asked} HTTP/1.0\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Type: {kind}\r\n"
    with socket.create_connection(("127.0.0.1", port), COLD) as line:
        line.sendall(f"{head}Content-Length: {size}\r\n\r\n".encode())
        for text, times in runs:
            _send(line, text, times)
        return _read(line)


def _send(line: socket.socket, text: bytes, times: int) -> None:
    step = max(1, BLOCK // len(text)) if text else 1
    for _ in range(times // step):
        line.sendall(text * step)
    line.sendall(text * (times % step))


def _read(line: socket.socket) -> tuple[int, bytes]:
    with line.makefile("rb") as found:
        first = found.readline(BLOCK).split(None, 2)
        if len(first) < 2:
            raise ConnectionError("the server ended the connection without an answer")
        size = LIMIT
        while (header := found.readline(BLOCK)) not in (b"\r\n", b"\n", b""):
            name, _, value = header.partition(b":")
            size = max(0, min(LIMIT, int(value))) if name.strip().lower() == b"content-length" else size
        return int(first[1]), found.read(size)


if __name__ == "__main__":
    main()
