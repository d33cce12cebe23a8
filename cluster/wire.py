"""The network between this machine and a node: a bridge, one wire, two routes, and address translation to the outside.

All that is changed on the machine is here and is taken back by `remove`, which may be called when nothing is there.
"""

import json
import subprocess
from pathlib import Path

from cluster.errors import ClusterError
from cluster.kube import wait_for
from cluster.network import Block

_TABLES = "penstock"


def make_bridge(block: Block) -> None:
    """The machine's end: it stays when the node dies, so that the API server keeps its address."""
    _ip("link", "add", block.bridge, "type", "bridge")
    _ip("address", "add", f"{block.host_address}/24", "dev", block.bridge)
    _ip("link", "set", block.bridge, "up")
    _nft(outside_rules(block))


def outside_rules(block: Block) -> str:
    """Pods reach the outside with this machine's address; traffic to the machine's own side keeps theirs."""
    table = f"{_TABLES}-{block.index}"
    return f"""table ip {table} {{
  chain outside {{
    type nat hook postrouting priority srcnat;
    ip saddr {{ {block.pods}, {block.link} }} oifname != "{block.bridge}" masquerade
  }}
}}
"""


def connect(block: Block, node_pid: int) -> None:
    """Puts the wire's other end into the node's network namespace, once that exists."""
    own = str(Path("/proc/self/ns/net").readlink())
    wait_for("the node's network namespace", lambda: _namespace(node_pid) != own, 10)
    _ip("link", "add", f"{block.bridge}w", "type", "veth", "peer", "name", "eth0", "netns", str(node_pid))
    _ip("link", "set", f"{block.bridge}w", "master", block.bridge, "up")
    for ranges in (block.pods, block.services):
        _ip("route", "replace", ranges, "via", block.node_address, "dev", block.bridge)


def _namespace(pid: int) -> str:
    try:
        return str(Path(f"/proc/{pid}/ns/net").readlink())
    except FileNotFoundError:
        raise ClusterError(
            "the node ended before it began (see log/node.log): namespaces need a machine or VM of its own"
        ) from None


def node_commands(block: Block) -> list[list[str]]:
    """What the node does at its end."""
    return [
        ["ip", "link", "set", "lo", "up"],
        ["ip", "address", "add", f"{block.node_address}/24", "dev", "eth0"],
        ["ip", "link", "set", "eth0", "up"],
        ["ip", "route", "add", "default", "via", block.host_address],
    ]


def remove(block: Block) -> None:
    """Takes everything back."""
    for device in (f"{block.bridge}w", block.bridge):
        if _exists(device):
            _delete(device)
    if f"{_TABLES}-{block.index}" in _tables():
        _nft(f"delete table ip {_TABLES}-{block.index}")


def _exists(device: str) -> bool:
    return Path(f"/sys/class/net/{device}").exists()


def _delete(device: str) -> None:
    try:
        _ip("link", "delete", device)
    except ClusterError:
        if _exists(device):  # else its other end went with the node's namespace in this very moment
            raise


def _tables() -> list[str]:
    listed = json.loads(_run(["nft", "--json", "list", "tables"]) or "{}")
    return [each["table"]["name"] for each in listed.get("nftables", []) if "table" in each]


def _ip(*words: str) -> None:
    _run(["ip", *words])


def _nft(rules: str) -> None:
    _run(["nft", "-f", "-"], rules)


def _run(words: list[str], stdin: str | None = None) -> str:
    try:
        done = subprocess.run(words, input=stdin, check=False, capture_output=True, text=True)
    except FileNotFoundError:
        raise ClusterError(f"the program {words[0]} is missing") from None
    if done.returncode:
        raise ClusterError(f"`{' '.join(words)}` failed: {done.stderr.strip()}")
    return done.stdout
