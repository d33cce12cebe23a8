"""Who may write a ModelDeployment's spec, on a real API server: whoever could run its pods without the operator too."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.conftest import ControlPlane, helm
from tests.integration.acting import HOME, PREFIX, Model, cluster, granted, manifest, numbers, refused, taken

MODELS = {
    "apiGroups": ["penstock.dev"],
    "resources": ["modeldeployments"],
    "verbs": ["get", "create", "update", "patch"],
}
PODS = {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["create"]}
ACT = {"apiGroups": [""], "resources": ["serviceaccounts"], "resourceNames": ["trainer"], "verbs": ["impersonate"]}
RIGHTS = {"writer": (MODELS,), "owner": (MODELS, PODS), "actor": (MODELS, PODS, ACT)}
GIT = "system:serviceaccount:ml:git"


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    """A cluster with the policy for one of its namespaces, and a GitOps tool that has the cluster's own edit role."""
    with cluster("authors") as made:
        only = (
            "--set",
            "watch.namespace=ml",
            "--show-only",
            "templates/authors.yaml",
            "--show-only",
            "templates/user-roles.yaml",
        )
        made.kubectl("apply", "-f", "-", input=helm("template", "penstock", "helm/penstock", "-n", HOME, *only).stdout)
        given = [
            each
            for user, rules in RIGHTS.items()
            for n, rule in enumerate(rules)
            for each in granted(f"{user}-{n}", user, rule)
        ]
        made.kubectl("apply", "-f", "-", input=yaml.safe_dump_all(given))
        made.kubectl("create", "namespace", HOME)
        made.kubectl("-n", "ml", "create", "rolebinding", "git", "--clusterrole=edit", f"--user={GIT}")
        end = time.monotonic() + 30
        while (
            Model(made, "ml", "probe")
            .run("writer", "create", "--dry-run=server", "-f", "-", text=manifest("probe"))
            .returncode
            == 0
        ):
            assert time.monotonic() < end, "the API server takes a policy up a moment after it is stored; not this one"
            time.sleep(0.2)
        yield made


@pytest.fixture
def model(plane: ControlPlane) -> Model:
    """A model of this test's own, made by an administrator."""
    made = Model(plane, "ml", f"m{next(numbers)}")
    plane.kubectl("-n", "ml", "create", "-f", "-", input=manifest(made.name))
    return made


def wish(model: Model, account: str = "", version: str = "8") -> str:
    """The manifest with another version, and an account."""
    made: dict[str, Any] = json.loads(manifest(model.name, version))
    made["spec"] |= {"pod": {"serviceAccountName": account}} if account else {}
    return json.dumps(made)


def apply(model: Model, user: str, text: str) -> Any:
    return model.run(user, "apply", "--server-side", "--force-conflicts", "-f", "-", text=text)


def test_who_may_not_run_pods_is_told_which_right_is_missing(model: Model) -> None:
    said = refused(
        apply(model, "writer", wish(model)), "^writer needs the verb create on deployments.apps in namespace ml,"
    )
    question = said[said.index("kubectl auth can-i") :].split()[1:]
    assert model.run("writer", *question[:2], *question[2:]).stdout.strip() == "no"
    assert model.run("owner", *question[:2], *question[2:]).stdout.strip() == "yes"
    other = Model(model.plane, "ml", f"{model.name}-new")
    refused(other.run("writer", "create", "-f", "-", text=manifest(other.name)), "^writer needs the verb create")


def test_who_may_run_pods_may_write_models(model: Model) -> None:
    taken(apply(model, "owner", wish(model)))


def test_a_named_account_takes_the_right_to_act_as_it(model: Model) -> None:
    said = refused(
        apply(model, "owner", wish(model, "trainer")),
        "^owner needs the verb impersonate on serviceaccount trainer in namespace ml,",
    )
    assert (
        "kubectl auth can-i -n ml impersonate serviceaccounts/trainer" in said
        and "leave serviceAccountName out" in said
    )
    refused(apply(model, "actor", wish(model, "admin")), "^actor needs the verb impersonate on serviceaccount admin")
    taken(apply(model, "actor", wish(model, "trainer")))
    refused(
        apply(model, "owner", wish(model, "trainer", "9")), "^owner needs the verb impersonate"
    )  # what runs as it changes


def test_what_leaves_the_spec_as_it_is_meets_nothing(model: Model) -> None:
    taken(apply(model, "writer", manifest(model.name)))
    taken(model.run("writer", "annotate", "mdep", model.name, f"{PREFIX}pause=true"))
    taken(model.run("writer", "label", "mdep", model.name, "team=risk"))


def test_the_operator_writes_its_status_with_the_rights_of_the_chart(model: Model) -> None:
    rights = helm("template", "penstock", "helm/penstock", "-n", HOME, "--show-only", "templates/rbac.yaml").stdout
    model.plane.kubectl("apply", "-f", "-", input=rights)
    taken(model.status(f"system:serviceaccount:{HOME}:penstock"))


def test_gitops_with_the_clusters_edit_role_goes_on(model: Model) -> None:
    end = time.monotonic() + 30
    while "yes" not in model.run(GIT, "auth", "can-i", "patch", "modeldeployments.penstock.dev").stdout:
        assert time.monotonic() < end, "the edit role never took up our rules"
        time.sleep(0.2)
    taken(apply(model, GIT, wish(model, "trainer")))


def test_another_namespace_than_the_watched_one_is_none_of_its_business(plane: ControlPlane) -> None:
    other = Model(plane, "free", f"m{next(numbers)}")
    taken(other.run("writer", "create", "-f", "-", text=manifest(other.name)))
