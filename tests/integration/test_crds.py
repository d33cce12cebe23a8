"""The CRDs on a real API server: accepted as structural, with the defaults that readers of status rely on."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT, ControlPlane

EXAMPLES = sorted((ROOT / "examples").rglob("*.yaml"))
MODEL = """
apiVersion: penstock.dev/v1alpha1
kind: ModelDeployment
metadata: {name: new}
spec: {model: {version: "1", format: sklearn}}
"""


@pytest.fixture(scope="module")
def namespace(control_plane: ControlPlane) -> Iterator[str]:
    """For objects whose file names no namespace, beside those that the examples bring themselves."""
    control_plane.kubectl("create", "namespace", "examples")
    for path in EXAMPLES:
        for found in yaml.safe_load_all(path.read_text()):
            if found["kind"] == "Namespace":
                control_plane.kubectl("apply", "-f", str(path))
    yield "examples"
    control_plane.kubectl("delete", "namespace", "examples", "--wait=false")


def test_the_api_server_finds_them_structural(control_plane: ControlPlane) -> None:
    for name in ("modeldeployments.penstock.dev", "modelruntimes.penstock.dev"):
        found = json.loads(control_plane.kubectl("get", "crd", name, "-o", "json").stdout)
        facts = {one["type"]: (one["status"], one["message"]) for one in found["status"]["conditions"]}
        assert facts["Established"][0] == "True" and "NonStructuralSchema" not in facts, facts


def test_a_new_object_is_not_taken_for_a_finished_one(control_plane: ControlPlane, namespace: str) -> None:
    control_plane.kubectl("-n", namespace, "apply", "-f", "-", input=MODEL)
    status = control_plane.kubectl("-n", namespace, "get", "modeldeployment/new", "-o", "jsonpath={.status}").stdout
    assert json.loads(status) == {"observedGeneration": -1}


def test_no_default_is_written_into_a_spec(control_plane: ControlPlane, namespace: str) -> None:
    """Otherwise an upgrade would change stored objects, and with them the diff of every GitOps tool."""
    control_plane.kubectl("-n", namespace, "apply", "-f", "-", input=MODEL)
    spec = control_plane.kubectl("-n", namespace, "get", "modeldeployment/new", "-o", "jsonpath={.spec}").stdout
    assert json.loads(spec) == yaml.safe_load(MODEL)["spec"]


def test_they_have_short_names_and_a_category(control_plane: ControlPlane, namespace: str) -> None:
    listed = control_plane.kubectl("-n", namespace, "get", "mdep").stdout.split("\n")[0].split()
    assert listed == ["NAME", "READY", "REASON", "STABLE", "CANDIDATE", "WEIGHT", "REPLICAS", "AGE"]
    control_plane.kubectl("get", "mrt")
    control_plane.kubectl("-n", namespace, "get", "penstock")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: str(path.relative_to(ROOT)))
def test_an_example_is_accepted(control_plane: ControlPlane, namespace: str, path: Path) -> None:
    documents = list(yaml.safe_load_all(path.read_text()))
    own = [one for one in documents if one["metadata"].get("namespace") or one["kind"] in ("Namespace", "ModelRuntime")]
    where = () if own else ("-n", namespace)
    control_plane.kubectl(*where, "apply", "-f", str(path))
