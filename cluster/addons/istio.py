"""Istio's CRDs, taken out of the Go module of its API: what a real API server takes of a VirtualService is tried on it.

Only schemas: no Istio runs here.
"""

import json
import subprocess
from pathlib import Path

from cluster import gotool
from cluster.errors import ClusterError
from cluster.programs import PINS, module_version

_MODULE = "istio.io/api"
_PIN = PINS / "istio-api"


def crds() -> Path:
    """The file with all of them."""
    version = module_version(_PIN / "go.mod", _MODULE)
    command = [str(gotool.go()), "mod", "download", "-json", f"{_MODULE}@{version}"]
    found = subprocess.run(command, cwd=_PIN, env=gotool.environment(), check=False, capture_output=True, text=True)
    if found.returncode:
        raise ClusterError(f"the module {_MODULE} is not to be had: {found.stderr.strip() or found.stdout.strip()}")
    return Path(json.loads(found.stdout)["Dir"]) / "kubernetes" / "customresourcedefinitions.gen.yaml"
