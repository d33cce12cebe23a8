"""Each profile's selectors, answered by a real Prometheus that scraped the exposition that the unit tests have.

What the unit tests believe of Prometheus is held against Prometheus here: how it spells bounds, matches names and
relabels. Nothing of the operator runs.
"""

import http.server
import json
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from penstock.api.analysis import Metric
from penstock.core.measures import measure
from penstock.model.measure import Gauge, Histogram, Rate, Ratio, Selector
from tests.conftest import program
from tests.ports import free_port
from tests.unit.exposed import NAMES, chosen, exposition, file_of, profile, relabelled, scrape_rules
from tests.unit.test_profile_laws import judged

PATIENCE = 30.0
GATEWAYS = {"http-envoy": "envoy-gateway", "http-istio": "istio-gateway"}
STABLE = "churn-6f9c1b"


class Expositions(http.server.BaseHTTPRequestHandler):
    """Each runtime's exposition under its name, as the text format, as it was captured."""

    def do_GET(self) -> None:  # the name that the library calls
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(file_of(self.path.strip("/")).read_bytes())

    def log_message(self, *_: object) -> None:
        pass


def job(name: str, port: int) -> dict[str, Any]:
    """A scrape like that of a pod of a revision with the runtime's name, or like that of the gateway in the docs."""
    own = {"pod": "a"} if name in GATEWAYS else {"namespace": "ml", "pod": "a", "penstock_dev_revision": name}
    targets = [{"targets": [f"127.0.0.1:{port}"], "labels": own}]
    rules = scrape_rules(GATEWAYS[name]) if name in GATEWAYS else []
    return {
        "job_name": name,
        "metrics_path": f"/{name}",
        "static_configs": targets,
        "metric_relabel_configs": rules,
    }


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Prometheus that has scraped all of them."""
    folder = tmp_path_factory.mktemp("prometheus")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Expositions) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        jobs = [job(name, server.server_port) for name in NAMES]
        config = {"global": {"scrape_interval": "1s", "scrape_timeout": "1s"}, "scrape_configs": jobs}
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        with prometheus(folder) as found:
            wait_for_scrapes(found)
            yield found
        server.shutdown()


@contextmanager
def prometheus(folder: Path) -> Iterator[str]:
    listen = f"127.0.0.1:{free_port()}"
    command = [
        program("prometheus"),
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address={listen}",
    ]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as running:
        try:
            yield f"http://{listen}"
        finally:
            running.terminate()


def wait_for_scrapes(address: str) -> None:
    end = time.monotonic() + PATIENCE
    seen: dict[str, str] = {}
    while set(seen.values()) != {"up"} or len(seen) < len(NAMES):
        assert time.monotonic() < end, seen
        time.sleep(0.1)  # between two looks; what ends the wait is what they see
        try:
            targets = ask(f"{address}/api/v1/targets")["activeTargets"]
        except OSError:
            continue
        seen = {each["labels"]["job"]: each["health"] for each in targets}


def ask(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return json.load(answer)["data"]


def selectors(name: str) -> Iterator[tuple[str, Selector]]:
    for key, found in judged(name):
        match found:
            case Ratio(part, total):
                yield from ((key, part), (key, total))
            case Rate(series) | Gauge(series) | Histogram(series):
                yield key, series


def believed(name: str, selector: Selector) -> float:
    """What the unit tests would add up, at the stable revision where the exposition has two."""
    if name not in GATEWAYS:
        return sum(value for _, _, value in chosen(exposition(name), selector))
    kept = relabelled(exposition(name), scrape_rules(GATEWAYS[name]))
    return sum(value for _, labels, value in chosen(kept, selector) if labels["penstock_dev_revision"] == STABLE)


@pytest.mark.parametrize("name", NAMES)
def test_prometheus_selects_what_the_unit_tests_select(address: str, name: str) -> None:
    revision = STABLE if name in GATEWAYS else name
    asked = list(selectors(name))
    assert asked
    for key, selector in asked:
        matchers = ",".join(filter(None, ['namespace="ml"', f'penstock_dev_revision="{revision}"', selector.where]))
        query = urllib.parse.quote(f"sum({selector.name}{{{matchers}}})")
        result = ask(f"{address}/api/v1/query?query={query}")["result"]
        assert result, f"{key}: nothing at {selector.name}{{{matchers}}}"
        assert float(result[0]["value"][1]) == pytest.approx(believed(name, selector)), key


def test_a_bound_is_kept_in_another_spelling_than_the_servers(address: str) -> None:
    """Why a bucket is asked for in two: with the server's alone, every request would be slow."""
    kept = ask(f"{address}/api/v1/label/le/values?match[]=envoy_cluster_upstream_rq_time_bucket")
    assert {"300000.0", "1.8e+06", "0.5"} <= set(kept) and not {"300000", "1800000"} & set(kept)
    found = measure(
        Metric.model_validate({"name": "slowRate", "threshold": "1800s", "max": "1%"}), profile("http-envoy")
    )
    assert isinstance(found, Ratio) and "1800000" in found.part.where
