"""CRDs taken out of Go modules: what a real API server takes of an object is tried on them. Only schemas run here."""

import json
import subprocess
from pathlib import Path

from cluster import gotool
from cluster.errors import ClusterError
from cluster.programs import PINS, module_version

# By the folder of the pin: the module, and the file in it.
_MODULES = {
    "istio-api": ("istio.io/api", "kubernetes/customresourcedefinitions.gen.yaml"),
    "keda": ("github.com/kedacore/keda/v2", "config/crd/bases/keda.sh_scaledobjects.yaml"),
}


def istio() -> Path:
    """The file with all of Istio's."""
    return _file("istio-api")


def keda() -> Path:
    """The file with KEDA's ScaledObject."""
    return _file("keda")


def _file(pin: str) -> Path:
    module, place = _MODULES[pin]
    version = module_version(PINS / pin / "go.mod", module)
    command = [str(gotool.go()), "mod", "download", "-json", f"{module}@{version}"]
    found = subprocess.run(
        command, cwd=PINS / pin, env=gotool.environment(), check=False, capture_output=True, text=True
    )
    if found.returncode:
        raise ClusterError(f"the module {module} is not to be had: {found.stderr.strip() or found.stdout.strip()}")
    return Path(json.loads(found.stdout)["Dir"]) / place
