"""The provider `current`: the cluster that the user's own kubeconfig names, which is never created and never removed.

Images reach it through a registry that the user names; loading archives into somebody else's nodes is not possible.
"""

import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterable
from pathlib import Path

from cluster.errors import ClusterError
from cluster.progress import step


class Current:
    """The cluster in KUBECONFIG's current context."""

    def __init__(self, cluster_name: str) -> None:
        self.name = cluster_name

    def kubeconfig(self) -> Path:
        """The first file of KUBECONFIG, or kubectl's default."""
        return Path((os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")).split(os.pathsep)[0])

    def up(self) -> None:
        """Only checks that the cluster can be named."""
        if not self.kubeconfig().exists():
            raise ClusterError(f"CLUSTER=current, but there is no kubeconfig {self.kubeconfig()}")

    def down(self) -> None:
        """Nothing: it is not ours."""

    def load(self, archives: Iterable[Path]) -> None:
        """Pushes images to the registry that IMAGE_PREFIX names."""
        if shutil.which("skopeo") is None:
            raise ClusterError("the program skopeo is missing: apt-get install skopeo")
        for path in archives:
            with step(f"pushed {path.name}"):
                _push(path, self.image(_reference(path)))

    def image(self, reference: str) -> str:
        """The same name and tag below the user's prefix instead of ours."""
        prefix = os.environ.get("IMAGE_PREFIX", "").rstrip("/")
        if not prefix:
            raise ClusterError(
                "CLUSTER=current needs IMAGE_PREFIX=registry/folder: a place to push to that the cluster can pull from"
            )
        return f"{prefix}/{reference.partition('/')[2]}"

    def invite(self, pid: int) -> None:
        """Nothing: its nodes are elsewhere."""

    def status(self) -> dict[str, str]:
        """Nothing here is ours to watch."""
        return {"current": str(self.kubeconfig())}


def _push(path: Path, target: str) -> None:
    done = subprocess.run(
        ["skopeo", "copy", "--quiet", f"docker-archive:{path}", f"docker://{target}"],
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise ClusterError(f"{target} could not be pushed: {done.stderr.strip()}")


def _reference(path: Path) -> str:
    with tarfile.open(path) as archive:
        manifest = archive.extractfile("manifest.json")
        if manifest is None:
            raise ClusterError(f"{path} is not a docker-archive")
        return str(json.load(manifest)[0]["RepoTags"][0])
