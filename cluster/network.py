"""Gives each cluster ports and address ranges that nobody else on the machine uses.

A cluster owns one block: a number from which its ports and its three ranges follow. The block is written down with the
cluster, so that it keeps its addresses. Nothing is reserved in the kernel: a stranger who takes a port later makes the
start fail with a clear line, never silently.
"""

import ipaddress
import json
import socket
import subprocess
import zlib
from dataclasses import dataclass
from pathlib import Path

from cluster.errors import ClusterError
from cluster.locks import locked
from cluster.paths import lock_folder, state_root

_BLOCKS = 250
_FIRST_PORT = 20000
_PORTS_PER_BLOCK = 20
_PORT_NAMES = ("api", "etcd", "etcd-peer", "controller-manager", "scheduler", "kwok")


@dataclass(frozen=True)
class Block:
    """All numbers of one cluster."""

    index: int

    def port(self, name: str) -> int:
        """The port of a control plane component."""
        return _FIRST_PORT + self.index * _PORTS_PER_BLOCK + _PORT_NAMES.index(name)

    @property
    def link(self) -> str:
        """Between this machine and the node."""
        return f"10.213.{self.index}.0/24"

    @property
    def pods(self) -> str:
        """Pod addresses."""
        return f"10.214.{self.index}.0/24"

    @property
    def services(self) -> str:
        """Service addresses."""
        return f"10.215.{self.index}.0/24"

    @property
    def host_address(self) -> str:
        """Where the node sees this machine: the API server listens here."""
        return f"10.213.{self.index}.1"

    @property
    def node_address(self) -> str:
        """The node."""
        return f"10.213.{self.index}.2"

    @property
    def dns_address(self) -> str:
        """The kube-dns Service."""
        return f"10.215.{self.index}.10"

    @property
    def kubernetes_address(self) -> str:
        """The Service through which pods reach the API server: always the first of the range."""
        return f"10.215.{self.index}.1"

    @property
    def bridge(self) -> str:
        """The device on this machine (15 characters at most)."""
        return f"penstock{self.index}"


def claim(state: Path) -> Block:
    """The block of a cluster: the one it has, or a free one from now on."""
    with locked("network", lock_folder()):
        written = _read(state)
        if written is not None:
            return written
        block = _free(state)
        state.mkdir(parents=True, exist_ok=True)
        (state / "network.json").write_text(json.dumps({"index": block.index}))
        return block


def of(state: Path) -> Block | None:
    """The block that a cluster has, if it has one."""
    return _read(state)


def _read(state: Path) -> Block | None:
    try:
        return Block(int(json.loads((state / "network.json").read_text())["index"]))
    except (OSError, ValueError, KeyError):
        return None


def _free(state: Path) -> Block:
    taken = {block.index for path in state_root().glob("*/network.json") if (block := _read(path.parent))}
    routes = _routes()
    start = zlib.crc32(str(state).encode())  # two state roots hardly ever begin at the same block
    for step in range(_BLOCKS):
        block = Block((start + step) % _BLOCKS)
        if block.index not in taken and not overlaps(block, routes) and _ports_free(block):
            return block
    raise ClusterError("no free block of ports 20000-25000 and addresses 10.213-215.x.0/24 is left on this machine")


def overlaps(block: Block, routes: list[str]) -> bool:
    """Whether a route of this machine already leads into one of the block's ranges."""
    ours = [ipaddress.ip_network(each) for each in (block.link, block.pods, block.services)]
    return any(mine.overlaps(ipaddress.ip_network(route, strict=False)) for mine in ours for route in routes)


def _routes() -> list[str]:
    try:
        shown = subprocess.run(
            ["ip", "-json", "-4", "route", "show", "table", "all"], check=False, capture_output=True, text=True
        )
    except FileNotFoundError:
        return []  # no ip program: only a control plane can be started, which has no ranges to clash
    named = [
        entry["dst"] for entry in json.loads(shown.stdout or "[]") if entry.get("type") in (None, "local", "unicast")
    ]
    return [route for route in named if route not in ("default", "0.0.0.0/0")]


def _ports_free(block: Block) -> bool:
    for name in _PORT_NAMES:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("", block.port(name)))
            except OSError:
                return False
    return True
