"""What the chart renders: restricted pods, no right too many, values that cannot be misspelt, copies without drift.

Rendering only; tests/integration/test_chart.py installs it.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from penstock.model.kinds import KINDS
from penstock.model.platform import Platform
from penstock.shell.platform import unused
from tests.conftest import helm

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm/penstock"
Manifest = dict[str, Any]
NAMESPACED = ("watch.namespace=ml",)


def render(*values: str, options: tuple[str, ...] = ()) -> list[Manifest]:
    """The manifests of a release `penstock` in namespace penstock-system."""
    given = [word for value in values for word in ("--set", value)]
    text = helm("template", "penstock", "helm/penstock", "-n", "penstock-system", *given, *options).stdout
    return [found for found in yaml.safe_load_all(text) if found]


def of_kind(manifests: list[Manifest], *kinds: str) -> list[Manifest]:
    """Those of some kinds."""
    return [one for one in manifests if one["kind"] in kinds]


def named(manifests: list[Manifest], kind: str, name: str) -> Manifest:
    """The one of that kind and name."""
    (found,) = (one for one in of_kind(manifests, kind) if one["metadata"]["name"] == name)
    return found


def test_lint_finds_nothing() -> None:
    helm("lint", "--strict", "helm/penstock")


# copies


@pytest.mark.parametrize(("folder", "source"), [("crds", "crds"), ("runtimes", "examples/runtimes")])
def test_the_copies_in_the_chart_equal_their_sources(folder: str, source: str) -> None:
    copies = {path.name: path.read_text() for path in (CHART / "files" / folder).iterdir()}
    sources = {path.name: path.read_text() for path in (ROOT / source).glob("*.yaml")}
    assert copies == sources, "run: python3 helm/copy_files.py"


@pytest.mark.parametrize("keep", [True, False])
def test_crds_are_those_of_the_repository_and_stay_if_wanted(keep: bool) -> None:
    for crd in of_kind(render(f"crds.keep={json.dumps(keep)}"), "CustomResourceDefinition"):
        original = yaml.safe_load((ROOT / "crds" / f"{crd['spec']['names']['plural']}.yaml").read_text())
        assert crd["spec"] == original["spec"] and crd["metadata"]["name"] == original["metadata"]["name"]
        assert crd["metadata"].get("annotations", {}).get("helm.sh/resource-policy") == ("keep" if keep else None)


def test_crds_can_be_left_out() -> None:
    assert of_kind(render("crds.install=false"), "CustomResourceDefinition") == []


@pytest.mark.parametrize("known", [True, False])
def test_runtimes_wait_for_their_crd_only_where_it_is_new(known: bool) -> None:
    options = ("--api-versions", "penstock.dev/v1alpha1/ModelRuntime") if known else ()
    runtimes = of_kind(render("runtimes.install=true", options=options), "ModelRuntime")
    assert {one["metadata"]["name"] for one in runtimes} >= {"mlserver"}
    for one in runtimes:
        assert ("helm.sh/hook" in one["metadata"]["annotations"]) is not known
        original = yaml.safe_load((ROOT / "examples/runtimes" / f"{one['metadata']['name']}.yaml").read_text())
        assert one["spec"] == original["spec"]


def test_runtimes_are_not_installed_unasked() -> None:
    assert of_kind(render(), "ModelRuntime") == []


# the pod


def test_the_pod_is_restricted() -> None:
    pod = named(render(), "Deployment", "penstock")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True and pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["resources"]["requests"] and container["resources"]["limits"]["memory"]
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
    assert {"configMap", "name"} == {key for volume in pod["volumes"] for key in volume}


def test_the_pod_is_told_who_it_is_and_asked_how_it_is() -> None:
    (container,) = named(render(), "Deployment", "penstock")["spec"]["template"]["spec"]["containers"]
    fields = {one["name"]: one["valueFrom"]["fieldRef"]["fieldPath"] for one in container["env"]}
    assert fields == {"POD_NAME": "metadata.name", "POD_NAMESPACE": "metadata.namespace"}
    assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "metrics"}
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "metrics"}
    assert container["ports"] == [{"name": "metrics", "containerPort": 8080, "protocol": "TCP"}]


def test_the_configuration_says_what_the_values_say_and_a_change_starts_new_pods() -> None:
    url = "https://mimir.corp/prometheus"
    one, other = (
        render(),
        render("watch.namespace=ml", f"metricSources.mimir.url={url}", "metricSources.mimir.type=prometheus"),
    )
    config = yaml.safe_load(named(other, "ConfigMap", "penstock")["data"]["config.yaml"])
    assert (
        config["namespace"] == "ml"
        and config["metricSources"]["mimir"]["url"] == url
        and "default" in config["metricSources"]
    )
    sums = [
        named(m, "Deployment", "penstock")["spec"]["template"]["metadata"]["annotations"]["checksum/config"]
        for m in (one, other)
    ]
    assert sums[0] != sums[1]


def test_a_digest_wins_over_a_tag() -> None:
    digest = "sha256:" + "0" * 64
    pod = named(render("image.tag=v1", f"image.digest={digest}", "image.repository=r/o"), "Deployment", "penstock")
    assert pod["spec"]["template"]["spec"]["containers"][0]["image"] == f"r/o@{digest}"


@pytest.mark.parametrize(("replicas", "budgets"), [(1, 0), (2, 1)])
def test_a_disruption_budget_comes_with_the_second_pod(replicas: int, budgets: int) -> None:
    assert len(of_kind(render(f"replicas={replicas}"), "PodDisruptionBudget")) == budgets


def test_optional_parts_are_off() -> None:
    assert of_kind(render(), "NetworkPolicy", "PodMonitor") == []
    assert (
        len(of_kind(render("networkPolicy.enabled=true", "podMonitor.enabled=true"), "NetworkPolicy", "PodMonitor"))
        == 2
    )


# rights


def operator_rules(manifests: list[Manifest]) -> Iterator[tuple[Manifest, Manifest]]:
    """Every role that is bound to the operator, with each of its rules."""
    for binding in of_kind(manifests, "RoleBinding", "ClusterRoleBinding"):
        assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "penstock", "namespace": "penstock-system"}]
        role = named(manifests, binding["roleRef"]["kind"], binding["roleRef"]["name"])
        for rule in role["rules"]:
            yield role, rule


@pytest.mark.parametrize("values", [(), NAMESPACED])
def test_no_right_is_a_wildcard_or_touches_secrets(values: tuple[str, ...]) -> None:
    for _, rule in operator_rules(render(*values)):
        words = {*rule["apiGroups"], *rule["resources"], *rule["verbs"]}
        assert not words & {
            "*",
            "secrets",
            "roles",
            "clusterroles",
            "rolebindings",
            "escalate",
            "bind",
            "impersonate",
        }
        assert not any("/exec" in word or "/token" in word for word in words)


@pytest.mark.parametrize("values", [(), NAMESPACED])
def test_rights_are_for_the_kinds_that_the_operator_knows(values: tuple[str, ...]) -> None:
    granted = {
        (group, one.partition("/")[0])
        for _, rule in operator_rules(render(*values))
        for group in rule["apiGroups"]
        for one in rule["resources"]
    }
    unseen = {"nodes"} if values else set()
    unseen |= {KINDS[kind].plural for kind in unused(Platform())}
    assert granted == {(kind.group, kind.plural) for kind in KINDS.values() if kind.plural not in unseen}


@pytest.mark.parametrize("values", [(), NAMESPACED])
def test_the_room_for_a_candidate_is_only_listed(values: tuple[str, ...]) -> None:
    for _, rule in operator_rules(render(*values)):
        if {"nodes", "resourcequotas"} & set(rule["resources"]):
            assert rule["verbs"] == ["list"]


def test_models_are_only_read_and_pods_patched_at_most() -> None:
    found = {
        name: set(rule["verbs"])
        for _, rule in operator_rules(render())
        for name in {"pods", "modeldeployments", "modelruntimes"} & set(rule["resources"])
    }
    read = {"list", "watch"}
    assert found == {"pods": read | {"get", "patch"}, "modeldeployments": read, "modelruntimes": read}


def test_in_one_namespace_only_runtimes_are_seen_cluster_wide() -> None:
    wide = [
        (role["metadata"]["name"], rule)
        for role, rule in operator_rules(render(*NAMESPACED))
        if role["kind"] == "ClusterRole"
    ]
    assert wide == [
        (
            "penstock-ml-runtimes",
            {"apiGroups": ["penstock.dev"], "resources": ["modelruntimes"], "verbs": ["list", "watch"]},
        )
    ]
    assert {
        role["metadata"]["namespace"] for role, _ in operator_rules(render(*NAMESPACED)) if role["kind"] == "Role"
    } == {"ml", "penstock-system"}


def test_the_lease_is_the_only_one() -> None:
    rules = [rule for _, rule in operator_rules(render()) if "leases" in rule["resources"]]
    assert sorted((rule["verbs"], rule.get("resourceNames")) for rule in rules) == [
        (["create"], None),
        (["get", "update"], ["penstock"]),
    ]


def test_roles_for_people_join_those_of_the_cluster() -> None:
    manifests = render()
    for verb in ("view", "edit", "admin"):
        labels = named(manifests, "ClusterRole", f"penstock-{verb}")["metadata"]["labels"]
        assert labels[f"rbac.authorization.k8s.io/aggregate-to-{verb}"] == "true"
    approver = named(manifests, "ClusterRole", "penstock-approver")["metadata"]
    assert not [label for label in approver["labels"] if "aggregate" in label], "it is bound by hand and joins no role"
    of_people = {f"penstock-{name}" for name in ("view", "edit", "admin", "approver")}
    assert not [one for one in render("userRoles.install=false") if one["metadata"]["name"] in of_people]


# values


def described(node: Manifest, path: str = "") -> Iterator[str]:
    """Paths of the schema without a description."""
    if "description" not in node:
        yield path
    below = {**node.get("properties", {}), **node.get("patternProperties", {})}
    for key in ("items", "additionalProperties"):
        below |= {key: node[key]} if isinstance(node.get(key), dict) else {}
    for name, child in below.items():
        yield from described(child, f"{path}.{name}")


def test_every_value_is_described() -> None:
    assert list(described(json.loads((CHART / "values.schema.json").read_text()))) == []


def test_every_value_of_the_schema_has_a_default_and_the_other_way_round() -> None:
    schema, values = (
        json.loads((CHART / "values.schema.json").read_text()),
        yaml.safe_load((CHART / "values.yaml").read_text()),
    )
    assert set(schema["properties"]) - {"global"} == set(values)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("replica=2", "replica"),
        ("image.tagg=1", "tagg"),
        ("replicas=two", "integer"),
        ("replicas=-1", "minimum"),
        ("watch.namespace=Team_A", "watch/namespace|watch.namespace"),
        ("image.pullPolicy=always", "pullPolicy"),
        ("image.digest=sha256:12", "digest"),
        ("metricSources.default.url=prometheus:9090", "url"),
        ("metricSources.default.url=http://user:secret@prometheus:9090", "url"),
        ("metricSources.default.type=graphite", "type"),
        ("metricSources.default.timeout=5", "timeout"),
        ("metricSources.default.auth.bearer.token=secret", "token"),
        ("metricSources.default.auth.bearer.tokenFile=token", "tokenFile"),
        ("metricSources.default.tls.insecureSkipVerify=true", "insecureSkipVerify"),
        ("metricSources.default.maxSeries=0", "maxSeries"),
        ("metricSourceSecrets={Team_A}", "metricSourceSecrets"),
        ("crds.kep=true", "kep"),
        ("actions.verify=maybe", "verify"),
    ],
)
def test_a_wrong_value_stops_the_installation_and_is_named(value: str, words: str) -> None:
    done = helm("template", "penstock", "helm/penstock", "--set", value, check=False)
    assert done.returncode != 0 and any(word in done.stderr for word in words.split("|")), done.stderr
