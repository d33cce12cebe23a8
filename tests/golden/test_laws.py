"""Laws over all that is rendered, whatever the wish: pods stay restricted, hashes are of the user's words alone."""

from dataclasses import replace
from typing import Any

import pytest

from penstock.api.fields import Name
from penstock.api.runtime import Container, RuntimeSpec
from penstock.api.serving import EnvVar, Server
from penstock.api.spec import DeletionPolicy, Spec
from penstock.core.desired import make_revision, read_snapshot
from penstock.core.plan import decide
from penstock.core.template import intent, wanted_revision
from penstock.model.kinds import KINDS
from penstock.model.names import revision_name
from penstock.model.values import World
from penstock.routing.access import lock
from penstock.shell import graft
from tests.golden.turns import TURNS, deployments, middle, runtimes, snapshot, templates, world

Object = dict[str, Any]
ALL = [
    pytest.param(turn(live), id=f"{name}-{kind}")
    for name, live in deployments().items()
    for kind, turn in TURNS.items()
]


@pytest.mark.parametrize("live", deployments().values(), ids=deployments())
def test_a_stored_revision_reads_back_as_it_was(live: Object) -> None:
    seen = world(live)
    made = snapshot(seen)
    (record, *_) = make_revision(seen, wanted_revision(seen), made, 1)
    assert record["kind"] == "ControllerRevision" and read_snapshot(record) == made


@pytest.mark.parametrize("live", deployments().values(), ids=deployments())
def test_a_stored_revision_makes_the_same_objects_without_anything_else(live: Object) -> None:
    """Undo, drift and a lost ConfigMap are all mended from the record alone."""
    seen = world(live)
    name, made = wanted_revision(seen), snapshot(seen)
    record, *rest = make_revision(seen, name, made, 1)
    assert make_revision(replace(seen, configs={}, runtime=None), name, read_snapshot(record), 1) == [record, *rest]


# All that a user and a platform team may set at once; more than any example does.
FULLEST: Object = {
    "metadata": {"name": "churn", "namespace": "ml"},
    "spec": {
        "model": {"version": "1", "format": "sklearn", "uri": "pvc://models/a/b"},
        "runtime": "mlserver",
        "server": {
            "image": "registry.corp/other:1",
            "args": ["{{model.name}}"],
            "env": [{"name": "A", "value": "{{model.version}}"}, {"name": "B"}],
            "configMaps": [{"name": "digits-logging", "mountPath": "/etc/digits"}],
            "resources": {"requests": {"cpu": 2, "memory": "1Gi"}, "limits": {"example.com/gpu": 1}},
            "warmup": {"request": "Custom", "custom": {"path": "/predict", "body": "[0]"}, "count": 2},
        },
        "pod": {
            "nodeSelector": {"gpu": "a100"},
            "tolerations": [{"operator": "Exists"}],
            "serviceAccountName": "churn",
            "imagePullSecrets": [{"name": "login"}],
            "priorityClassName": "serving",
        },
    },
}
VOLUMES = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "image",
    "persistentVolumeClaim",
    "projected",
    "secret",
}


def breaches(template: Object) -> list[str]:
    """Where a pod breaks the restricted Pod Security Standard."""
    pod = template["spec"]
    found = [key for key in ("hostNetwork", "hostPID", "hostIPC", "hostUsers") if key in pod]
    found += [f"volume {v['name']}" for v in pod.get("volumes", []) if not (set(v) - {"name"}) <= VOLUMES]
    found += ["sysctls"] if "sysctls" in pod["securityContext"] else []
    for container in [*pod["containers"], *pod.get("initContainers", []), *pod.get("ephemeralContainers", [])]:
        found += [f"{container['name']}: {breach}" for breach in _container_breaches(pod["securityContext"], container)]
    return found


def _container_breaches(pod: Object, container: Object) -> list[str]:
    own = container.get("securityContext", {})
    both = pod | own
    rules = {
        "privileged": not own.get("privileged"),
        "escalation": own.get("allowPrivilegeEscalation") is False,
        "capabilities": own.get("capabilities") == {"drop": ["ALL"]},
        "root": both.get("runAsNonRoot") is True and both.get("runAsUser") != 0,
        "seccomp": both.get("seccompProfile", {}).get("type") in ("RuntimeDefault", "Localhost"),
        "procMount": "procMount" not in own,
        "host ports": not any("hostPort" in port for port in container.get("ports", [])),
    }
    return [name for name, held in rules.items() if not held]


@pytest.mark.parametrize("seen", [*ALL, pytest.param(world(FULLEST), id="fullest")])
def test_every_pod_is_restricted(seen: World) -> None:
    assert templates(seen)
    for template in templates(seen):
        assert breaches(template) == []
        assert template["spec"]["automountServiceAccountToken"] is False


@pytest.mark.parametrize(
    "change",
    [
        {"hostNetwork": True},
        {"volumes": [{"name": "root", "hostPath": {"path": "/"}}]},
        {"securityContext": {"seccompProfile": {"type": "RuntimeDefault"}}},
    ],
)
def test_the_law_sees_a_breach(change: Object) -> None:
    (template,) = templates(world(FULLEST))
    assert breaches({**template, "spec": template["spec"] | change})


@pytest.mark.parametrize("seen", ALL)
def test_objects_are_owned_named_and_selected_rightly(seen: World) -> None:
    made = decide(seen).children
    where = [(child["kind"], child["metadata"]["name"]) for child in made]
    assert len(where) == len(set(where)) and {kind for kind, _ in where} <= set(KINDS)
    stays = seen.spec is not None and seen.spec.deletion_policy is DeletionPolicy.ORPHAN
    for child in made:
        meta = child["metadata"]
        if graft.is_graft(child):
            assert set(meta) == {"name", "namespace"}, "what is set in somebody else's route makes it nobody's"
            continue
        assert len(meta["name"]) <= 63 and meta["namespace"] == seen.namespace
        owners = [(ref["uid"], ref.get("controller", False)) for ref in meta.get("ownerReferences", [])]
        routes = [("uid-2", False)], [("uid-3", False)]  # what guards a route goes after it
        assert owners[:1] == ([] if stays else [(seen.uid, True)])
        guards = child["kind"] in ("SecurityPolicy", "BackendTrafficPolicy") and meta["name"] != lock.name_of(seen.name)
        assert owners[1:] in routes if guards else not owners[1:]
        if child["kind"] == "Deployment":
            labels = child["spec"]["template"]["metadata"]["labels"]
            assert child["spec"]["selector"]["matchLabels"].items() <= labels.items()
            assert labels["penstock.dev/revision"] == meta["name"]


@pytest.mark.parametrize("seen", ALL)
def test_what_an_autoscaler_owns_is_not_written(seen: World) -> None:
    made = decide(seen).children
    scaled = {c["metadata"]["name"] for c in made if c["kind"] == "HorizontalPodAutoscaler"}
    fixed = {c["metadata"]["name"] for c in made if c["kind"] == "Deployment" and "replicas" in c["spec"]}
    everything = {c["metadata"]["name"] for c in made if c["kind"] == "Deployment"}
    assert scaled | fixed == everything and not scaled & fixed


@pytest.mark.parametrize("seen", ALL)
def test_only_revisions_that_exist_get_traffic(seen: World) -> None:
    made = decide(seen).children
    services = {c["metadata"]["name"] for c in made if c["kind"] == "Service"}
    for route in (c for c in made if c["kind"] == "HTTPRoute"):
        for rule in route["spec"]["rules"]:
            if not rule["backendRefs"]:  # shut: until what keeps the policy is in force, and what stays shut
                assert seen.spec and seen.spec.traffic.policy
                assert not seen.policies or route["metadata"]["name"] == lock.name_of(seen.name)
                continue
            assert sum(ref["weight"] for ref in rule["backendRefs"]) == 100
            copied = [each["requestMirror"]["backendRef"] for each in rule.get("filters", [])]
            assert {ref["name"] for ref in [*rule["backendRefs"], *copied]} <= services


def written(tree: Any) -> Any:
    """What a person wrote, without what says nothing."""
    if isinstance(tree, dict):
        kept = {key: written(value) for key, value in tree.items()}
        return {key: value for key, value in kept.items() if value not in ({}, [], None)}
    if isinstance(tree, list):
        return [written(value) for value in tree]
    return tree


COVERED = ("model", "runtime", "server", "pod")


@pytest.mark.parametrize("live", [*deployments().values(), FULLEST], ids=[*deployments(), "fullest"])
def test_a_revision_is_named_by_the_words_of_the_user_and_by_nothing_else(live: Object) -> None:
    spec = Spec.model_validate(live["spec"])
    words = written({key: live["spec"][key] for key in COVERED if key in live["spec"]})
    if "resources" in words.get("server", {}):  # 2 and "2" are the same quantity
        resources = words["server"]["resources"]
        words["server"]["resources"] = {k: {n: str(q) for n, q in v.items()} for k, v in resources.items()}
    assert intent(spec) == words


def test_saying_nothing_in_many_words_changes_no_name() -> None:
    wordy = {
        "model": {"version": "1", "format": "sklearn", "uri": None},
        "runtime": None,
        "server": {"env": [], "args": None, "resources": {"requests": {}}},
        "pod": {"nodeSelector": {}, "tolerations": [], "serviceAccountName": None},
        "scaling": {"minReplicas": 1},
        "rollout": {"deadline": "10m"},
    }
    terse = {"model": {"version": "1", "format": "sklearn"}}
    assert intent(Spec.model_validate(wordy)) == intent(Spec.model_validate(terse))


def test_order_changes_no_name() -> None:
    spec = FULLEST["spec"]
    turned = {key: spec[key] for key in reversed(spec)} | {"pod": dict(reversed(spec["pod"].items()))}
    assert wanted_revision(world(FULLEST)) == wanted_revision(world({**FULLEST, "spec": turned}))


class OtherEnvVar(EnvVar):
    """As a later operator might have it."""

    value: str = "changed"


class OtherServer(Server):
    """As a later operator might have it."""

    image: str | None = "registry.corp/new-default:2"
    env: list[OtherEnvVar] = [OtherEnvVar(name="NEW")]


class OtherSpec(Spec):
    """As a later operator might have it: other defaults all over."""

    runtime: Name | None = "new-default"
    server: OtherServer = OtherServer()


@pytest.mark.parametrize("live", [*deployments().values(), FULLEST], ids=[*deployments(), "fullest"])
def test_an_operator_with_other_defaults_wants_the_same_revision(live: Object) -> None:
    today, later = Spec.model_validate(live["spec"]), OtherSpec.model_validate(live["spec"])
    assert revision_name("churn", intent(today)) == revision_name("churn", intent(later))


@pytest.mark.parametrize("live", deployments().values(), ids=deployments())
def test_an_edited_runtime_restarts_nothing_that_runs(live: Object) -> None:
    seen = middle(live)
    (name, before) = next((n, r) for n, r in runtimes().items() if n == (live["spec"].get("runtime")))
    container = before.container.model_dump(by_alias=True) | {"image": "registry.corp/edited:9", "port": 1}
    edited = before.model_copy(update={"container": Container.model_validate(container)})
    assert isinstance(edited, RuntimeSpec)
    assert templates(replace(seen, runtime=(name, edited))) == templates(seen)


def test_what_matters_changes_the_name() -> None:
    """Each of these must be a new revision, or a change would never reach a pod."""
    seen = {wanted_revision(world(FULLEST))}
    for part, change in {
        "model": {"version": "2"},
        "server": {"image": "registry.corp/other:2"},
        "pod": {"priorityClassName": "batch"},
    }.items():
        spec = FULLEST["spec"] | {part: FULLEST["spec"][part] | change}
        seen.add(wanted_revision(world({**FULLEST, "spec": spec})))
    assert len(seen) == 4
