"""What the demonstration and the e2e tests need beyond Kubernetes: a gateway and a Prometheus, both real.

Why it exists: traffic is split and judged by the same programs that people run in production. It must be repeatable (a
second run changes nothing) and must not create a Gateway: gateways belong to those who use them.
"""

import hashlib
import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from string import Template

from cluster import images
from cluster.addons import charts
from cluster.kube import kubectl
from cluster.programs import find
from cluster.progress import step

NAMES = ("envoy", "envoy-gateway", "prometheus")
GATEWAY_NAMESPACE = "envoy-gateway-system"
GATEWAY_CLASS = "penstock"
PROMETHEUS = "http://prometheus.monitoring.svc:9090"
_MANIFESTS = Path(__file__).resolve().parent / "manifests"
_PATIENCE = "180s"
Naming = Callable[[str], str]


def archives() -> list[Path]:
    """The images to load into the nodes before `install`."""
    return [one.archive for one in images.images_of(NAMES).values()]


def install(kubeconfig: Path, naming: Naming = str) -> None:
    """Installs or updates the add-ons and returns when they are ready; `naming` is the provider's name for an image."""
    rendered = {path.name: _rendered(path, naming) for path in sorted(_MANIFESTS.iterdir())}
    mark = _mark(rendered)
    if _installed(kubeconfig) != mark:
        _install(kubeconfig, rendered)
        _apply(kubeconfig, json.dumps(_record(mark)))
    with step("add-ons ready"):
        _wait(kubeconfig, "rollout", "status", "deployment/envoy-gateway", f"--namespace={GATEWAY_NAMESPACE}")
        _wait(kubeconfig, "rollout", "status", "deployment/prometheus", "--namespace=monitoring")
        _wait(kubeconfig, "wait", "--for=condition=Accepted", f"gatewayclass/{GATEWAY_CLASS}")


def _install(kubeconfig: Path, rendered: Mapping[str, str]) -> None:
    with step("Gateway API"):
        crds = charts.folder("gateway-crds-helm")
        _apply(kubeconfig, charts.helm(kubeconfig, "template", "gateway-crds", str(crds), *_CRDS))
        _wait(kubeconfig, "wait", "--for=condition=Established", "crd", "--all")
    _apply(kubeconfig, rendered["prometheus.yaml"])
    with step("Envoy Gateway"), tempfile.TemporaryDirectory() as folder:
        values = Path(folder) / "values.yaml"
        values.write_text(rendered["gateway-values.yaml"])
        how = [f"--namespace={GATEWAY_NAMESPACE}", "--create-namespace", "--skip-crds", f"--values={values}"]
        chart = str(charts.folder("gateway-helm"))
        charts.helm(
            kubeconfig, "upgrade", "--install", "envoy-gateway", chart, *how, "--wait", f"--timeout={_PATIENCE}"
        )
        _apply(kubeconfig, rendered["gateway-class.yaml"])


_CRDS = (
    "--set=crds.gatewayAPI.enabled=true",
    "--set=crds.gatewayAPI.channel=standard",
    "--set=crds.envoyGateway.enabled=true",
)


def _mark(rendered: Mapping[str, str]) -> str:
    """Changes with everything that is installed."""
    return hashlib.sha256("\0".join([find("envoy-gateway").version, *_CRDS, *rendered.values()]).encode()).hexdigest()


def _installed(kubeconfig: Path) -> str:
    """The mark of the last complete install; nothing where a part of it has since been taken away."""
    want = ["configmap/penstock-addons", "deployment/prometheus", "--namespace=monitoring", "--output=json"]
    found = json.loads(kubectl(kubeconfig, "get", *want, "--ignore-not-found") or "{}")
    names = {each["kind"]: each for each in found.get("items", [])}
    return str(names["ConfigMap"]["data"]["mark"]) if {"ConfigMap", "Deployment"} <= names.keys() else ""


def _record(mark: str) -> dict[str, object]:
    metadata = {"name": "penstock-addons", "namespace": "monitoring"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"mark": mark}}


def _rendered(path: Path, naming: Naming) -> str:
    references = {name.replace("-", "_"): naming(one.reference) for name, one in images.images_of(NAMES).items()}
    text = path.read_text()
    # A pod that reads its configuration once is replaced with it.
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    known = {**references, "gateway_namespace": GATEWAY_NAMESPACE, "gateway_class": GATEWAY_CLASS, "digest": digest}
    return Template(text).substitute(known)


def _wait(kubeconfig: Path, *words: str) -> None:
    kubectl(kubeconfig, *words, f"--timeout={_PATIENCE}")


def _apply(kubeconfig: Path, text: str) -> None:
    # Server-side: the CRDs are larger than the annotation that client-side apply would keep of them.
    kubectl(kubeconfig, "apply", "--server-side", "--force-conflicts", "--filename", "-", stdin=text)
