"""Envoy Gateway's Helm charts, taken out of the Go module that the program itself is built from.

Why it exists: charts and program then have one version and one checksum, and nothing is downloaded twice. It must not
change a template: what differs for us goes into the values.
"""

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from string import Template

from cluster import build, gotool
from cluster.errors import ClusterError
from cluster.paths import cache_root
from cluster.programs import find

_MODULE = "github.com/envoyproxy/gateway"
_CHARTS = ("gateway-helm", "gateway-crds-helm")


def folder(chart: str) -> Path:
    """A chart that helm can install, kept in the cache."""
    final = cache_root() / "charts" / f"gateway-{find('envoy-gateway').version}"
    if not final.exists():
        _extract(final)
    return final / chart


def helm(kubeconfig: Path, *words: str) -> str:
    """Runs our helm with a home of its own, so that nothing of the user's configuration takes part."""
    with tempfile.TemporaryDirectory() as home:
        homes = {f"HELM_{name}_HOME": home for name in ("CONFIG", "CACHE", "DATA")}
        environment = {**os.environ, **homes, "KUBECONFIG": str(kubeconfig)}
        command = [str(build.program("helm")), *words]
        done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise ClusterError(f"helm {words[0]}: {done.stderr.strip()}")
    return done.stdout


def _extract(final: Path) -> None:
    source = _module_folder() / "charts"
    final.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=final.parent) as work:
        made = Path(work) / "charts"
        for chart in _CHARTS:
            # copyfile: the module cache is read-only, and its modes would come along.
            shutil.copytree(source / chart, made / chart, copy_function=shutil.copyfile)
        for path in [made, *(path for path in made.rglob("*") if path.is_dir())]:
            path.chmod(0o755)
        _write_values(made / "gateway-helm")
        if not final.exists():
            made.rename(final)


def _write_values(chart: Path) -> None:
    """The release process fills two image names in; ours come with the values of the install."""
    text = (chart / "values.tmpl.yaml").read_text()
    (chart / "values.yaml").write_text(
        Template(text).safe_substitute(GatewayImage="unset", GatewayImagePullPolicy="IfNotPresent")
    )


def _module_folder() -> Path:
    program = find("envoy-gateway")
    command = [str(gotool.go()), "mod", "download", "-json", f"{_MODULE}@{program.version}"]
    found = subprocess.run(
        command, cwd=program.pin_dir, env=gotool.environment(), check=False, capture_output=True, text=True
    )
    if found.returncode:
        raise ClusterError(f"the module {_MODULE} is not to be had: {found.stderr.strip() or found.stdout.strip()}")
    return Path(json.loads(found.stdout)["Dir"])
