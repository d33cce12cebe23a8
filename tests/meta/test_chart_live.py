"""What the chart renders for what is live: metrics by an API of their own, endpoints. Rendering only."""

import pytest
import yaml

from penstock.shell.settings import Settings
from tests.meta.test_chart import NAMESPACED, named, of_kind, operator_rules, render


def test_live_metrics_bring_their_api_its_certificate_and_one_right_and_no_more() -> None:
    plain, live = render(), render("externalMetrics.install=true")
    more = {(one["kind"], one["metadata"]["name"]) for one in live} - {
        (o["kind"], o["metadata"]["name"]) for o in plain
    }
    assert more == {
        ("Secret", "penstock-metrics"),
        ("Service", "penstock-metrics"),
        ("APIService", "v1beta1.external.metrics.k8s.io"),
        ("RoleBinding", "penstock-metrics-penstock-system"),
    }
    binding = named(live, "RoleBinding", "penstock-metrics-penstock-system")
    assert binding["metadata"]["namespace"] == "kube-system"
    assert binding["roleRef"]["name"] == "extension-apiserver-authentication-reader"


def test_the_api_server_trusts_the_certificate_that_the_operator_serves() -> None:
    live = render("externalMetrics.install=true")
    secret = named(live, "Secret", "penstock-metrics")
    service = named(live, "APIService", "v1beta1.external.metrics.k8s.io")["spec"]
    assert service["caBundle"] == secret["data"]["ca.crt"] and "insecureSkipTLSVerify" not in service
    (pod,) = (one["spec"]["template"]["spec"] for one in of_kind(live, "Deployment"))
    (volume,) = (one for one in pod["volumes"] if one["name"] == "live")
    assert [item["key"] for item in volume["secret"]["items"]] == ["tls.crt", "tls.key"]
    config = yaml.safe_load(named(live, "ConfigMap", "penstock")["data"]["config.yaml"])
    settings = Settings.model_validate(config).external_metrics
    (container,) = pod["containers"]
    assert settings and settings.port in {port["containerPort"] for port in container["ports"]}
    assert settings.cert_file.startswith(next(m["mountPath"] for m in container["volumeMounts"] if m["name"] == "live"))


def test_live_metrics_are_the_whole_clusters() -> None:
    with pytest.raises(AssertionError, match="set externalMetrics"):
        render(*NAMESPACED, "externalMetrics.install=true")


def test_keda_gets_a_place_to_ask_and_nobody_else_a_way_to_it() -> None:
    live = render("keda.use=true", "networkPolicy.enabled=true", "keda.namespace=scalers")
    config = yaml.safe_load(named(live, "ConfigMap", "penstock")["data"]["config.yaml"])
    settings = Settings.model_validate(config)
    assert settings.given.live == "http://penstock-live.penstock-system.svc/live"
    (port,) = named(live, "Service", "penstock-live")["spec"]["ports"]
    assert (port["port"], port["targetPort"]) == (80, "metrics")
    rules = named(live, "NetworkPolicy", "penstock")["spec"]["ingress"]
    wanted = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "scalers"}}}]
    assert [rule["from"] for rule in rules if rule.get("from") == wanted]


def test_a_cluster_has_one_server_of_external_metrics() -> None:
    with pytest.raises(AssertionError, match="exclude each other"):
        render("keda.use=true", "externalMetrics.install=true")


def test_endpoints_are_only_followed() -> None:
    (rule,) = [rule for _, rule in operator_rules(render()) if "endpointslices" in rule["resources"]]
    assert rule["verbs"] == ["list", "watch"]
