"""traffic.payloadLog: what is made for it, what is said where it cannot be kept; and it never holds anything up."""

from dataclasses import replace
from typing import Any

import pytest

from penstock.core.plan import decide
from penstock.model.platform import Platform
from penstock.model.sinks import Sink
from penstock.model.values import LogSeen, World
from penstock.routing import gateway, payload, rules
from penstock.shell.settings import Settings
from tests.golden.turns import deployments, middle

LAKE = {"lake": Sink("logging", "collector", 8080)}


def world(wish: dict[str, Any] | None = None, **more: Any) -> World:
    """A canary in its middle, whose user wants a payload log."""
    live = deployments()["digits-v2"]
    traffic = live["spec"]["traffic"] | {"payloadLog": wish or {"sink": "lake", "percent": 5}}
    return replace(middle(live | {"spec": live["spec"] | {"traffic": traffic}}), platform=Platform(sinks=LAKE), **more)


def made(seen: World) -> dict[tuple[str, str], Any]:
    return {(each["kind"], each["metadata"]["name"]): each["spec"] for each in decide(seen).children if "spec" in each}


def test_a_policy_tells_of_so_many_requests_to_a_cluster_that_a_route_of_its_own_makes() -> None:
    found = made(world())
    (lua,) = found["EnvoyExtensionPolicy", "digits-payload"]["lua"]
    context = lua["filterContext"]
    assert context["percent"] == 5
    assert context["cluster"] == "httproute/digits/digits-payload/rule/0-mirror-0"
    (rule,) = found["HTTPRoute", "digits-payload"]["rules"]
    assert rule["filters"] == [
        {
            "type": "RequestMirror",
            "requestMirror": {
                "backendRef": {
                    "group": "",
                    "kind": "Service",
                    "namespace": "logging",
                    "name": "collector",
                    "port": 8080,
                },
                "percent": 0,
            },
        }
    ]
    assert all(match["headers"] == [rules.NOBODY] for match in rule["matches"]), "nobody is led there"


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        (LogSeen(), False),
        (LogSeen(targets=frozenset({"digits-payload"})), False),
        (LogSeen(taken=True, targets=frozenset({"digits-payload"})), True),
        (LogSeen(targets=frozenset({"digits-payload", "digits"})), True),
        (LogSeen(refused="Lua is disabled", targets=frozenset({"digits-payload", "digits"})), False),
    ],
)
def test_the_models_route_is_put_at_risk_only_once_a_route_of_nobodys_has_shown_that_it_works(
    seen: LogSeen, told: bool
) -> None:
    """The gateway answers requests with 500 where it cannot keep the policy of their route."""
    policy = made(world(log=seen))["EnvoyExtensionPolicy", "digits-payload"]
    assert [ref["name"] for ref in policy["targetRefs"]] == ["digits-payload", *(["digits"] if told else [])]


def test_the_models_own_route_says_who_answered_and_is_else_as_it_was() -> None:
    seen = world()
    dressed, bare = (made(each)["HTTPRoute", "digits"] for each in (seen, replace(seen, platform=Platform())))
    for rule, plain in zip(dressed["rules"], bare["rules"], strict=True):
        for ref, before in zip(rule["backendRefs"], plain["backendRefs"], strict=True):
            assert ref["filters"][0]["responseHeaderModifier"]["set"] == [
                {"name": payload.HEADER, "value": ref["name"]}
            ]
            assert {key: value for key, value in ref.items() if key != "filters"} == before
    live = {"metadata": {"name": "digits", "namespace": "digits", "generation": 1}, "status": {}}
    assert gateway.read(live | {"spec": dressed}) == gateway.read(live | {"spec": bare})


@pytest.mark.parametrize(
    ("sinks", "log", "reason", "words"),
    [
        ({}, LogSeen(), "SinkNotFound", "no payload sink lake; the operator has: none"),
        ({"pond": LAKE["lake"]}, LogSeen(), "SinkNotFound", "the operator has: pond"),
        (LAKE, LogSeen(refused="Invalid: Lua is disabled"), "PayloadLogRefused", "extensionApis.enableLua"),
        (LAKE, LogSeen(unreached="RefNotPermitted"), "PayloadLogRefused", "RefNotPermitted. Its namespace needs"),
        (LAKE, LogSeen(), "", ""),
    ],
)
def test_what_cannot_be_kept_is_said_with_its_fix_and_traffic_goes_on(
    sinks: dict[str, Sink], log: LogSeen, reason: str, words: str
) -> None:
    seen = replace(world(), platform=Platform(sinks=sinks), log=log)
    plan, plain = decide(seen), decide(world())
    (ready,) = (each for each in plan.status.conditions if each.type == "Ready")
    assert (ready.reason == reason) == bool(reason) and words in ready.message
    assert plan.status.candidate == plain.status.candidate and plan.status.stable == plain.status.stable
    assert gateway.read(_route(seen)).weights == gateway.read(_route(world())).weights


def _route(seen: World) -> dict[str, Any]:
    meta = {"name": "digits", "namespace": "digits", "generation": 1}
    return {"metadata": meta, "spec": made(seen)["HTTPRoute", "digits"], "status": {}}


@pytest.mark.parametrize("told", [{}, {"ancestors": []}, {"ancestors": [{"conditions": []}]}])
def test_of_a_policy_that_is_not_answered_nothing_is_said(told: dict[str, Any]) -> None:
    assert payload.read({"metadata": {"generation": 1}, "status": told}) == LogSeen()


@pytest.mark.parametrize(
    ("status", "observed", "taken", "refused"),
    [
        ("True", 2, True, ""),
        ("False", 2, False, "Invalid: Lua is disabled"),
        ("False", 1, False, ""),
        ("True", 1, False, ""),
        ("Unknown", 2, False, ""),
    ],
)
def test_a_gateways_word_counts_for_the_present_generation(
    status: str, observed: int, taken: bool, refused: str
) -> None:
    told = {"type": "Accepted", "status": status, "reason": "Invalid", "message": "Lua is disabled"}
    ancestors = [{"conditions": [told | {"observedGeneration": observed}]}]
    spec = {"targetRefs": [{"name": "digits"}]}
    live = {"metadata": {"generation": 2}, "spec": spec, "status": {"ancestors": ancestors}}
    assert payload.read(live) == LogSeen(taken, refused, targets=frozenset({"digits"}))


def test_an_administrators_sink_is_read_from_the_configuration() -> None:
    found = Settings.model_validate({"payloadSinks": {"lake": {"service": "logging/collector", "port": 8080}}})
    assert {name: sink.sink() for name, sink in found.payload_sinks.items()} == LAKE
    with pytest.raises(ValueError, match="service"):
        Settings.model_validate({"payloadSinks": {"lake": {"service": "http://somewhere"}}})
