"""Where a cluster comes from, chosen by the environment variable CLUSTER: local, kind or current.

All providers answer to one interface; nothing outside this folder may ask which one it is.
"""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

from cluster.errors import ClusterError
from cluster.paths import DEFAULT_NAME
from cluster.providers.current import Current
from cluster.providers.kind import Kind
from cluster.providers.local import Local


class Provider(Protocol):
    """A cluster that can be started, filled with images, and stopped."""

    name: str

    def up(self) -> None:
        """A whole cluster, ready to use; nothing to do if it runs."""

    def down(self) -> None:
        """Ends what `up` began."""

    def load(self, archives: Iterable[Path]) -> None:
        """Makes images from archives available to pods."""

    def image(self, reference: str) -> str:
        """How pods of this cluster must spell an image that `load` made available."""

    def invite(self, pid: int) -> None:
        """Lets a process of this machine ask the cluster's pods without having to wait for them to leave it a core."""

    def kubeconfig(self) -> Path:
        """An administrator's kubeconfig."""

    def status(self) -> dict[str, str]:
        """What runs, for people."""


PROVIDERS: dict[str, Callable[[str], Provider]] = {"local": Local, "kind": Kind, "current": Current}


def get(name: str = DEFAULT_NAME) -> Provider:
    """The provider that CLUSTER names; kind where a Docker daemon answers, else local."""
    wanted = os.environ.get("CLUSTER") or ("kind" if docker_answers() else "local")
    if wanted not in PROVIDERS:
        raise ClusterError(f"CLUSTER={wanted} is none of: {' '.join(PROVIDERS)}")
    return PROVIDERS[wanted](name)


def docker_answers() -> bool:
    """Whether there is a daemon behind the docker program, and not only the program."""
    if shutil.which("docker") is None:
        return False
    return (
        subprocess.run(
            ["docker", "version", "--format", "{{.Server.Version}}"], check=False, capture_output=True
        ).returncode
        == 0
    )
