"""The bundled Prometheus as it is rendered: off unless asked for, restricted, reads pods only, asked by default.

Rendering only; tests/contract/test_bundled_prometheus.py runs what is rendered.
"""

import re
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.programs import find
from penstock.metrics.samples import LABEL_REVISION
from penstock.model.names import LABEL_REVISION as POD_LABEL
from penstock.shell.settings import Settings
from tests.conftest import helm
from tests.meta import test_chart
from tests.meta.test_chart import CHART, NAMESPACED, Manifest, named, of_kind
from tests.unit.worlds import SNAPSHOTS

render = cache(test_chart.render)  # nobody here changes what he gets
ON = "prometheus.install=true"
NAME = "penstock-prometheus"
OWN = f"http://{NAME}.penstock-system.svc:9090"
USUAL = "http://prometheus.monitoring.svc:9090"
ELSEWHERE = "https://mimir.corp/prometheus"


def bundled(*values: str) -> list[Manifest]:
    """What comes with it and only with it."""
    without = [(one["kind"], one["metadata"]["name"]) for one in render(*values)]
    return [one for one in render(ON, *values) if (one["kind"], one["metadata"]["name"]) not in without]


def pod(*values: str) -> Manifest:
    """The template of its pod."""
    found: Manifest = named(render(ON, *values), "Deployment", NAME)["spec"]["template"]
    return found


def scraping(*values: str) -> Manifest:
    """Its configuration."""
    found: Manifest = yaml.safe_load(named(render(ON, *values), "ConfigMap", NAME)["data"]["prometheus.yml"])
    return found


def test_it_is_off_and_one_value_turns_it_on() -> None:
    assert not [one for one in render() if "prometheus" in one["metadata"]["name"]]
    kinds = sorted(one["kind"] for one in bundled())
    assert kinds == ["ClusterRole", "ClusterRoleBinding", "ConfigMap", "Deployment", "Service", "ServiceAccount"]


# the pod


def test_the_pod_is_restricted() -> None:
    spec = pod()["spec"]
    (container,) = spec["containers"]
    assert spec["securityContext"]["runAsNonRoot"] is True and spec["securityContext"]["runAsUser"] > 0
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)


def test_it_writes_only_where_its_size_is_bounded() -> None:
    spec = pod()["spec"]
    writable = {one["name"] for one in spec["containers"][0]["volumeMounts"] if not one.get("readOnly")}
    volumes = {one["name"]: one for one in spec["volumes"]}
    assert [volumes[name]["emptyDir"]["sizeLimit"] for name in writable] == ["2Gi"]
    assert spec["containers"][0]["resources"]["limits"]["memory"] and spec["containers"][0]["resources"]["requests"]


def test_there_is_one_and_never_two() -> None:
    deployment = named(render(ON, "replicas=3"), "Deployment", NAME)["spec"]
    assert (deployment["replicas"], deployment["strategy"]) == (1, {"type": "Recreate"})


def test_no_upgrade_of_the_chart_alone_takes_its_numbers_away(tmp_path: Path) -> None:
    newer = Path(shutil.copytree(CHART, tmp_path / "penstock"))
    about = (newer / "Chart.yaml").read_text()
    (newer / "Chart.yaml").write_text(re.sub(r"(?m)^(version|appVersion): .*", r"\1: 9.9.9", about))
    given = ("-n", "penstock-system", "--set", ON, "-s", "templates/prometheus-deployment.yaml")
    made = list(yaml.safe_load_all(helm("template", "penstock", str(newer), *given).stdout))
    deployment = named(made, "Deployment", NAME)
    assert deployment["metadata"]["labels"]["helm.sh/chart"] == "penstock-9.9.9"
    assert deployment["spec"]["template"] == pod(), "another template is another pod, and that one knows nothing"


def test_a_changed_configuration_starts_a_new_pod_and_another_value_does_not() -> None:
    sums = [
        pod(*values)["metadata"]["annotations"]["checksum/config"]
        for values in ((), ("replicas=2",), ("prometheus.scrapeInterval=10s",))
    ]
    assert sums[0] == sums[1] != sums[2]


def test_the_image_is_of_the_version_that_it_is_tried_with() -> None:
    major, minor, patch = re.findall(r"\d+", find("prometheus").version)  # v0.315.0 is the module of release 3.15.0
    release = f"v{int(minor) // 100}.{int(minor) % 100}.{patch}"
    assert major == "0"
    assert pod()["spec"]["containers"][0]["image"] == f"prom/prometheus:{release}"
    digest = "sha256:" + "0" * 64
    (container,) = pod(f"prometheus.image.digest={digest}", "prometheus.image.repository=r/p")["spec"]["containers"]
    assert container["image"] == f"r/p@{digest}"


def test_where_pods_may_run_holds_for_it_too() -> None:
    spec = pod("nodeSelector.pool=system", "priorityClassName=high", "imagePullSecrets[0].name=login")["spec"]
    found = (spec["nodeSelector"], spec["priorityClassName"], spec["imagePullSecrets"])
    assert found == ({"pool": "system"}, "high", [{"name": "login"}])


def test_nobody_takes_its_pod_for_the_operators() -> None:
    manifests = render(ON, "replicas=2", "networkPolicy.enabled=true", "podMonitor.enabled=true")
    labels = named(manifests, "Deployment", NAME)["spec"]["template"]["metadata"]["labels"].items()
    selected = {
        (one["kind"], one["metadata"]["name"])
        for one in manifests
        if (chosen := selector(one)) and chosen.items() <= labels
    }
    assert selected == {("Deployment", NAME), ("Service", NAME), ("NetworkPolicy", NAME)}


def selector(one: Manifest) -> dict[str, str]:
    """Labels by which an object chooses pods; empty where it chooses none."""
    spec = one.get("spec", {})
    chosen = spec.get("podSelector") or spec.get("selector") or {}
    labels: dict[str, str] = chosen.get("matchLabels", chosen if one["kind"] == "Service" else {})
    return labels


# rights


@pytest.mark.parametrize(("values", "kind", "where"), [((), "ClusterRole", None), (NAMESPACED, "Role", "ml")])
def test_it_may_read_pods_and_nothing_else(values: tuple[str, ...], kind: str, where: str | None) -> None:
    manifests = bundled(*values)
    (role,) = of_kind(manifests, "Role", "ClusterRole")
    (binding,) = of_kind(manifests, "RoleBinding", "ClusterRoleBinding")
    assert role["rules"] == [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}]
    assert (role["kind"], binding["kind"]) == (kind, f"{kind}Binding")
    assert role["metadata"].get("namespace") == binding["metadata"].get("namespace") == where
    assert binding["roleRef"]["kind"] == kind and binding["roleRef"]["name"] == role["metadata"]["name"]
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": NAME, "namespace": "penstock-system"}]
    assert pod(*values)["spec"]["serviceAccountName"] == NAME


def test_two_teams_can_each_have_one() -> None:
    names = [
        {one["metadata"]["name"] for one in bundled(f"watch.namespace={team}") if "namespace" not in one["metadata"]}
        for team in ("ml", "other")
    ]
    assert names == [set(), set()], "nothing of it is cluster-wide"


# what it scrapes


@pytest.mark.parametrize(("values", "where"), [((), None), (NAMESPACED, {"names": ["ml"]})])
def test_it_looks_where_the_operator_looks(values: tuple[str, ...], where: Manifest | None) -> None:
    (job,) = scraping(*values)["scrape_configs"]
    (found,) = job["kubernetes_sd_configs"]
    assert found.pop("namespaces", None) == where
    assert found == {"role": "pod", "selectors": [{"role": "pod", "label": POD_LABEL}]}


def test_it_reads_the_very_labels_and_annotations_that_the_operator_writes() -> None:
    written = next(iter(SNAPSHOTS.values())).template["metadata"]
    (job,) = scraping()["scrape_configs"]
    read = {source for rule in job["relabel_configs"] for source in rule.get("source_labels", [])}
    assert {one for one in read if "annotation" in one} == {
        "__meta_kubernetes_pod_annotation_" + re.sub(r"\W", "_", name) for name in written["annotations"]
    }
    assert "__meta_kubernetes_pod_label_" + re.sub(r"\W", "_", POD_LABEL) in read and POD_LABEL in written["labels"]
    given = {rule["target_label"] for rule in job["relabel_configs"] if "target_label" in rule}
    assert given >= {"namespace", "pod", LABEL_REVISION}


def test_no_pod_can_speak_for_another_or_fill_the_memory() -> None:
    (job,) = scraping()["scrape_configs"]
    assert [job[key] for key in ("honor_labels", "honor_timestamps", "follow_redirects")] == [False] * 3
    assert job["sample_limit"] == 2000 and job["body_size_limit"] and job["label_value_length_limit"]


def test_values_reach_the_configuration() -> None:
    given = ("scrapeInterval=10s", "samplesPerPod=1000000", "drop=", "retention.time=1d", "retention.size=2GB")
    extra = ("extraScrapeConfigs[0].job_name=proxies",)
    found = scraping(*(f"prometheus.{value}" for value in (*given, *extra)))
    models, proxies = found["scrape_configs"]
    assert found["global"]["scrape_interval"] == "10s" and models["sample_limit"] == 1000000
    assert "metric_relabel_configs" not in models and proxies == {"job_name": "proxies"}
    assert found["storage"]["tsdb"]["retention"] == {"time": "1d", "size": "2GB"}


# who asks it


@pytest.mark.parametrize(
    ("values", "url"),
    [
        ((), USUAL),
        ((ON,), OWN),
        (("metricSources.default.url=" + ELSEWHERE,), ELSEWHERE),
        ((ON, "metricSources.default.url=" + ELSEWHERE), ELSEWHERE),
        ((ON, "metricSources.default.url=" + USUAL), USUAL),
        ((ON, "metricSources.default=null"), None),
    ],
)
def test_an_address_that_is_written_down_wins(values: tuple[str, ...], url: str | None) -> None:
    text = named(render(*values), "ConfigMap", "penstock")["data"]["config.yaml"]
    sources = Settings.model_validate(yaml.safe_load(text)).metric_sources
    assert (sources["default"].url if "default" in sources else None) == url


def test_the_address_is_that_of_its_service() -> None:
    service = named(render(ON), "Service", NAME)
    (port,) = service["spec"]["ports"]
    address = f"http://{NAME}.{service['metadata']['namespace']}.svc:{port['port']}"
    assert address == OWN and port["targetPort"] in {one["name"] for one in pod()["spec"]["containers"][0]["ports"]}


def test_only_default_may_leave_its_address_out() -> None:
    given = ("--set", "metricSources.mimir.type=prometheus", "--set", "metricSources.mimir.url=")
    done = helm("template", "penstock", "helm/penstock", *given, check=False)
    assert done.returncode != 0 and "metricSources.mimir.url is empty" in done.stderr


@pytest.mark.parametrize(
    ("values", "policies"),
    [((), []), ((ON,), []), (("networkPolicy.enabled=true",), ["penstock"])],
)
def test_a_policy_comes_where_policies_are_wanted(values: tuple[str, ...], policies: list[str]) -> None:
    assert [one["metadata"]["name"] for one in of_kind(render(*values), "NetworkPolicy")] == policies


def test_the_policy_lets_the_operator_in_and_whom_the_values_name() -> None:
    grafana: Any = {"podSelector": {"matchLabels": {"app": "grafana"}}}
    for values, more in (((), []), (("prometheus.from[0].podSelector.matchLabels.app=grafana",), [grafana])):
        manifests = render(ON, "networkPolicy.enabled=true", *values)
        operator = named(manifests, "Deployment", "penstock")["spec"]["selector"]
        (rule,) = named(manifests, "NetworkPolicy", NAME)["spec"]["ingress"]
        assert rule == {"ports": [{"port": "http", "protocol": "TCP"}], "from": [{"podSelector": operator}, *more]}


# values


@pytest.mark.parametrize(
    "value",
    [
        "prometheus.instal=true",
        "prometheus.install=yes",
        "prometheus.image.tagg=v3",
        "prometheus.image.digest=sha256:12",
        "prometheus.scrapeInterval=5",
        "prometheus.scrapeInterval=0s",
        "prometheus.samplesPerPod=0",
        "prometheus.retention.time=6",
        "prometheus.retention.size=512",
        "prometheus.retention.sizes=1GB",
        "prometheus.storage=2GB",
        "prometheus.resources.limit=1",
        "prometheus.extraScrapeConfigs[0].name=proxies",
    ],
)
def test_a_wrong_value_stops_the_installation_and_is_named(value: str) -> None:
    done = helm("template", "penstock", "helm/penstock", "--set", value, check=False)
    path = [re.sub(r"\[\d+\]", "", word) for word in value.partition("=")[0].split(".")]
    assert done.returncode != 0 and any(word in done.stderr for word in path[1:]), done.stderr
