"""The routes that we make, on a real API server with the Gateway API's own schema and rules: taken, kept, read back."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from penstock.api.spec import Spec
from penstock.api.status import PlannedMatch
from penstock.api.traffic import Traffic
from penstock.core.desired import make_object, make_route
from penstock.model.faults import Rejected
from penstock.model.values import Cohort, Manifest, Plan, RouteSeen, Shares, Sticky
from penstock.model.values import World as Seen
from penstock.routing import gateway, istio, read_own, router_of, rules
from penstock.shell.act import act, changes
from penstock.shell.cache import Cache
from penstock.shell.kube import Kube
from penstock.shell.routes import find_routes
from tests.conftest import ControlPlane
from tests.golden.turns import world

Object = dict[str, Any]
NAMESPACE = "routes"
MODEL: Object = {
    "apiVersion": "penstock.dev/v1alpha1",
    "kind": "ModelDeployment",
    "metadata": {"name": "churn", "namespace": NAMESPACE},
    "spec": {"model": {"version": "1", "format": "sklearn"}, "runtime": "mlserver"},
}
TERSE = Traffic.model_validate({"gateway": {"name": "models"}})
LONGEST = Traffic.model_validate(
    {
        "gateway": {"name": "m" * 253, "namespace": "n" * 63, "sectionName": "s" * 253},
        "hostnames": [f"h{i}.{'a' * 63}.{'b' * 63}.corp" for i in range(16)],
        "path": "/" + "p" * 511,
    }
)
GRPC = Traffic.model_validate({"gateway": {"name": "models"}, "protocol": "GRPC", "hostnames": ["churn.corp"]})
ISTIO = Traffic.model_validate({"istio": {"gateways": ["istio-ingress/models", "own"]}, "hostnames": ["churn.corp"]})
TRAFFICS = {"terse": TERSE, "longest": LONGEST, "grpc": GRPC, "istio": ISTIO}
LONG = ["churn-" + letter * 57 for letter in "abc"]
WORD = "a" + "-_." * 42 + "z"
HEADER, COOKIE = PlannedMatch(header="x-cohort", value="beta"), PlannedMatch(cookie="cohort", value="beta.1")
ODDEST = (PlannedMatch(header=WORD, value=WORD), PlannedMatch(cookie=WORD, value=WORD), HEADER, COOKIE)
QUERY = PlannedMatch(query=WORD, value=WORD)
DRAW = Sticky("variant", "d1", (5, 25, 100), 3600)
FULLEST = Sticky(f"penstock-{'n' * 63}-{'m' * 63}", "a" * 10, (*range(1, 16), 100), 99999 * 3600, LONG[2])
TWO = {"churn-1": 95, "churn-2": 5}
SHARES = {
    "one": Shares({"churn-1": 100}),
    "two": Shares(TWO),
    "header": Shares(TWO, Cohort("churn-2", (HEADER,))),
    "cookie": Shares(TWO, Cohort("churn-2", (COOKIE,))),
    "query": Shares(TWO, Cohort("churn-2", (QUERY, HEADER))),
    "parked": Shares(TWO, Cohort()),
    "place": Shares(TWO, None, None, DRAW),
    "users": Shares(TWO, Cohort(), None, replace(DRAW, revision="churn-2")),
    "most users": Shares({LONG[0]: 0, LONG[1]: 93, LONG[2]: 7}, None, None, FULLEST),
    "copies": Shares({"churn-1": 100, "churn-2": 0}, mirror=("churn-2", 1)),
    "all": Shares(dict(zip(LONG, (0, 99, 1), strict=True)), Cohort(LONG[0], ODDEST), (LONG[0], 100)),
}
UNANSWERED = "no controller has answered for Gateway"


@pytest.fixture(scope="module")
def seen(control_plane: ControlPlane) -> Seen:
    """The ModelDeployment that the routes belong to; without it the garbage collector would take them away."""
    control_plane.kubectl("create", "namespace", NAMESPACE)
    applied = control_plane.kubectl("apply", "-f", "-", "-o", "json", input=json.dumps(MODEL)).stdout
    return replace(world(MODEL), uid=json.loads(applied)["metadata"]["uid"])


def now() -> datetime:
    """The machine's clock, which is the server's."""
    return datetime.now(UTC)


async def applied(control_plane: ControlPlane, *routes: Manifest) -> list[Manifest]:
    """What the server makes of each, one after another."""
    kube = await Kube.connect(str(control_plane.kubeconfig), 2)
    try:
        return [await kube.apply(route) for route in routes]
    finally:
        await kube.close()


def is_settled(live: Manifest, wanted: Manifest) -> bool:
    """True where a turn that reads it back would write nothing: the server spells every field as we do."""
    cache = Cache()
    cache.see_child(live)
    plan = Plan(status=world(MODEL).status, children=(wanted,))
    return not changes(cache, (NAMESPACE, "churn"), plan)


@pytest.mark.parametrize("traffic", TRAFFICS.values(), ids=TRAFFICS)
@pytest.mark.parametrize("shares", SHARES.values(), ids=SHARES)
def test_a_route_is_taken_and_read_back_as_it_was_written(
    control_plane: ControlPlane, seen: Seen, shares: Shares, traffic: Traffic
) -> None:
    router = router_of(traffic)
    assert router
    made = make_object(seen, router.kind, "churn", {"spec": router.make(traffic, shares)})
    (live,) = asyncio.run(applied(control_plane, made))
    found = read_own(router.kind, live)
    assert found.message.startswith(UNANSWERED if traffic.gateway else "") and found.traffic == traffic
    cohort = shares.cohort.revision if shares.cohort else ""
    parked = shares.cohort == Cohort()
    if router.kind == "GRPCRoute" and shares.cohort and all(match.query for match in shares.cohort.match):
        cohort, parked = "", True  # gRPC has no query
    users = shares.sticky if router.keeps_users else None
    wanted = RouteSeen(shares.weights, False, cohort=cohort, mirror=shares.mirror, parked=parked, sticky=users)
    assert replace(found, message="", programmed=False, taken_at=None, uid="") == wanted
    assert is_settled(live, made)


def test_the_api_server_says_when_a_virtual_service_was_written(control_plane: ControlPlane, seen: Seen) -> None:
    """And not when somebody wrote the same again, or Istio its status."""
    specs = [istio.make(ISTIO, each) for each in (Shares(TWO), Shares({"churn-1": 50, "churn-2": 50}))]
    first, second = (make_object(seen, "VirtualService", "dated", {"spec": spec}) for spec in specs)

    async def story() -> list[Any]:
        kube = await Kube.connect(str(control_plane.kubeconfig), 2)
        try:
            begin = await kube.apply(first)
            await asyncio.sleep(1.1)  # its times are whole seconds
            again = await kube.apply(first)
            conditions = [{"type": "Reconciled", "status": "True", "observedGeneration": 1}]
            told = await kube.update_status(again, {"conditions": conditions})
            listed = [each async for page in kube.pages("VirtualService", NAMESPACE) for each in page]
            known = next(each for each in listed if each["metadata"]["name"] == "dated")
            changed = await kube.apply(second)
            return [istio.read(each) for each in (begin, again, told, known, changed)]
        finally:
            await kube.close()

    begin, again, told, known, changed = asyncio.run(story())
    assert begin.taken_at and begin.taken_at == again.taken_at and abs(now() - begin.taken_at) < timedelta(minutes=1)
    assert told.programmed and told.taken_at is None, "Istio's word for this generation"
    assert known.taken_at is None and known.programmed
    assert changed.taken_at > begin.taken_at, "of the next generation Istio has said nothing yet"


def test_what_a_step_added_is_gone_after_it(control_plane: ControlPlane, seen: Seen) -> None:
    full = Shares(TWO, Cohort("churn-2", (HEADER, COOKIE)), ("churn-2", 30))
    specs = [gateway.make(TERSE, each) for each in (full, Shares(TWO))]
    before, after = (make_object(seen, "HTTPRoute", "passing", {"spec": spec}) for spec in specs)
    first, last = asyncio.run(applied(control_plane, before, after))
    assert len(first["spec"]["rules"]) == 2 and "filters" in first["spec"]["rules"][0]
    assert len(last["spec"]["rules"]) == 1 and "filters" not in last["spec"]["rules"][0]
    assert gateway.read(last).weights == TWO and is_settled(last, after) and not is_settled(first, after)


@pytest.mark.parametrize("traffic", TRAFFICS.values(), ids=TRAFFICS)
def test_a_preview_is_taken_and_read_back(control_plane: ControlPlane, seen: Seen, traffic: Traffic) -> None:
    router = router_of(traffic)
    assert router and router.make_preview
    spec = router.make_preview(traffic, ["next.churn.corp"], LONG[0])
    made = make_object(seen, router.kind, "churn-preview", {"spec": spec})
    (live,) = asyncio.run(applied(control_plane, made))
    assert router.read(live).weights == {LONG[0]: 100} and is_settled(live, made)


@pytest.mark.parametrize("traffic", [TERSE, LONGEST], ids=["terse", "longest"])
def test_a_route_of_requests_that_pick_their_revision_is_taken(
    control_plane: ControlPlane, seen: Seen, traffic: Traffic
) -> None:
    picking = traffic.model_copy(update={"preview_header": WORD})
    spec = gateway.make_named(picking, {LONG[0]: ("stable", LONG[0]), LONG[1]: ("candidate", LONG[1])})
    made = make_object(seen, "HTTPRoute", "churn-revisions", {"spec": spec})
    (live,) = asyncio.run(applied(control_plane, made))
    assert gateway.backends(live["spec"]) == set(LONG[:2]) and is_settled(live, made)


def test_the_schema_that_takes_them_is_a_strict_one(control_plane: ControlPlane, seen: Seen) -> None:
    """Else it would prove nothing that ours are taken."""
    wrong = make_object(seen, "HTTPRoute", "wrong", {"spec": gateway.make(TERSE, Shares(TWO, None, ("churn-2", 101)))})
    with pytest.raises(Rejected, match="percent"):
        asyncio.run(applied(control_plane, wrong))
    spaced = Cohort("churn-2", (PlannedMatch(header="x cohort", value="beta"),))
    wrong = make_object(seen, "HTTPRoute", "wrong", {"spec": gateway.make(TERSE, Shares(TWO, spaced))})
    with pytest.raises(Rejected, match="name"):
        asyncio.run(applied(control_plane, wrong))


OWN = Traffic.model_validate({"route": {"name": "churn-route", "rules": ["main", "beta"]}})


def owned(namespace: str = NAMESPACE) -> Manifest:
    """A route as somebody keeps it in Git, with what the schema allows and we know nothing of."""
    header = {"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [{"name": "x-a", "value": "b"}]}}
    path = {"path": {"type": "PathPrefix", "value": "/v2"}}
    beta = {"headers": [{"name": "x-beta", "value": "1"}]}
    all_rules = [
        {"matches": [{"path": {"type": "PathPrefix", "value": "/docs"}}], "backendRefs": [{"name": "docs", "port": 9}]},
        {"name": "main", "matches": [path], "filters": [header], "backendRefs": [{"name": "churn", "port": 80}]},
        {"name": "beta", "matches": [path | beta], "timeouts": {"request": "7s"}},
    ]
    meta = {"name": "churn-route", "namespace": namespace, "labels": {"penstock.dev/name": "churn"}}
    spec = {"parentRefs": [{"name": "models"}], "hostnames": ["churn.corp"], "rules": all_rules}
    return {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": meta, "spec": spec}


def test_in_somebody_elses_route_the_backends_of_the_named_rules_change_and_nothing_else(
    control_plane: ControlPlane, seen: Seen
) -> None:
    async def story() -> tuple[Manifest, Manifest]:
        gitops = await Kube.connect(str(control_plane.kubeconfig), 2, "gitops")
        kube = await Kube.connect(str(control_plane.kubeconfig), 2)
        try:
            before = await gitops.apply(owned())
            cache = Cache()
            cache.see_child(json.loads(json.dumps(before)))
            key = (NAMESPACE, "churn")
            found = find_routes(list(cache.owned(key)), key, seen.uid, OWN)
            assert not found.fault and found.now and not found.now.programmed
            (part,) = make_route(replace(seen, spec=replaced(seen.spec, OWN), route=found.now), Shares(TWO))
            plan = Plan(status=world(MODEL).status, children=(part,))
            await act(kube, cache, key, changes(cache, key, plan))
            assert not changes(cache, key, plan), "it costs nothing more"
            after = await kube.get("HTTPRoute", NAMESPACE, "churn-route")
            assert after
            return before, after
        finally:
            await kube.close()
            await gitops.close()

    before, after = asyncio.run(story())
    routed = find_named(after)
    assert routed["main"] == routed["beta"] == [rules.backend(name, weight) for name, weight in TWO.items()]
    assert len(json.dumps(_rest(after))) > 500 and json.dumps(_rest(after)) == json.dumps(_rest(before))
    assert "ownerReferences" not in after["metadata"]


def replaced(spec: Spec | None, traffic: Traffic) -> Spec:
    """The same wish, reached otherwise."""
    assert spec
    return spec.model_copy(update={"traffic": traffic})


def find_named(route: Manifest) -> dict[str, list[Manifest]]:
    """Backends by the rule's name."""
    return {rule["name"]: rule["backendRefs"] for rule in route["spec"]["rules"] if "name" in rule}


def _rest(route: Manifest) -> Manifest:
    """Every byte but the named rules' backends and what the API server counts."""
    kept: Manifest = json.loads(json.dumps(route))
    for key in ("resourceVersion", "generation", "managedFields"):
        kept["metadata"].pop(key, None)
    for rule in kept["spec"]["rules"]:
        if "name" in rule:
            rule.pop("backendRefs", None)
    return kept
