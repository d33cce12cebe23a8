"""The chart on a real API server: installed, upgraded, uninstalled; and the operator with exactly the rights it grants.

The operator runs as a process here, with a token of the chart's ServiceAccount: what the roles forget, it cannot do.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.conftest import ControlPlane, helm, new_control_plane
from tests.integration.operator_process import Running, running_operator

HOME = "penstock-system"
ACCOUNT = f"system:serviceaccount:{HOME}:penstock"
MODEL = """
apiVersion: v1
kind: ConfigMap
metadata: {name: limits, labels: {penstock.dev/config: tracked}}
data: {limits.yaml: "accept: 0.8"}
---
apiVersion: penstock.dev/v1alpha1
kind: ModelDeployment
metadata: {name: churn}
spec:
  model: {version: "7", format: sklearn}
  runtime: mlserver
  server: {configMaps: [{name: limits, mountPath: /etc/churn}]}
  traffic: {gateway: {name: models}}
  scaling: {minReplicas: 2, maxReplicas: 4, metrics: [{name: cpu, target: 70}]}
"""
CHILDREN = (
    "controllerrevision",
    "configmap",
    "deployment",
    "service",
    "horizontalpodautoscaler",
    "poddisruptionbudget",
    "httproute",
)


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    """A cluster with a gateway API and nothing of ours."""
    with new_control_plane("chart") as made:
        made.install_gateway_api()
        for name in ("ml", "other"):
            made.kubectl("create", "namespace", name)
            made.kubectl("label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted")
        yield made


def install(plane: ControlPlane, *values: str) -> None:
    """Install or upgrade the release."""
    given = [word for value in values for word in ("--set", value)]
    where = ("--kubeconfig", str(plane.kubeconfig), "--namespace", HOME, "--create-namespace")
    patience = ("--wait", "--timeout", "2m") if "runtimes.install=true" in values else ()  # as docs/install.md says
    helm("upgrade", "--install", "penstock", "helm/penstock", *where, *given, *patience)


def uninstall(plane: ControlPlane) -> None:
    """Uninstall it."""
    helm("uninstall", "penstock", "--kubeconfig", str(plane.kubeconfig), "--namespace", HOME)


def as_operator(plane: ControlPlane, folder: Path) -> Path:
    """A kubeconfig with nothing but a token of the chart's ServiceAccount."""
    config = yaml.safe_load(plane.kubeconfig.read_text())
    token = plane.kubectl("-n", HOME, "create", "token", "penstock").stdout.strip()
    config["users"] = [{"name": one["name"], "user": {"token": token}} for one in config["users"]]
    made = folder / "kubeconfig"
    made.write_text(yaml.safe_dump(config))
    made.chmod(0o600)
    return made


def may(plane: ControlPlane, verb: str, what: str, namespace: str) -> bool:
    """What the API server says of the operator's rights."""
    resource, _, part = what.partition("/")  # kubectl would read the second part as a name
    asked = plane.kubectl(
        "auth", "can-i", verb, resource, f"--subresource={part}", "-n", namespace, f"--as={ACCOUNT}", check=False
    )
    return asked.stdout.strip() == "yes"


def refusals(operator: Running) -> list[str]:
    """Lines of the log that speak of missing rights."""
    return [line for line in operator.log.read_text().splitlines() if re.search(r"orbidden|\b403\b", line)]


def makes_everything(plane: ControlPlane) -> None:
    """A model that needs every kind gets all of them, and an Event."""
    plane.kubectl("-n", "ml", "apply", "-f", "-", input=MODEL)
    for kind in CHILDREN:
        plane.kubectl("-n", "ml", "wait", "--for=create", kind, "-l", "penstock.dev/name=churn", "--timeout=20s")
    plane.kubectl(
        "-n", "ml", "wait", "--for=jsonpath={.status.candidate.version}=7", "modeldeployment/churn", "--timeout=20s"
    )
    told = plane.kubectl(
        "-n", "ml", "get", "events.events.k8s.io", "--field-selector=reason=RolloutStarted", "-o", "name"
    )
    assert told.stdout, "an Event is written before the first child"


def remove_models(plane: ControlPlane) -> None:
    """Gone with all that they owned, so that nothing of one test is found by the next."""
    plane.kubectl("delete", "modeldeployments", "--all", "--all-namespaces", "--cascade=foreground", "--timeout=60s")


@pytest.mark.parametrize("watched", ["", "ml"], ids=["cluster", "namespace"])
def test_the_operator_needs_no_other_right(plane: ControlPlane, tmp_path: Path, watched: str) -> None:
    install(plane, f"watch.namespace={watched}", "runtimes.install=true")
    try:
        with running_operator(as_operator(plane, tmp_path), namespace=watched, lease_namespace=HOME) as operator:
            plane.kubectl("-n", "other", "apply", "-f", "-", input=MODEL)
            makes_everything(plane)
            holder = plane.kubectl("-n", HOME, "get", "lease/penstock", "-o", "jsonpath={.spec.holderIdentity}").stdout
            foreign = plane.kubectl("-n", "other", "get", "deployments", "-o", "name").stdout
            assert holder and refusals(operator) == []
            assert bool(foreign) is not bool(watched)
    finally:
        remove_models(plane)
        uninstall(plane)


@pytest.mark.parametrize("what", ["secrets", "pods/exec", "serviceaccounts/token", "roles"])
def test_the_operator_may_not(plane: ControlPlane, what: str) -> None:
    install(plane)
    assert not any(may(plane, verb, what, space) for verb in ("get", "list", "create") for space in (HOME, "ml"))


def test_the_operator_sees_nodes_and_quotas_only_in_lists(plane: ControlPlane) -> None:
    install(plane)
    for what in ("nodes", "resourcequotas"):
        assert may(plane, "list", what, "ml")
        assert not any(may(plane, verb, what, "ml") for verb in ("get", "watch", "patch", "delete"))
    install(plane, "watch.namespace=ml")
    assert may(plane, "list", "resourcequotas", "ml") and not may(plane, "list", "resourcequotas", "other")
    assert not may(plane, "list", "nodes", "ml")


def test_in_one_namespace_the_operator_may_nothing_elsewhere(plane: ControlPlane) -> None:
    install(plane, "watch.namespace=ml")
    assert may(plane, "patch", "deployments.apps", "ml") and not may(plane, "patch", "deployments.apps", "other")
    assert may(plane, "list", "modeldeployments.penstock.dev", "ml") and not may(
        plane, "list", "modeldeployments.penstock.dev", "other"
    )


def test_a_restricted_namespace_takes_the_pod(plane: ControlPlane) -> None:
    plane.kubectl("label", "namespace", HOME, "pod-security.kubernetes.io/enforce=restricted", "--overwrite")
    install(plane, "replicas=2", "networkPolicy.enabled=true")
    plane.kubectl("-n", HOME, "wait", "--for=jsonpath={.status.replicas}=2", "deployment/penstock", "--timeout=30s")
    conditions = json.loads(
        plane.kubectl("-n", HOME, "get", "deployment/penstock", "-o", "jsonpath={.status.conditions}").stdout
    )
    assert not [one for one in conditions if one["type"] == "ReplicaFailure"]


def test_uninstalling_leaves_the_models_alone(plane: ControlPlane) -> None:
    install(plane, "runtimes.install=true")
    install(plane, "runtimes.install=true", "replicas=2")  # an upgrade takes over the runtimes that a hook has made
    before = plane.kubectl("get", "modelruntime/mlserver", "-o", "jsonpath={.metadata.uid}").stdout
    plane.kubectl("-n", "other", "apply", "-f", "-", input=MODEL)
    uninstall(plane)
    plane.kubectl("-n", "other", "get", "modeldeployment/churn")
    install(plane, "runtimes.install=true")
    assert plane.kubectl("get", "modelruntime/mlserver", "-o", "jsonpath={.metadata.uid}").stdout == before
    plane.kubectl("-n", "other", "delete", "modeldeployment/churn")


def test_people_who_may_edit_a_namespace_may_edit_its_models(plane: ControlPlane) -> None:
    install(plane)
    plane.kubectl("-n", "ml", "create", "rolebinding", "anna", "--clusterrole=edit", "--user=anna")
    plane.kubectl("-n", "ml", "create", "rolebinding", "ben", "--clusterrole=view", "--user=ben")
    for user, verb, answer in (
        ("anna", "create", "yes"),
        ("anna", "get", "yes"),
        ("ben", "get", "yes"),
        ("ben", "create", "no"),
    ):
        asked = plane.kubectl(
            "-n", "ml", "auth", "can-i", verb, "modeldeployments.penstock.dev", f"--as={user}", check=False
        )
        assert asked.stdout.strip() == answer, (user, verb)
