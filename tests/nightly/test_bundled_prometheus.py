"""No Prometheus but the chart's own: one value brings it, and a bad version is taken off on its numbers.

The add-on's Prometheus is away in the meantime, so that no other source can have helped.
"""

from collections.abc import Iterator

import pytest

from cluster import images, providers
from examples.demo import setup
from tests.conftest import helm
from tests.e2e.conftest import Stage, stage
from tests.e2e.stories.canaries import bad
from tests.e2e.stories.play import open_house, play

__all__ = ["stage"]
NAME = "penstock-prometheus"
ADDON = ("deployment/prometheus", "--namespace=monitoring")
PATIENCE = "180s"


def bundled(stage: Stage) -> list[str]:
    """Values that turn it on; every image is one that the node has, since there is nothing to pull from."""
    provider = providers.get(stage.name)
    made = images.images_of(("operator", "prometheus"))
    given = ["prometheus.install=true", "networkPolicy.enabled=true"]
    for key, name in (("image", "operator"), ("prometheus.image", "prometheus")):
        repository, tag = provider.image(made[name].reference).rsplit(":", 1)
        given += [f"{key}.repository={repository}", f"{key}.tag={tag}"]
    return [word for value in given for word in ("--set-string" if ".tag=" in value else "--set", value)]


@pytest.fixture
def alone(stage: Stage) -> Iterator[setup.Place]:
    """The bundled Prometheus runs and no other does; afterwards everything is as the other tests know it."""
    place = setup.prepare(stage.name)
    where = ["--namespace", setup.SYSTEM, "--kubeconfig", place.kubectl.kubeconfig, "--wait", "--timeout", PATIENCE]
    try:
        stage.kubectl("scale", *ADDON, "--replicas=0")
        helm("upgrade", "penstock", "helm/penstock", *where, *bundled(stage))
        yield place
    finally:
        stage.kubectl("scale", *ADDON, "--replicas=1")
        stage.kubectl("rollout", "status", *ADDON, f"--timeout={PATIENCE}")
        setup.prepare(stage.name)


def test_a_bad_version_is_taken_off_on_the_numbers_of_the_bundled_prometheus(stage: Stage, alone: setup.Place) -> None:
    config = stage.kubectl("get", "configmap/penstock", f"--namespace={setup.SYSTEM}", "--output=jsonpath={.data}")
    assert f"http://{NAME}.{setup.SYSTEM}.svc:9090" in config
    with open_house(alone) as house:
        outcome = play(house, {"bundled": bad})["bundled"]
    print(f"rolled back after {outcome.seconds:.0f} s: {outcome.requests} requests, {outcome.failed} failed")
    assert not outcome.trouble, outcome.trouble
    restarts = (
        f"--selector=app.kubernetes.io/name={NAME}",
        "--output=jsonpath={.items[*].status.containerStatuses[*].restartCount}",
    )
    assert stage.kubectl("get", "pods", f"--namespace={setup.SYSTEM}", *restarts) == "0"
