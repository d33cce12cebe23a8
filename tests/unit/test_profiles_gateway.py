"""The profiles at the gateway: what Envoy and Istio show, under the scrape rules that docs/profiles.md gives.

Envoy Gateway and Envoy ran, with two revisions behind one rule at 75 to 25; each answer said which one it came from. By
another rule, 33 more requests went to the stable revision, and 7 to one without a ready pod.
"""

import pytest

from penstock.model.measure import Ratio, Selector
from tests.unit.exposed import (
    ERROR_RATE,
    EXPOSITIONS,
    Sample,
    asked,
    chosen,
    exposition,
    parsed,
    relabelled,
    scrape_rules,
)

STABLE, CANDIDATE, EMPTY = "churn-6f9c1b", "churn-b21d77", "churn-empty"
# What the client saw from each, by the class of the status.
SENT = {STABLE: {"2": 231 + 33, "4": 16, "5": 23}, CANDIDATE: {"2": 75, "4": 4, "5": 7}, EMPTY: {"5": 7}}


def of(samples: list[Sample], revision: str) -> list[Sample]:
    """As the metric source asks: by namespace and revision."""
    return chosen(samples, Selector("", f'namespace="ml",penstock_dev_revision="{revision}"'))


def count(samples: list[Sample], found: Ratio) -> tuple[int, int]:
    part, everything = (round(sum(v for _, _, v in chosen(samples, each))) for each in (found.part, found.total))
    return (everything - part if found.part_is_good else part), everything


ENVOY = relabelled(exposition("http-envoy"), scrape_rules("envoy-gateway"))
ISTIO = relabelled(exposition("http-istio"), scrape_rules("istio-gateway"))


@pytest.mark.parametrize("revision", SENT)
def test_envoy_counts_each_revision_by_the_class_of_the_status(revision: str) -> None:
    seen = chosen(of(ENVOY, revision), asked("http-envoy", ERROR_RATE).total)
    assert {labels["envoy_response_code_class"]: round(value) for _, labels, value in seen} == SENT[revision]


@pytest.mark.parametrize("revision", [STABLE, CANDIDATE])
@pytest.mark.parametrize(("name", "samples"), [("http-envoy", ENVOY), ("http-istio", ISTIO)])
def test_errors_are_the_revisions_own_5xx(name: str, samples: list[Sample], revision: str) -> None:
    sent = SENT[revision]
    assert count(of(samples, revision), asked(name, ERROR_RATE)) == (sent["5"], sum(sent.values()))


@pytest.mark.parametrize(("threshold", "stable", "candidate"), [("250ms", 5, 1), ("500ms", 0, 0), ("1s", 0, 0)])
def test_envoys_durations_are_milliseconds(threshold: str, stable: int, candidate: int) -> None:
    """Six requests were held for 0.3 s. What Envoy answers itself has no duration."""
    found = asked("http-envoy", {"name": "slowRate", "threshold": threshold, "max": "5%"})
    assert count(of(ENVOY, STABLE), found) == (stable, 303)
    assert count(of(ENVOY, CANDIDATE), found) == (candidate, 86)
    assert count(of(ENVOY, EMPTY), found) == (0, 0)


def test_nothing_but_revisions_is_kept() -> None:
    for samples, revisions in ((ENVOY, set(SENT)), (ISTIO, {STABLE, CANDIDATE})):
        assert {labels["penstock_dev_revision"] for _, labels, _ in samples} == revisions
        assert {labels["namespace"] for _, labels, _ in samples} == {"ml"}
    assert any("xds_cluster" in labels.values() for _, labels, _ in exposition("http-envoy"))


def test_without_merged_backends_nobody_is_counted() -> None:
    """Envoy's series are then of the rule: better none for a revision than those of all revisions."""
    unmerged = parsed(EXPOSITIONS / "http-envoy.unmerged.prom")
    names = {labels["envoy_cluster_name"] for _, labels, _ in unmerged}
    assert names == {"httproute/ml/churn/rule/0", "xds_cluster"}
    assert relabelled(unmerged, scrape_rules("envoy-gateway")) == []


@pytest.mark.parametrize(
    ("cluster", "expected"),
    [
        ("service/ml/churn-6f9c1b/8080/http", ("ml", STABLE)),
        ("service/ml/churn-6f9c1b/8080", ("ml", STABLE)),
        ("backend/ml/churn-6f9c1b/0/http", ("ml", STABLE)),
        ("httproute/ml/churn/rule/0", None),
        ("httproute/ml/churn/rule/0/backend/1", None),
        ("httproute/ml/churn/rule/0-mirror-0", None),
        ("xds_cluster", None),
    ],
)
def test_a_cluster_is_of_a_revision_by_its_name(cluster: str, expected: tuple[str, str] | None) -> None:
    series = [("envoy_cluster_upstream_rq_xx", {"envoy_cluster_name": cluster, "namespace": "gateways"}, 1.0)]
    kept = relabelled(series, scrape_rules("envoy-gateway"))
    assert [(labels["namespace"], labels["penstock_dev_revision"]) for _, labels, _ in kept] == (
        [expected] if expected else []
    )
