"""What keeps traffic.policy, by values: the specs, what a gateway's answers add up to, and what is refused."""

from typing import Any

import pytest
from pydantic import ValidationError

from penstock.api.policy import Client, Policy
from penstock.api.traffic import KEPT_BY_GATEWAY
from penstock.model.names import ANNOTATION_APPLIED
from penstock.model.platform import Fence, Implementation, Platform, TokenIssuer
from penstock.model.values import Said
from penstock.routing import access, gateway
from penstock.routing.access import fence, tls
from penstock.routing.access.answers import read_listeners, read_policy
from penstock.shell.platform import Issuer, unused
from penstock.shell.settings import Settings

Object = dict[str, Any]
ISSUERS = {"corp": TokenIssuer("https://login.corp", "https://login.corp/keys")}
FULL: Object = {
    "timeout": "5s",
    "retries": {"attempts": 1},
    "rateLimit": {"requests": 5},
    "maxBody": "1Mi",
    "apiKey": {"secret": {"name": "keys"}},
    "tls": {"secret": {"name": "certificate"}},
}


def policy(**wish: Any) -> Policy:
    """As a user writes it."""
    return Policy.model_validate(wish)


def kept(**wish: Any) -> Object:
    """What Envoy Gateway is given, by kind, without what all have."""
    made = access.KEEPERS[Implementation.ENVOY_GATEWAY].make(policy(**wish), "churn", ISSUERS)
    for spec in made.values():
        assert spec.pop("targetRefs") == [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": "churn"}]
        assert spec.pop("mergeType") == "StrategicMerge", "what the Gateway's owner says for all must stay"
    return made


def test_nothing_is_made_of_what_the_route_says_itself() -> None:
    assert kept(timeout="5s", tls={"secret": {"name": "a"}}, clients=[{"namespace": "shop"}]) == {}


def test_a_key_is_looked_for_in_the_secret_and_stays_at_the_gateway() -> None:
    made = kept(apiKey={"secret": {"name": "keys"}, "header": "x-key", "clientHeader": "x-client"})
    assert made == {
        "SecurityPolicy": {
            "apiKeyAuth": {
                "credentialRefs": [{"group": "", "kind": "Secret", "name": "keys"}],
                "extractFrom": [{"headers": ["x-key"]}],
                "sanitize": True,
                "forwardClientIDHeader": "x-client",
            }
        }
    }


@pytest.mark.parametrize(
    ("jwt", "provider"),
    [
        (
            {"provider": "corp", "audiences": ["churn"]},
            {"issuer": "https://login.corp", "remoteJWKS": {"uri": "https://login.corp/keys"}, "audiences": ["churn"]},
        ),
        (
            {"issuer": "me", "keys": {"name": "jwks"}, "claimHeaders": [{"claim": "sub", "header": "x-user"}]},
            {
                "issuer": "me",
                "localJWKS": {"type": "ValueRef", "valueRef": {"group": "", "kind": "ConfigMap", "name": "jwks"}},
                "claimToHeaders": [{"claim": "sub", "header": "x-user"}],
            },
        ),
    ],
)
def test_the_address_of_keys_is_the_administrators_and_never_a_users(jwt: Object, provider: Object) -> None:
    assert kept(jwt=jwt) == {"SecurityPolicy": {"jwt": {"providers": [{"name": "tokens", **provider}]}}}


def test_limits_are_for_each_client_and_who_names_no_client_is_one() -> None:
    limit = {"limit": {"requests": 5, "unit": "Minute"}}
    named = {"clientSelectors": [{"headers": [{"type": "Distinct", "name": "x-client"}]}], **limit}
    made = kept(rateLimit={"requests": 5, "per": "Minute", "header": "x-client"})
    assert made["BackendTrafficPolicy"] == {"rateLimit": {"local": {"rules": [named, limit]}}}
    rules = kept(rateLimit={"requests": 5})["BackendTrafficPolicy"]["rateLimit"]["local"]["rules"]
    assert [rule["clientSelectors"][0]["sourceCIDR"]["value"] for rule in rules] == ["0.0.0.0/0", "::/0"]
    assert all(rule["limit"] == {"requests": 5, "unit": "Second"} for rule in rules)


def test_retries_and_body() -> None:
    made = kept(retries={"attempts": 3, "codes": [500]}, maxBody="10Mi")["BackendTrafficPolicy"]
    assert made["requestBuffer"] == {"limit": "10Mi"}
    assert made["retry"]["numRetries"] == 3 and made["retry"]["retryOn"]["httpStatusCodes"] == [500]
    assert "retriable-status-codes" in made["retry"]["retryOn"]["triggers"], "else the codes say nothing"


def test_every_field_is_kept_by_somebody_or_refused() -> None:
    fields = {info.alias for info in Policy.model_fields.values()}
    assert fields == access.NATIVE | access.KEEPERS[Implementation.ENVOY_GATEWAY].keeps
    assert fields == {*KEPT_BY_GATEWAY, "clients"}
    assert set(access.KEEPERS) == set(Implementation)


@pytest.mark.parametrize("implementation", [Implementation.ISTIO, Implementation.NONE])
def test_what_another_gateway_cannot_keep_is_refused_by_name(implementation: Implementation) -> None:
    for field in sorted(access.KEEPERS[Implementation.ENVOY_GATEWAY].keeps - {"jwt"}):
        words = access.refusal(policy(**{field: FULL[field]}), Platform(implementation))
        assert f"traffic.policy.{field} needs Envoy Gateway" in words and implementation in words
    assert access.refusal(policy(timeout="5s", tls=FULL["tls"]), Platform(implementation)) == ""
    assert access.refusal(policy(**FULL), Platform(locks=True)) == ""


def test_a_route_is_dressed_in_what_the_gateway_api_can_say_and_shut_it_leads_nowhere() -> None:
    main, apart = {"path": {"value": "/"}}, {"headers": [{"name": "x-cohort"}]}
    to = [{"name": "churn-1", "weight": 100}]
    rules: list[Object] = [{"matches": [main], "backendRefs": to}, {"matches": [apart], "backendRefs": to}]
    spec = {"parentRefs": [{"kind": "Gateway", "name": "models"}], "hostnames": ["churn.corp"], "rules": rules}
    made = access.dress(spec, policy(timeout="5s", tls={"secret": {"name": "a"}}), "churn")
    assert [rule["timeouts"] for rule in made["rules"]] == [{"request": "5s"}] * 2
    assert made["parentRefs"] == [{"group": "gateway.networking.k8s.io", "kind": "ListenerSet", "name": "churn"}]
    assert access.dress(spec, policy(maxBody="1Mi"), "churn") == spec
    shut = access.shut(made)
    assert shut["rules"] == [{"matches": [main], "backendRefs": []}] and shut["hostnames"] == ["churn.corp"]
    assert gateway.read({"metadata": {"name": "churn", "namespace": "ml"}, "spec": shut}).weights == {}


def test_a_certificate_is_for_every_name() -> None:
    wish = policy(tls={"issuer": {"name": "ca", "kind": "ClusterIssuer"}}).tls
    assert wish and tls.secret_of(wish, "churn") == "churn-tls"
    assert tls.make_certificate(wish, ["a.corp", "b.corp"], "churn-tls") == {
        "secretName": "churn-tls",
        "dnsNames": ["a.corp", "b.corp"],
        "issuerRef": {"group": "cert-manager.io", "kind": "ClusterIssuer", "name": "ca"},
    }


# what a gateway says


def said(*conditions: Object, generation: int = 2, **status: Any) -> Object:
    """A policy with one answer for each of these."""
    meta = {"generation": generation, "annotations": {ANNOTATION_APPLIED: "digest"}}
    return {"metadata": meta, "status": {"ancestors": [{"conditions": [each]} for each in conditions], **status}}


def condition(kind: str = "Accepted", status: str = "True", observed: int = 2) -> Object:
    """One condition."""
    words = {"reason": "Because", "message": "of that", "lastTransitionTime": "2026-11-21T12:00:00Z"}
    return {"type": kind, "status": status, "observedGeneration": observed, **words}


@pytest.mark.parametrize(
    ("conditions", "holds", "refused"),
    [
        ([], False, ""),
        ([condition()], True, ""),
        ([condition(observed=1)], False, ""),
        ([condition(status="False", observed=1)], False, ""),
        ([condition(status="False")], False, "Because: of that"),
        ([condition("Merged"), condition()], True, ""),
        ([condition("Merged")], False, ""),
        # Seen on Envoy Gateway 1.9.1: of a policy merged into the Gateway's, the Gateway says yes and its listener no.
        ([condition(), condition(status="False")], False, "Because: of that"),
        ([condition(status="False"), condition()], False, "Because: of that"),
    ],
)
def test_a_policy_holds_when_it_was_taken_as_it_is_and_nobody_refuses(
    conditions: list[Object], holds: bool, refused: str
) -> None:
    found = read_policy(said(*conditions))
    assert (found.applied, found.holds, found.refused) == ("digest", holds, refused)


@pytest.mark.parametrize(
    ("conditions", "listener", "holds"),
    [
        ([condition(), condition("Programmed")], condition("ResolvedRefs"), True),
        ([condition(), condition("Programmed", "False")], condition("ResolvedRefs", "False"), False),
        ([condition()], condition("ResolvedRefs"), False),
        ([condition(), condition("Programmed")], condition("ResolvedRefs", "False"), False),
        ([condition(), condition("Programmed", observed=1)], condition("ResolvedRefs"), False),
    ],
)
def test_listeners_hold_when_they_are_in_the_proxies_with_their_certificate(
    conditions: list[Object], listener: Object, holds: bool
) -> None:
    live = said() | {"status": {"conditions": conditions, "listeners": [{"conditions": [listener]}]}}
    assert read_listeners(live).holds is holds
    assert read_listeners(said()) == Said("digest")


# the fence


GATEWAY, PROMETHEUS = {"podSelector": {"matchLabels": {"proxy": "1"}}}, {"namespaceSelector": {}}
FENCE = Fence((GATEWAY,), (PROMETHEUS,))
OWN = {"podSelector": {"matchLabels": {"penstock.dev/name": "churn"}}}


@pytest.mark.parametrize(
    ("routed", "clients", "peers"),
    [
        (True, [], [OWN, GATEWAY, PROMETHEUS]),
        (False, [], [OWN, PROMETHEUS, {"podSelector": {}}]),
        (False, [{"podLabels": {"a": "b"}}], [OWN, PROMETHEUS, {"podSelector": {"matchLabels": {"a": "b"}}}]),
        (
            True,
            [{"namespace": "shop"}],
            [
                OWN,
                GATEWAY,
                PROMETHEUS,
                {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "shop"}}, "podSelector": {}},
            ],
        ),
    ],
)
def test_who_comes_in(routed: bool, clients: list[Object], peers: list[Object]) -> None:
    made = fence.make("churn", FENCE, [Client.model_validate(each) for each in clients], routed)
    assert made == {"podSelector": OWN["podSelector"], "policyTypes": ["Ingress"], "ingress": [{"from": peers}]}


# what the administrator says


def test_kinds_that_are_of_no_use_here_are_not_watched() -> None:
    assert unused(Platform()) == {"Certificate", "NetworkPolicy"}
    assert unused(Platform(Implementation.NONE, certificates=True, fence=Fence())) == {
        "SecurityPolicy",
        "BackendTrafficPolicy",
        "EnvoyExtensionPolicy",
    }
    kinds = Settings.model_validate({"modelNetworks": {"enabled": True}}).kinds
    assert "NetworkPolicy" in kinds and "Certificate" not in kinds and "ModelDeployment" in kinds


@pytest.mark.parametrize("uri", ["http://login.corp/keys", "https://u:p@login.corp", "file:///etc", "https://"])
def test_keys_are_fetched_by_https_alone(uri: str) -> None:
    with pytest.raises(ValidationError):
        Issuer(issuer="corp", jwks_uri=uri)
