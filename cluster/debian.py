"""The few programs of the machine's own distribution that a node needs, installed where that can be done unasked.

It must never remove or replace a package: runc, for one, also comes with other container engines.
"""

import importlib.util
import os
import shutil
import subprocess

from cluster.errors import ClusterError
from cluster.progress import step

# program -> Debian package
NODE_TOOLS = {
    "nft": "nftables",
    "ip": "iproute2",
    "runc": "runc",
    "openssl": "openssl",
    "unshare": "util-linux",
    "mount": "mount",
}
_PLACES = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def install_node_tools() -> None:
    """Makes sure that a node can run here, or says in one line why it cannot."""
    if os.geteuid() != 0:
        raise ClusterError(
            "a node needs root (namespaces, control groups); "
            "without it: `up --control-plane`, or CLUSTER=kind with Docker"
        )
    _widen_path()
    missing = missing_packages(NODE_TOOLS)
    if missing:
        install(missing)


def install_for_root(modules: dict[str, str]) -> None:
    """Python modules that Debian keeps in packages of their own; without root, whoever needs one complains."""
    missing = [package for module, package in modules.items() if importlib.util.find_spec(module) is None]
    if missing and os.geteuid() == 0:
        install(missing)


def missing_packages(tools: dict[str, str]) -> list[str]:
    """The packages of those programs that are not on the PATH."""
    return [package for program, package in tools.items() if shutil.which(program) is None]


def install(packages: list[str]) -> None:
    """apt-get, or one line that says what to install by other means."""
    if shutil.which("apt-get") is None:
        raise ClusterError(
            f"missing, and no apt-get to get them with: {' '.join(packages)}; "
            "install them with this system's package manager"
        )
    with step(f"installed {' '.join(packages)}"):
        wait = ["-o", "DPkg::Lock::Timeout=300"]
        for words in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", "--no-remove", *packages]):
            done = subprocess.run(
                ["apt-get", *wait, *words],
                check=False,
                capture_output=True,
                text=True,
                env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            )
            if done.returncode:
                raise ClusterError(f"apt-get {words[0]} failed: {' | '.join(done.stderr.strip().splitlines()[-2:])}")


def _widen_path() -> None:
    # A root shell that came from `su` has no sbin, where nft and runc live.
    here = os.environ.get("PATH", "").split(":")
    os.environ["PATH"] = ":".join([*here, *(each for each in _PLACES.split(":") if each not in here)])
