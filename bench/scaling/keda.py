"""KEDA itself in the place of our own API for external metrics: built from its module, installed, and taken away again.

It takes long to build, so nothing else needs it. What is applied are the manifests of the module.
"""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cluster import gotool, images
from cluster.addons import charts, schemas
from cluster.errors import ClusterError
from cluster.images.archive import Config
from cluster.paths import cache_root
from cluster.progress import begin, step
from examples.demo import ROOT
from examples.demo.kube import Kubectl
from examples.demo.setup import PATIENCE, SYSTEM

PROGRAMS = {"keda-metrics-apiserver": ("adapter", "/keda-adapter"), "keda": ("operator", "/keda")}
"""By the name of the image: the folder in cmd/, and where the manifests expect the program."""
NAMESPACE, API = "keda", "v1beta1.external.metrics.k8s.io"
FOLDERS = ("general", "crd/bases", "service_account", "rbac", "manager", "metrics-server")
SET = "upgrade", "penstock", str(ROOT / "helm" / "penstock"), "--namespace", SYSTEM, "--reuse-values", "--wait"


def archives() -> list[Path]:
    """The images of both programs, built where they are not."""
    made = _built()
    return [
        images.from_files(_image(name), {target: made / name}, Config(entrypoint=(target,)))
        for name, (_, target) in PROGRAMS.items()
    ]


@contextmanager
def there(kubectl: Kubectl) -> Iterator[None]:
    """KEDA owns the external metrics, and it scales; in the end all is as before."""
    use(kubectl, keda=False)
    with step("KEDA"):
        kubectl.run("apply", "--server-side", "--force-conflicts", "-f", "-", given=_manifests())
        for name in ("keda-operator", "keda-metrics-apiserver"):
            kubectl.run("rollout", "status", f"deployment/{name}", "-n", NAMESPACE, f"--timeout={PATIENCE}")
        kubectl.run("wait", "--for=condition=Available", f"apiservice/{API}", f"--timeout={PATIENCE}")
    use(kubectl, keda=True)
    try:
        yield
    finally:
        use(kubectl, keda=False)
        kubectl.run("wait", "--for=delete", "scaledobjects", "--all", "-A", f"--timeout={PATIENCE}")
        kubectl.run("delete", "--ignore-not-found", "-f", "-", given=_manifests())
        use(kubectl, keda=False, own=True)


def use(kubectl: Kubectl, keda: bool, own: bool = False) -> None:
    """What the administrator says in the chart's values: KEDA scales, or the cluster; `own`: we own the API."""
    values = {"keda.use": keda, "externalMetrics.install": own}
    words = [word for name, value in values.items() for word in ("--set", f"{name}={str(value).lower()}")]
    charts.helm(Path(kubectl.kubeconfig), *SET, f"--timeout={PATIENCE}", *words)


def _image(name: str) -> str:
    return f"penstock.local/{name}:{version()}"


def version() -> str:
    """The pinned one, as v2.20.2."""
    return _source().name.rpartition("@")[2]


def _source() -> Path:
    """The module's folder, whose name ends with @ and the version."""
    return schemas.keda().parents[3]


def _built() -> Path:
    """The folder with both programs, of this version and this compiler."""
    source = _source()
    final = cache_root() / "bin" / f"keda-{version()}-{gotool.go_version()}"
    if not final.exists():
        final.parent.mkdir(parents=True, exist_ok=True)
        begin(f"building KEDA {version()}")
        with step(f"built KEDA {version()}"), tempfile.TemporaryDirectory(dir=final.parent) as work:
            # copyfile: the module cache is read-only, and its modes would come along.
            shutil.copytree(source, f"{work}/source", copy_function=shutil.copyfile)
            for name, (folder, _) in PROGRAMS.items():
                _compile(Path(work), folder, f"{work}/made/{name}")
            Path(f"{work}/made").rename(final)
    return final


def _compile(work: Path, folder: str, out: str) -> None:
    command = ["nice", str(gotool.go()), "build", "-p", "1", "-trimpath", "-ldflags", "-s -w", "-o", out]
    environment = gotool.environment() | {"GOMAXPROCS": "1"}
    done = subprocess.run(
        [*command, f"./cmd/{folder}"],
        cwd=work / "source",
        env=environment,
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise ClusterError(f"KEDA did not build: {' | '.join(done.stderr.strip().splitlines()[-3:])}")


def _manifests() -> str:
    """All of KEDA but its webhooks, which nothing here needs, with our images."""
    files = [each for folder in FOLDERS for each in sorted((_source() / "config" / folder).glob("*.yaml"))]
    text = "\n---\n".join(each.read_text() for each in files if each.name != "kustomization.yaml")
    text = re.sub(r"image: \S+/(keda[a-z-]*):latest", lambda found: f"image: {_image(found[1])}", text)
    text = text.replace("imagePullPolicy: Always", "imagePullPolicy: IfNotPresent")
    rotated = "- --enable-cert-rotation=true"
    return re.sub(rf"( *){rotated}", rf"\1{rotated}\n\1- --enable-webhook-patching=false", text)
