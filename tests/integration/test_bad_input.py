"""Manifests that people really write wrong: each is refused at apply, or answered by a condition, with words that help.

What is tested is what a person reads: kubectl's output and `status.conditions`, never an internal value.
"""

import re
import time
from collections.abc import Iterator

import pytest

from tests.conftest import ControlPlane, new_control_plane
from tests.integration.manifests import Wrong, answered, refused
from tests.integration.operator_process import running_operator

NAMESPACE = "bad-input"
PATIENCE = 20.0  # seconds for a condition to say what it should; most say it within one


@pytest.fixture(scope="module")
def namespace(control_plane: ControlPlane) -> str:
    """Where refused manifests are tried."""
    control_plane.kubectl("create", "namespace", NAMESPACE)
    return NAMESPACE


@pytest.mark.parametrize("wrong", refused(), ids=lambda wrong: wrong.name)
def test_is_refused_in_words_that_name_the_fix(control_plane: ControlPlane, namespace: str, wrong: Wrong) -> None:
    done = control_plane.kubectl("-n", namespace, "apply", "-f", str(wrong.path), check=False)
    assert done.returncode != 0, f"accepted: {done.stdout}"
    assert re.search(wrong.words, done.stderr, re.DOTALL), done.stderr


def test_there_are_enough_of_them() -> None:
    assert len(refused()) >= 20


@pytest.fixture(scope="module")
def operator(control_plane: ControlPlane) -> Iterator[None]:
    """A real operator process; its one metric source is never asked here."""
    with running_operator(control_plane.kubeconfig):
        yield


@pytest.mark.usefixtures("operator")
@pytest.mark.parametrize("wrong", answered("", "gateway-api"), ids=lambda wrong: wrong.name)
def test_is_answered_by_a_condition_that_names_the_fix(control_plane: ControlPlane, wrong: Wrong) -> None:
    is_answered(control_plane, wrong)


def test_without_the_gateway_api_the_rest_works_and_says_so() -> None:
    with new_control_plane("no-gateway-api") as plane:
        plane.install_crds()
        with running_operator(plane.kubeconfig):
            for wrong in answered("no-gateway-api"):
                is_answered(plane, wrong)


def is_answered(control_plane: ControlPlane, wrong: Wrong) -> None:
    control_plane.kubectl("create", "namespace", wrong.name)
    control_plane.kubectl("-n", wrong.name, "apply", "-f", str(wrong.path))
    try:
        said = _ready(control_plane, wrong)
        end = time.monotonic() + PATIENCE
        while not re.search(f"^{wrong.reason}: .*{wrong.words}", said, re.DOTALL):
            assert time.monotonic() < end, said
            said = _ready(control_plane, wrong)
    finally:
        control_plane.kubectl("-n", wrong.name, "delete", "--wait=false", "-f", str(wrong.path))
        control_plane.kubectl("delete", "namespace", wrong.name, "--wait=false")


def _ready(control_plane: ControlPlane, wrong: Wrong) -> str:
    """Reason and message of the Ready condition."""
    ready = '.status.conditions[?(@.type=="Ready")]'
    words = f"jsonpath={{{ready}.reason}}: {{{ready}.message}}"
    return control_plane.kubectl("-n", wrong.name, "get", "modeldeployment/churn", "-o", words).stdout
