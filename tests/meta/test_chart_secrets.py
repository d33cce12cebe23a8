"""How a metric source's credentials reach the operator: by the kubelet, and without a right to read any Secret."""

import yaml

from penstock.shell.settings import Settings
from penstock.shell.sources import PrometheusSource
from tests.meta.test_chart import named, operator_rules, render


def test_secrets_of_metric_sources_are_mounted_and_no_right_to_read_them_is_needed() -> None:
    token = "/etc/penstock/secrets/mimir/token"
    manifests = render(
        "metricSourceSecrets={mimir,corp.ca}",
        "metricSources.default.url=https://mimir.corp/prometheus",
        f"metricSources.default.auth.bearer.tokenFile={token}",
        "metricSources.default.tls.caFile=/etc/penstock/secrets/corp.ca/ca.crt",
        "metricSources.default.headers.X-Scope-OrgID=team",
        "metricSources.default.rawQueries=true",
        "metricSources.default.maxSeries=100",
    )
    pod = named(manifests, "Deployment", "penstock")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    names = {one["name"]: one["secret"]["secretName"] for one in pod["volumes"] if "secret" in one}
    mounts = {one["mountPath"]: names[one["name"]] for one in container["volumeMounts"] if one["name"] in names}
    assert mounts == {"/etc/penstock/secrets/mimir": "mimir", "/etc/penstock/secrets/corp.ca": "corp.ca"}
    assert all(one["readOnly"] for one in container["volumeMounts"])
    assert [one["mountPath"] for one in container["volumeMounts"] if one["name"] == "config"] == [
        "/etc/penstock/config.yaml"
    ], "a directory that others are mounted in is no volume that is read-only"
    config = yaml.safe_load(named(manifests, "ConfigMap", "penstock")["data"]["config.yaml"])
    source = Settings.model_validate(config).metric_sources["default"]
    assert isinstance(source, PrometheusSource) and source.auth.bearer and source.auth.bearer.token_file == token
    assert (source.headers, source.raw_queries, source.max_series) == ({"X-Scope-OrgID": "team"}, True, 100)
    assert not any("secrets" in rule["resources"] for _, rule in operator_rules(manifests))
