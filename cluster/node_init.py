"""The first process of a node: runs inside the node's own process, mount and network namespaces.

Everything on the node is its descendant, so when it dies the kernel ends all the rest, unmounts what they mounted and
removes their network: no crash of ours can leave a trace on the machine. Run as a script with one argument, the node
folder; it begins once the other side has put the network wire in place and says so on stdin.
"""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

_RUNTIME_SECONDS = 60


def main(folder: Path) -> int:
    """Prepares the namespaces, starts the programs, and ends as soon as one of them does."""
    if sys.stdin.readline().strip() != "begin":
        return 1
    orders: dict[str, Any] = json.loads((folder / "init.json").read_text())
    for words in orders["setup"]:
        subprocess.run(words, check=True)
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    started: dict[int, tuple[str, subprocess.Popen[bytes]]] = {}  # held, lest Python itself collects the exit status
    for name, words in orders["programs"]:
        if name == "kubelet":
            _wait_for_socket(orders["socket"])
        program = _start(words, Path(orders["log"]) / f"{name}.log")
        started[program.pid] = (name, program)
    return _reap({pid: name for pid, (name, _) in started.items()})


def _start(words: list[str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        return subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=output, stderr=output)


def _wait_for_socket(path: str) -> None:
    # The kubelet gives up if its runtime does not answer at its first call.
    until = time.monotonic() + _RUNTIME_SECONDS
    while time.monotonic() < until:
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(path) == 0:
                return
        time.sleep(0.02)
    raise SystemExit(f"containerd did not listen on {path} within {_RUNTIME_SECONDS}s")


def _reap(names: dict[int, str]) -> int:
    """Collects orphans, as init must, until a program of the node itself ends."""
    while True:
        pid, status = os.wait()
        if pid in names:
            print(f"{names[pid]} ended with status {os.waitstatus_to_exitcode(status)}: the node ends", flush=True)
            return 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
