"""The bundled Prometheus finds model pods on a real API server with nothing but a token of the chart's ServiceAccount.

It runs as a process here; the pods exist in the API only and say that they are at loopback, where their numbers are.
"""

import http.server
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from bench.prometheus.chart import Running, render, running
from tests.conftest import ControlPlane, helm

HOME = "bundled"
SPACES = ("bundled-ml", "bundled-other")
ACCOUNT = "penstock-prometheus"
PATIENCE = 30.0


class Numbers(http.server.BaseHTTPRequestHandler):
    """What every pod answers."""

    def do_GET(self) -> None:  # the name that the library calls
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(b"requests_total 7\n")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Where the pods' numbers are."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Numbers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.fixture(scope="module")
def plane(control_plane: ControlPlane, port: int) -> Iterator[ControlPlane]:
    """Two namespaces with a model pod and a stranger in each."""
    for space in (HOME, *SPACES):
        control_plane.kubectl("create", "namespace", space)
    for space in SPACES:
        run_pod(control_plane, space, port, {"penstock.dev/revision": "churn-1"}, "model")
        run_pod(control_plane, space, port, {"app": "else"}, "stranger")
    yield control_plane
    control_plane.kubectl("delete", "namespace", HOME, *SPACES, "--wait=false")


def run_pod(plane: ControlPlane, space: str, port: int, labels: dict[str, str], name: str) -> None:
    """A pod that no node has and that claims to run."""
    scrape = {"scrape": "true", "port": str(port), "path": "/metrics"}
    annotations = {f"prometheus.io/{key}": value for key, value in scrape.items()}
    metadata = {"name": name, "namespace": space, "labels": labels, "annotations": annotations}
    container = {"name": "server", "image": "none", "ports": [{"containerPort": 8080}, {"containerPort": 8082}]}
    spec = {"schedulerName": "nobody", "containers": [container]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
    plane.kubectl("apply", "-f", "-", input=json.dumps(pod))
    status = {"status": {"phase": "Running", "podIP": "127.0.0.1", "podIPs": [{"ip": "127.0.0.1"}]}}
    patch = ("--subresource=status", "--type=merge", f"--patch={json.dumps(status)}")
    plane.kubectl("patch", "pod", name, "--namespace", space, *patch)


def as_prometheus(plane: ControlPlane, folder: Path, watched: str) -> Path:
    """A kubeconfig with nothing but a token of the chart's ServiceAccount, with the rights that the chart grants."""
    values = ("--set", "prometheus.install=true", "--set", f"watch.namespace={watched}")
    rights = helm("template", "penstock", "helm/penstock", "-n", HOME, "-s", "templates/prometheus-rbac.yaml", *values)
    plane.kubectl("apply", "-f", "-", input=rights.stdout)
    config = yaml.safe_load(plane.kubeconfig.read_text())
    token = plane.kubectl("-n", HOME, "create", "token", ACCOUNT).stdout.strip()
    config["users"] = [{"name": one["name"], "user": {"token": token}} for one in config["users"]]
    made = folder / "kubeconfig"
    made.write_text(yaml.safe_dump(config))
    made.chmod(0o600)
    return made


def found(run: Running, count: int) -> list[dict[str, Any]]:
    """What it scrapes, once so many were found and all were up."""
    end, targets = time.monotonic() + PATIENCE, []
    while len(targets) < count or any(one["health"] != "up" for one in targets):
        assert time.monotonic() < end, f"{targets} {(run.folder / 'log').read_text()}"
        time.sleep(0.1)  # between two questions
        with suppress(urllib.error.URLError), urllib.request.urlopen(run.url + "/api/v1/targets", timeout=5) as answer:
            targets = json.load(answer)["data"]["activeTargets"]
    return list(targets)


@pytest.mark.parametrize("watched", ["", SPACES[0]], ids=["cluster", "namespace"])
def test_it_finds_the_models_where_the_operator_looks(plane: ControlPlane, tmp_path: Path, watched: str) -> None:
    rendered = render("prometheus.scrapeInterval=1s", f"watch.namespace={watched}")
    (discovery,) = rendered.config["scrape_configs"][0]["kubernetes_sd_configs"]
    discovery["kubeconfig_file"] = str(as_prometheus(plane, tmp_path, watched))  # in a pod it finds its token itself
    wanted = [(space, "model", "churn-1") for space in SPACES if watched in ("", space)]
    try:
        with running(tmp_path, rendered, []) as run:
            labels = [one["labels"] for one in found(run, len(wanted))]
            told = sorted((one["namespace"], one["pod"], one["penstock_dev_revision"]) for one in labels)
            assert told == wanted
            assert "forbidden" not in (run.folder / "log").read_text()
    finally:
        everywhere = ("--selector=app.kubernetes.io/name=penstock-prometheus", "--ignore-not-found")
        plane.kubectl("delete", "clusterrolebindings,clusterroles", *everywhere)
        plane.kubectl("delete", "rolebindings,roles", *everywhere, "--namespace", SPACES[0])


def test_a_restricted_namespace_takes_the_pod(plane: ControlPlane, tmp_path: Path) -> None:
    plane.kubectl("label", "namespace", HOME, "pod-security.kubernetes.io/enforce=restricted")
    as_prometheus(plane, tmp_path, SPACES[0])  # brings the ServiceAccount, without which no pod is taken
    values = ("--set", "prometheus.install=true", "-s", "templates/prometheus-deployment.yaml")
    made = yaml.safe_load_all(helm("template", "penstock", "helm/penstock", "-n", HOME, *values).stdout)
    (template,) = (one["spec"]["template"] for one in made if one["kind"] == "Deployment")
    metadata = template["metadata"] | {"name": "one", "namespace": HOME}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}
    plane.kubectl("create", "--dry-run=server", "-f", "-", input=json.dumps(pod))
    del pod["spec"]["containers"][0]["securityContext"]["capabilities"]
    refused = plane.kubectl("create", "--dry-run=server", "-f", "-", input=json.dumps(pod), check=False)
    assert "violates PodSecurity" in refused.stderr, "the namespace does look"
