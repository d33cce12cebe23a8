"""The bundled Prometheus as a process on this machine, with the configuration and the arguments that helm renders.

Only what cannot be here is given in another way: pods come from a file that says the labels and annotations which the
API server would say; folder and port are free ones. It must change nothing else, or it would prove another Prometheus.
"""

import json
import os
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from cluster import build
from tests.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
RATIO = 0.9  # of the container's memory limit: what Prometheus itself takes for its GOMEMLIMIT in a pod
_UNITS = {"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30}
_PARTS = ("templates/prometheus-config.yaml", "templates/prometheus-deployment.yaml")
_META = "__meta_kubernetes_"


@dataclass(frozen=True)
class Pod:
    """A pod as the API server would show it; `scrape`, `port` and `path` are annotations."""

    namespace: str
    name: str
    revision: str
    port: str
    path: str = "/metrics"
    scrape: str = "true"
    phase: str = "Running"
    address: str = "127.0.0.1"

    def targets(self) -> list[dict[str, Any]]:
        """What discovery makes of it: one target for each port that its container declares."""
        labels = {
            "namespace": self.namespace,
            "pod_name": self.name,
            "pod_phase": self.phase,
            "pod_ip": self.address,
            "pod_label_penstock_dev_revision": self.revision,
            "pod_annotation_prometheus_io_scrape": self.scrape,
            "pod_annotation_prometheus_io_port": self.port,
            "pod_annotation_prometheus_io_path": self.path,
        }
        meta = {_META + key: value for key, value in labels.items()}
        return [
            {"targets": [f"{self.address}:{port}"], "labels": meta | {f"{_META}pod_container_port_number": str(port)}}
            for port in (8080, 8082)
        ]


@dataclass(frozen=True)
class Rendered:
    """What helm makes of the chart: the configuration, the arguments, and the memory limit in bytes."""

    config: dict[str, Any]
    arguments: list[str]
    limit: int


def render(*values: str) -> Rendered:
    """The bundled Prometheus with some values set, as for `helm template --set`."""
    given = [word for value in ("prometheus.install=true", *values) for word in ("--set", value)]
    shown = [word for part in _PARTS for word in ("--show-only", part)]
    command = [str(build.program("helm")), "template", "penstock", str(ROOT / "helm/penstock"), *given, *shown]
    with tempfile.TemporaryDirectory() as home:
        own = dict.fromkeys(("HELM_CONFIG_HOME", "HELM_CACHE_HOME", "HELM_DATA_HOME"), home)
        text = subprocess.run(command, env={**os.environ, **own}, check=True, stdout=subprocess.PIPE, text=True).stdout
    made = {one["kind"]: one for one in yaml.safe_load_all(text) if one}
    (container,) = made["Deployment"]["spec"]["template"]["spec"]["containers"]
    limit = container["resources"]["limits"]["memory"]
    config = yaml.safe_load(made["ConfigMap"]["data"]["prometheus.yml"])
    return Rendered(config, container["args"], int(limit[:-2]) * _UNITS[limit[-2:]])


def write_pods(folder: Path, pods: Iterable[Pod]) -> None:
    """What there is from now on; a running Prometheus takes it up by itself."""
    new = folder / "pods.new"
    new.write_text(json.dumps([target for pod in pods for target in pod.targets()]))
    new.replace(folder / "pods.json")


@dataclass(frozen=True)
class Running:
    """A Prometheus at work."""

    url: str
    pid: int
    folder: Path


@contextmanager
def running(folder: Path, rendered: Rendered, pods: Iterable[Pod]) -> Iterator[Running]:
    """Start it in a folder; it is gone afterwards, whatever happened."""
    write_pods(folder, pods)
    for job in rendered.config["scrape_configs"]:  # beside the API server, which it is told of and does not find
        job["file_sd_configs"] = [{"files": ["pods.json"], "refresh_interval": "1s"}]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(rendered.config))
    address = f"127.0.0.1:{free_port()}"
    places = {"--config.file": "prometheus.yml", "--storage.tsdb.path": "data", "--web.listen-address": address}
    words = (word.partition("=") for word in rendered.arguments)
    command = [f"{key}={places.get(key, value)}" for key, _, value in words]
    environment = {**os.environ, "GOMEMLIMIT": str(int(rendered.limit * RATIO))}
    program = str(build.program("prometheus"))
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen([program, *command], cwd=folder, env=environment, stdout=log, stderr=log) as started,
    ):
        try:
            yield Running(f"http://{address}", started.pid, folder)
        finally:
            started.terminate()
            started.wait(60)
