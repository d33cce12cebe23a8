"""Wrong manifests that only a real node can answer: the kubelet's own words reach the person who wrote them."""

import re
import time

import pytest

from tests.e2e.conftest import Stage
from tests.integration.manifests import Wrong, answered

PATIENCE = 60.0
READY = '.status.conditions[?(@.type=="Ready")]'


@pytest.mark.parametrize("wrong", answered("node"), ids=lambda wrong: wrong.name)
def test_is_answered_by_a_condition_that_names_the_fix(stage: Stage, wrong: Wrong) -> None:
    stage.kubectl("create", "namespace", wrong.name)
    stage.kubectl("-n", wrong.name, "apply", "-f", str(wrong.path))
    said, end = "", time.monotonic() + PATIENCE
    while not re.search(f"^{wrong.reason}: .*{wrong.words}", said, re.DOTALL):
        assert time.monotonic() < end, said
        words = f"jsonpath={{{READY}.reason}}: {{{READY}.message}}"
        said = stage.kubectl("-n", wrong.name, "get", "modeldeployment/churn", "-o", words)
    stage.kubectl("-n", wrong.name, "delete", "--wait=false", "-f", str(wrong.path))
    stage.kubectl("delete", "namespace", wrong.name, "--wait=false")
