"""What the chart adds where the API server can write the name under an action, and the roles that come with it.

The release is installed by Helm, which asks the API server what it can.
"""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.conftest import ControlPlane, helm
from tests.integration.acting import (
    ACCOUNT,
    ACTIONS,
    BY,
    HOME,
    RUN,
    VERBS,
    Model,
    await_policies,
    cluster,
    granted,
    manifest,
    new_model,
    numbers,
    refused,
    taken,
)

MANUAL = Path(__file__).parents[2] / "docs/actions.md"
EDIT_SPEC = '{"spec":{"model":{"version":"8"}}}'


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    """A cluster with the whole release, for one of its namespaces."""
    with cluster("requester") as made:
        where = ("--kubeconfig", str(made.kubeconfig), "--namespace", HOME, "--create-namespace")
        helm("install", "penstock", "helm/penstock", *where, "--set", "watch.namespace=ml,crds.install=false")
        await_policies(made, "pause=true")
        yield made


@pytest.fixture
def model(plane: ControlPlane) -> Model:
    """A model of this test's own."""
    return new_model(plane, "ml")


# where the API server writes the name


@pytest.mark.parametrize("action", ACTIONS)
def test_the_name_is_written_for_the_person(model: Model, action: str) -> None:
    user = f"only-{ACTIONS[action][0]}"
    taken(model.annotate(user, model.asks(user, action)[0]))
    assert model.stored() == {action: ACTIONS[action][1].format(model.revision), "requested-by": user}


def test_a_written_name_gives_nobody_a_right(model: Model) -> None:
    refused(model.annotate("no-abort", f"abort={model.revision}"), "no-abort needs the verb abort")


def test_a_typed_name_is_judged_and_not_put_right(model: Model) -> None:
    refused(model.annotate("anna", f"abort={model.revision}", "requested-by=ben"), "requested-by must be .* anna")
    done = model.annotate("ben", f"approve={model.revision}/1", "requested-groups=x")
    refused(done, "requested-groups must be groups of ben")


@pytest.mark.parametrize("options", [(), ("--server-side",)], ids=["client-side", "server-side"])
def test_who_resumes_is_written_even_where_apply_takes_everything_away(
    plane: ControlPlane, options: tuple[str, ...]
) -> None:
    git, model = "system:serviceaccount:ml:git", Model(plane, "ml", f"git{next(numbers)}")
    text = manifest(model.name, pause="true", requested_by=git)
    taken(model.run(git, "apply", *options, "-f", "-", text=text))
    taken(model.run("anna", "apply", *options, "-f", "-", text=manifest(model.name)))
    assert model.stored() == {"requested-by": "anna"}


def test_only_groups_that_the_rollout_asks_for_are_written(model: Model) -> None:
    now = "2026-11-21T00:00:00Z"
    steps = [{"weight": 5}, {"weight": 25, "approval": {"groups": ["ml-leads", "risk"]}}]
    times = {"startedAt": now, "stepStartedAt": now, "deadlineAt": now}
    model.write_status({"candidate": {"revision": model.revision, "steps": steps, **times}})
    taken(model.annotate("ben", f"approve={model.revision}/2", groups=("ml-leads", "staff")))
    assert model.stored()["requested-groups"] == "ml-leads"
    model.take_up()
    taken(model.annotate("anna", f"approve={model.revision}/2", "requested-by=anna", groups=("staff",)))
    assert "requested-groups" not in model.stored() and model.stored()["requested-by"] == "anna"


def test_an_approval_that_was_taken_up_makes_way_for_the_next_person(model: Model) -> None:
    taken(model.annotate("ben", f"approve={model.revision}/1"))
    refused(model.annotate("anna", "pause=true"), "approve=.*, asked for by ben, would get the name of anna")
    model.take_up()
    taken(model.annotate("anna", "pause=true"))
    assert model.stored() == {"pause": "true", "requested-by": "anna"}


def test_a_request_that_asks_for_nothing_is_left_as_it_is(model: Model) -> None:
    words = (f"approve={model.revision}/1", f"abort={model.revision}", "requested-groups=ml-leads")
    taken(model.annotate("anna", *words, groups=("ml-leads",)))
    before = model.stored()
    taken(model.run("editor", "patch", "mdep", model.name, "--type=merge", "-p", EDIT_SPEC))
    assert model.stored() == before
    taken(model.annotate("editor", "approve-", "abort-", "requested-by-", "requested-groups-"))
    assert model.stored() == {}


def test_an_abort_waits_for_nothing_that_would_go_forward(model: Model) -> None:
    taken(model.annotate("anna", *model.asks("anna", "promote"), f"approve={model.revision}/1"))
    taken(model.annotate("only-abort", f"abort={model.revision}"))
    assert model.stored() == {"abort": model.revision, "requested-by": "only-abort"}


@pytest.mark.parametrize("options", [(), ("--server-side",)], ids=["client-side", "server-side"])
def test_a_name_that_was_written_is_no_difference_to_a_gitops_tool(
    plane: ControlPlane, options: tuple[str, ...]
) -> None:
    git, model = "system:serviceaccount:ml:git", Model(plane, "ml", f"git{next(numbers)}")
    text = manifest(model.name, pause="true")
    taken(model.run(git, "apply", *options, "-f", "-", text=text))
    assert model.run(git, "diff", *options, "-f", "-", text=text).stdout == ""
    taken(model.run(git, "apply", *options, "-f", "-", text=manifest(model.name)))
    assert model.stored() == {"requested-by": git}


# the roles


READ = "get list watch"
WRITE = "create update patch delete"
ROLES = {
    "view": READ,
    "edit": f"{READ} {WRITE} promote abort retry undo pause",
    "admin": f"{READ} {WRITE} promote abort retry undo pause approve",
    "penstock-ml-approver": f"{READ} patch approve",
}


@pytest.mark.parametrize("role", ROLES)
def test_roles_have_the_verbs_that_the_manual_promises(plane: ControlPlane, role: str) -> None:
    plane.kubectl("-n", "ml", "create", "rolebinding", f"as-{role}", f"--clusterrole={role}", f"--user=a-{role}")
    asked = {
        verb: plane.kubectl("-n", "ml", "auth", "can-i", verb, "mdep/churn", f"--as=a-{role}", check=False).stdout
        for verb in (*READ.split(), *WRITE.split(), *VERBS)
    }
    assert {verb for verb, answer in asked.items() if answer.strip() == "yes"} == set(ROLES[role].split())


@pytest.fixture(scope="module")
def manual() -> dict[str, list[str]]:
    """The blocks of docs/actions.md, by language."""
    found: dict[str, list[str]] = {}
    for language, block in re.findall(r"^```(\w+)\n(.*?)^```", MANUAL.read_text(), re.MULTILINE | re.DOTALL):
        found.setdefault(language, []).append(block)
    return found


def test_every_command_of_the_manual_is_taken(plane: ControlPlane, manual: dict[str, list[str]]) -> None:
    """By the person that it names, in the order of the page, each after the operator has taken up the one before."""
    model = Model(plane, "ml", "churn")
    taken(model.run("anna", "create", "-f", "-", text=manifest("churn")))
    lines = [line.split("#")[0] for block in manual["sh"] for line in block.splitlines()]
    acting = [shlex.split(line) for line in lines if line.startswith(("kubectl annotate", "kubectl auth"))]
    assert len(acting) == 12
    for _, *words in acting:
        name = next((word.partition("=")[2] for word in words if "requested-by=" in word), "anna")
        taken(model.run(name, *words))
        model.take_up()


def test_a_role_of_the_manual_may_what_the_manual_says(plane: ControlPlane, manual: dict[str, list[str]]) -> None:
    binding, role, model = manual["yaml"]
    plane.kubectl("apply", "-f", "-", input=role)
    plane.kubectl("-n", "ml", "create", "rolebinding", "on-call", "--clusterrole=model-on-call", "--user=otto")
    plane.kubectl("apply", "-f", "-", input=yaml.safe_dump_all(granted("otto-runs", "otto", RUN)))
    tried = new_model(plane, "ml")
    taken(tried.annotate("otto", f"abort={tried.revision}", "pause=true"))
    refused(tried.annotate("otto", f"promote={tried.revision}/2"), "otto needs the verb promote")
    refused(tried.run("otto", "patch", "mdep", tried.name, "--type=merge", "-p", EDIT_SPEC), "may act .* and not edit")
    plane.kubectl("apply", "-f", "-", input=binding.replace("penstock-approver", "penstock-ml-approver"))
    taken(tried.annotate("otto", f"approve={tried.revision}/2", groups=("ml-leads",)))
    taken(
        tried.run("system:serviceaccount:ml:git", "apply", "-f", "-", text=model.replace("name: churn", "name: in-git"))
    )


def test_the_operator_writes_status_whatever_stands_and_nothing_else(model: Model) -> None:
    taken(model.annotate("anna", *model.asks("anna", "abort"), *model.asks("anna", "approve")))
    taken(model.status(ACCOUNT, annotations={BY: "ben"}))
    assert model.stored()["requested-by"] == "anna"
    wish = manifest(model.name, "8")
    done = model.run(ACCOUNT, "apply", "--server-side", "--force-conflicts", "-f", "-", text=wish)
    assert 'cannot patch resource "modeldeployments"' in done.stderr
