"""The provider `kind`: a cluster inside a Docker container, for machines that have Docker.

The node image comes from where kind takes it, which is outside the package registries that all else comes from.
"""

import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from cluster import build, system
from cluster.errors import ClusterError
from cluster.paths import state_dir
from cluster.progress import step


class Kind:
    """One kind cluster by name."""

    def __init__(self, cluster_name: str) -> None:
        self.name = cluster_name
        self.state = state_dir(f"kind-{cluster_name}")
        self._kind_name = f"penstock-{cluster_name}"

    def kubeconfig(self) -> Path:
        """Where kind writes it, and nothing into the user's own."""
        return self.state / "kubeconfig"

    def up(self) -> None:
        """Creates the cluster unless it is there, and adds metrics-server, which kind leaves out."""
        if self._kind_name in self._kind("get", "clusters").split():
            return
        self.state.mkdir(parents=True, exist_ok=True)
        with step("kind cluster"):
            self._kind("create", "cluster", "--kubeconfig", str(self.kubeconfig()), "--wait", "120s")
        self.load(system.archives(("metrics-server",)))
        system.install_metrics(self.kubeconfig(), kubelets_have_our_certificates=False)

    def down(self) -> None:
        """Deletes the cluster; fine when there is none."""
        self._kind("delete", "cluster", "--kubeconfig", str(self.kubeconfig()))
        shutil.rmtree(self.state, ignore_errors=True)

    def load(self, archives: Iterable[Path]) -> None:
        """Copies images into the node container."""
        for path in archives:
            self._kind("load", "image-archive", str(path))

    def image(self, reference: str) -> str:
        """As it was built: it lies in the node under that name."""
        return reference

    def invite(self, pid: int) -> None:
        """Nothing: its node is one container among others, and weighs as one."""

    def status(self) -> dict[str, str]:
        """Whether kind knows the cluster."""
        there = self._kind_name in self._kind("get", "clusters").split()
        return {"kind": "running" if there else "absent"}

    def _kind(self, *words: str) -> str:
        named = [] if words[:2] == ("get", "clusters") else ["--name", self._kind_name]
        done = subprocess.run([build.program("kind"), *words, *named], check=False, capture_output=True, text=True)
        if done.returncode:
            raise ClusterError(f"kind {' '.join(words[:2])}: {done.stderr.strip().splitlines()[-1:]}")
        return done.stdout
