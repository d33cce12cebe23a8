"""What the chart says of gateways and networks is what the operator reads, and gives a right to, and watches."""

import pytest
import yaml

from penstock.model.kinds import KINDS
from penstock.model.platform import Fence, Implementation, Platform
from penstock.shell.settings import Settings
from tests.meta.test_chart import named, operator_rules, render

PLATFORMS = {
    (): Platform(),
    ("gateway.implementation=Istio",): Platform(Implementation.ISTIO),
    ("gateway.implementation=None", "gateway.certManager=true"): Platform(Implementation.NONE, certificates=True),
    ("gateway.locks=true",): Platform(locks=True),
    ("networkPolicy.models.enabled=true",): Platform(fence=Fence()),
}


@pytest.mark.parametrize("values", PLATFORMS)
def test_what_is_watched_is_what_there_is_a_right_to(values: tuple[str, ...]) -> None:
    made = render(*values)
    granted = {
        (group, one) for _, rule in operator_rules(made) for group in rule["apiGroups"] for one in rule["resources"]
    }
    told = Settings.model_validate(yaml.safe_load(named(made, "ConfigMap", "penstock")["data"]["config.yaml"]))
    assert told.platform == PLATFORMS[values]
    optional = {name: (kind.group, kind.plural) for name, kind in KINDS.items() if kind.optional}
    assert {name for name, where in optional.items() if where in granted} == optional.keys() & set(told.kinds)


def test_the_bundled_prometheus_passes_the_fence() -> None:
    made = render("networkPolicy.models.enabled=true", "prometheus.install=true")
    told = Settings.model_validate(yaml.safe_load(named(made, "ConfigMap", "penstock")["data"]["config.yaml"]))
    assert told.platform.fence
    (peer,) = told.platform.fence.prometheus
    labels = named(made, "Deployment", "penstock-prometheus")["spec"]["template"]["metadata"]["labels"]
    assert peer["podSelector"]["matchLabels"].items() <= labels.items()
    assert peer["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "penstock-system"}
