"""Who may act: the chart's admission policies on a real API server, asked by people who have and who lack each right.

Two releases stand side by side, each for its namespace. In `typed` people type the name, as where the API server cannot
write it; in `signed` the API server writes it. No operator runs: what it has taken up is written for it.
"""

import json
import re
import shlex
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import pytest
import yaml

from tests.conftest import ControlPlane, helm, new_control_plane

HOME = "penstock-system"
ACCOUNT = f"system:serviceaccount:{HOME}:penstock"
PREFIX = "penstock.dev/"
BY, GROUPS = PREFIX + "requested-by", PREFIX + "requested-groups"
EDIT = ("get", "list", "watch", "create", "update", "patch", "delete")
VERBS = ("promote", "abort", "retry", "approve", "undo", "pause")
ACTIONS = {
    "promote": ("promote", "{}"),
    "promote-full": ("promote", "{}"),
    "skip": ("promote", "{}/2"),
    "abort": ("abort", "{}"),
    "retry": ("retry", "{}"),
    "approve": ("approve", "{}/1"),
    "undo": ("undo", "{}"),
    "pause": ("pause", "true"),
}
# User -> verbs on ModelDeployments. Nobody here has them from anywhere else.
PEOPLE = {
    **{f"no-{verb}": (*EDIT, *(v for v in VERBS if v != verb)) for verb in VERBS},
    **{f"only-{verb}": ("get", "patch", verb) for verb in VERBS},
    "editor": EDIT,
    "patcher": ("get", "patch"),
    "anna": (*EDIT, *VERBS),
    "ben": ("get", "patch", "approve"),
    "https://login.corp/#o'neill": (*EDIT, *VERBS),
    "system:serviceaccount:ml:git": (*EDIT, "pause"),
}
SPEC = {"model": {"version": "7", "format": "sklearn"}, "runtime": "mlserver"}
numbers = count(1)


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    """A cluster with both releases, and everybody's rights in three namespaces."""
    with new_control_plane("actions") as made:
        for name in ("typed", "signed", "free"):
            made.kubectl("create", "namespace", name)
        where = ("--kubeconfig", str(made.kubeconfig), "--namespace", HOME, "--create-namespace")
        helm("upgrade", "--install", "penstock", "helm/penstock", "--set", "watch.namespace=signed", *where)
        parts = [f"--show-only=templates/{one}.yaml" for one in ("actions", "actions-requester", "user-roles")]
        typed = helm("template", "penstock", "helm/penstock", "-n", HOME, "--set", "watch.namespace=typed", *parts[::2])
        made.kubectl("apply", "-f", "-", input=typed.stdout)
        made.kubectl("apply", "-f", "-", input=yaml.safe_dump_all(rights()))
        for name in ("typed", "signed"):
            await_policy(made, name)
        yield made


def rights() -> Iterator[dict[str, object]]:
    """A role and its bindings for each of the people."""
    for number, (user, verbs) in enumerate(PEOPLE.items()):
        rule = {"apiGroups": ["penstock.dev"], "resources": ["modeldeployments"], "verbs": list(verbs)}
        yield from granted(f"person-{number}", user, rule)


def granted(name: str, user: str, rule: dict[str, list[str]]) -> Iterator[dict[str, object]]:
    """One rule for one user, in every namespace of these tests."""
    group = "rbac.authorization.k8s.io"
    head = {"apiVersion": f"{group}/v1"}
    yield {**head, "kind": "ClusterRole", "metadata": {"name": name}, "rules": [rule]}
    for space in ("typed", "signed", "free"):
        yield {
            **head,
            "kind": "RoleBinding",
            "metadata": {"name": name, "namespace": space},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": name},
            "subjects": [{"apiGroup": group, "kind": "User", "name": user}],
        }


def await_policy(plane: ControlPlane, namespace: str) -> None:
    """The API server takes a policy up a moment after it is stored."""
    end = time.monotonic() + 30
    model = new_model(plane, namespace)
    while model.annotate("anna", "pause=no", "--dry-run=server").returncode == 0:
        assert time.monotonic() < end, "the policy does nothing"
        time.sleep(0.2)
    if namespace == "signed":
        while model.annotate("anna", "pause=true", "--dry-run=server").returncode:
            assert time.monotonic() < end, "the name is not written"
            time.sleep(0.2)


@dataclass(frozen=True)
class Model:
    """One ModelDeployment."""

    plane: ControlPlane
    namespace: str
    name: str

    @property
    def revision(self) -> str:
        return f"{self.name}-0123456789"

    def run(
        self, user: str, *words: str, groups: tuple[str, ...] = (), text: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """One kubectl command as that user."""
        who = (f"--as={user}", *(f"--as-group={one}" for one in ("system:authenticated", *groups)))
        return self.plane.kubectl("-n", self.namespace, *who, *words, input=text or None, check=False)

    def annotate(self, user: str, *words: str, groups: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        """`kubectl annotate`; annotations are spelt without their prefix."""
        spelt = [word if word.startswith("--") else PREFIX + word for word in words]
        return self.run(user, "annotate", "--overwrite", "mdep", self.name, *spelt, groups=groups)

    def asks(self, user: str, action: str) -> tuple[str, str]:
        """The words for an action under the user's own name."""
        return f"{action}={ACTIONS[action][1].format(self.revision)}", f"requested-by={user}"

    def stored(self) -> dict[str, str]:
        """Penstock's annotations, without the prefix."""
        found = json.loads(self.plane.kubectl("-n", self.namespace, "get", "mdep", self.name, "-o", "json").stdout)
        annotations: dict[str, str] = found["metadata"].get("annotations", {})
        return {k.removeprefix(PREFIX): v for k, v in annotations.items() if k.startswith(PREFIX)}

    def take_up(self) -> None:
        """Say for the operator, with its own rights, that it has taken up all that stands."""
        now = "2026-11-21T00:00:00Z"
        acted = [
            {"action": k, "value": v, "by": self.stored()["requested-by"], "at": now}
            for k, v in self.stored().items()
            if k in ACTIONS
        ]
        self.write_status({"acted": acted})

    def write_status(self, status: dict[str, object]) -> None:
        """As the operator."""
        patch = json.dumps({"status": status})
        self.plane.kubectl(
            "-n", self.namespace, "patch", "mdep", self.name, "--subresource=status", "--type=merge", "-p", patch
        )


def manifest(name: str, version: str = "7", **annotations: str) -> str:
    """As a person or a GitOps tool writes it."""
    spelt = {PREFIX + key.replace("_", "-"): value for key, value in annotations.items()}
    spec = {**SPEC, "model": {"version": version, "format": "sklearn"}}
    head = {"apiVersion": "penstock.dev/v1alpha1", "kind": "ModelDeployment"}
    return json.dumps({**head, "metadata": {"name": name, "annotations": spelt}, "spec": spec})


def new_model(plane: ControlPlane, namespace: str) -> Model:
    name = f"m{next(numbers)}"
    plane.kubectl("-n", namespace, "create", "-f", "-", input=manifest(name))
    return Model(plane, namespace, name)


@pytest.fixture
def typed(plane: ControlPlane) -> Model:
    """A model where the name must be typed."""
    return new_model(plane, "typed")


@pytest.fixture
def signed(plane: ControlPlane) -> Model:
    """A model where the API server writes the name."""
    return new_model(plane, "signed")


def refused(done: subprocess.CompletedProcess[str], words: str) -> str:
    """It was refused by the policy, in words that match; gives the words."""
    assert done.returncode != 0, f"taken: {done.stdout}"
    said = done.stderr.partition("denied request: ")[2].strip()
    assert re.search(words, said), done.stderr
    return said


def taken(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 0, done.stderr


def command(said: str) -> list[str]:
    """The kubectl command in a message, as a shell would read it."""
    words = shlex.split(said[said.index("kubectl annotate") :])
    return words[1:]


# the verb


@pytest.mark.parametrize("action", ACTIONS)
def test_an_action_without_its_verb_is_refused(typed: Model, action: str) -> None:
    verb = ACTIONS[action][0]
    done = typed.annotate(f"no-{verb}", *typed.asks(f"no-{verb}", action))
    refused(done, rf"^no-{verb} needs the verb {verb} on .* in namespace typed for penstock.dev/{action};")
    assert typed.stored() == {}


@pytest.mark.parametrize("action", ACTIONS)
def test_an_action_with_no_more_than_its_verb_is_stored(typed: Model, action: str) -> None:
    user = f"only-{ACTIONS[action][0]}"
    taken(typed.annotate(user, *typed.asks(user, action)))
    assert typed.stored() == {action: ACTIONS[action][1].format(typed.revision), "requested-by": user}


def test_every_one_of_several_verbs_is_asked_for(typed: Model) -> None:
    words = (*typed.asks("no-abort", "promote"), *typed.asks("no-abort", "abort"))
    refused(typed.annotate("no-abort", *words), "needs the verb abort .* for penstock.dev/abort;")
    taken(typed.annotate("anna", *typed.asks("anna", "promote"), *typed.asks("anna", "abort")))


def test_a_new_object_is_no_way_around(plane: ControlPlane, typed: Model) -> None:
    for user, words in (("no-pause", "needs the verb pause"), ("anna", "requested-by must be .* here anna")):
        text = manifest("fresh", pause="true", requested_by="no-pause")
        refused(typed.run(user, "create", "-f", "-", text=text), words)
    taken(typed.run("anna", "create", "-f", "-", text=manifest("fresh", pause="true", requested_by="anna")))
    assert Model(plane, "typed", "fresh").stored() == {"pause": "true", "requested-by": "anna"}


def test_another_revision_is_another_action(typed: Model) -> None:
    taken(typed.annotate("anna", *typed.asks("anna", "abort")))
    other = f"abort={typed.name}-aaaaaaaaaa"
    refused(typed.annotate("no-abort", other, "requested-by=no-abort"), "needs the verb abort")
    taken(typed.annotate("anna", other))


def test_a_pause_is_taken_away_only_with_the_verb_and_the_name(typed: Model) -> None:
    taken(typed.annotate("anna", *typed.asks("anna", "pause")))
    typed.take_up()
    refused(typed.annotate("no-pause", "pause-", "requested-by=no-pause"), "needs the verb pause")
    said = refused(typed.annotate("only-pause", "pause-"), "requested-by must be .* here only-pause")
    taken(typed.run("only-pause", *command(said)))
    assert typed.stored() == {"requested-by": "only-pause"}


def test_any_other_action_is_taken_away_by_whoever_edits(typed: Model) -> None:
    taken(typed.annotate("anna", *typed.asks("anna", "abort"), *typed.asks("anna", "approve")))
    taken(typed.annotate("editor", "abort-", "approve-", "requested-by-"))
    assert typed.stored() == {}


def test_a_right_can_be_given_for_one_object(plane: ControlPlane, typed: Model) -> None:
    rule = {
        "apiGroups": ["penstock.dev"],
        "resources": ["modeldeployments"],
        "resourceNames": [typed.name],
        "verbs": ["get", "patch", "abort"],
    }
    plane.kubectl("apply", "-f", "-", input=yaml.safe_dump_all(granted("of-one", "owner", rule)))
    also = [*granted("of-all", "owner", {**rule, "resourceNames": [], "verbs": ["get", "patch"]})]
    plane.kubectl("apply", "-f", "-", input=yaml.safe_dump_all(also))
    taken(typed.annotate("owner", *typed.asks("owner", "abort")))
    other = new_model(plane, "typed")
    refused(other.annotate("owner", *other.asks("owner", "abort")), "owner needs the verb abort")


# the name


def test_nobody_acts_under_another_name_and_the_message_has_the_right_command(typed: Model) -> None:
    abort, _ = typed.asks("anna", "abort")
    said = refused(typed.annotate("anna", abort, "requested-by=ben"), "requested-by must be .* here anna: kubectl")
    assert typed.stored() == {}
    taken(typed.run("anna", *command(said)))
    assert typed.stored() == {"abort": typed.revision, "requested-by": "anna"}


def test_nobody_acts_without_a_name(typed: Model) -> None:
    abort, _ = typed.asks("anna", "abort")
    said = refused(typed.annotate("anna", abort), "requested-by must be .* here anna: kubectl")
    taken(typed.run("anna", *command(said)))


def test_nobody_acts_under_the_name_that_stands(typed: Model) -> None:
    taken(typed.annotate("anna", *typed.asks("anna", "promote")))
    refused(typed.annotate("only-abort", f"abort={typed.revision}"), "requested-by must be .* here only-abort")


def test_a_name_with_signs_in_it_can_be_typed_as_the_message_says(typed: Model) -> None:
    user = "https://login.corp/#o'neill"
    abort, _ = typed.asks(user, "abort")
    said = refused(typed.annotate(user, abort), "requested-by must be")
    taken(typed.run(user, *command(said)))
    assert typed.stored()["requested-by"] == user


@pytest.mark.parametrize("words", [("requested-by=editor",), ("requested-groups=a",), ("requested-by=anna",)])
def test_a_name_is_not_changed_without_an_action(typed: Model, words: tuple[str, ...]) -> None:
    taken(typed.annotate("only-abort", *typed.asks("only-abort", "abort")))
    for user in ("editor", "anna"):
        refused(typed.annotate(user, *words), "leave them as they are, or ask for one in the same command")


def test_a_name_is_not_taken_from_under_an_action(typed: Model) -> None:
    taken(typed.annotate("anna", *typed.asks("anna", "abort")))
    refused(typed.annotate("editor", "requested-by-"), "abort=.* needs that name: take the action away too")


def test_what_another_person_asked_for_is_settled_first(typed: Model) -> None:
    taken(typed.annotate("anna", *typed.asks("anna", "promote")))
    ask = typed.asks("only-abort", "abort")
    said = refused(
        typed.annotate("only-abort", *ask), "promote=.*, asked for by anna, would get the name of only-abort"
    )
    typed.take_up()
    taken(typed.run("only-abort", *command(said)))
    assert set(typed.stored()) == {"promote", "abort", "requested-by"}


# approvals


def test_groups_are_those_of_the_person(typed: Model) -> None:
    approve = typed.asks("ben", "approve")
    done = typed.annotate("ben", *approve, "requested-groups=ml-leads", groups=("ml-readers",))
    refused(done, "requested-groups must be groups of ben")
    done = typed.annotate(
        "ben", *approve, "requested-groups=ml-leads,ml-readers", groups=("ml-readers", "ml-leads", "x")
    )
    taken(done)
    assert typed.stored()["requested-groups"] == "ml-leads,ml-readers"


def test_groups_of_somebody_else_do_not_stay_under_a_new_name(typed: Model) -> None:
    taken(typed.annotate("anna", *typed.asks("anna", "abort"), "requested-groups=ml-leads", groups=("ml-leads",)))
    typed.take_up()
    said = refused(typed.annotate("ben", *typed.asks("ben", "approve")), "requested-groups must be groups of ben")
    taken(typed.run("ben", *command(said)))
    assert "requested-groups" not in typed.stored()


def test_too_many_groups_are_refused(typed: Model) -> None:
    groups = tuple(f"g{i}" for i in range(17))
    words = (*typed.asks("ben", "approve"), f"requested-groups={','.join(groups)}")
    refused(typed.annotate("ben", *words, groups=groups), "at most 16")


def test_a_second_person_joins_an_approval_by_name(typed: Model) -> None:
    taken(typed.annotate("anna", *typed.asks("anna", "approve")))
    refused(typed.annotate("no-approve", "requested-by=no-approve"), "no-approve needs the verb approve")
    refused(typed.annotate("ben", "requested-by=anna", "requested-groups=x", groups=("x",)), "requested-by")
    taken(typed.annotate("ben", *typed.asks("ben", "approve")))
    assert typed.stored()["requested-by"] == "ben"


@pytest.mark.parametrize("user", ["no-approve", "anna"])
def test_no_other_action_makes_an_approval_that_nobody_gave(typed: Model, user: str) -> None:
    taken(typed.annotate("ben", *typed.asks("ben", "approve")))
    typed.take_up()
    said = refused(
        typed.annotate(user, *typed.asks(user, "pause")), "approve=.*, asked for by ben, would get the name of"
    )
    taken(typed.run(user, *command(said)))
    assert typed.stored() == {"pause": "true", "requested-by": user}


# what is written


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("abort=true", "name a revision of m[0-9]+, such as m[0-9]+-0a1b2c3d4e"),
        ("abort=churn-0123456789", "name a revision of m"),
        ("undo={}/2", "and nothing else"),
        ("retry=v7", "name a revision of m"),
        ("promote-full=", "name a revision of m"),
        ("promote=latest", "a revision of m[0-9]+ and the number of a step, such as m[0-9]+-0a1b2c3d4e/2"),
        ("approve={}/0", "the number of a step"),
        ("approve={}/first", "the number of a step"),
        ("skip={}-2", "the number of a step"),
        ("skip=x\n{}/2", "the number of a step"),
        ("pause=yes", 'pause can only be "true"; to go on, .*penstock.dev/pause- '),
        ("pause=false", 'pause can only be "true"'),
    ],
)
def test_a_value_that_says_nothing_is_refused_in_words_that_name_the_fix(typed: Model, words: str, said: str) -> None:
    refused(typed.annotate("anna", words.format(typed.revision), "requested-by=anna"), said)


def test_a_number_may_be_left_out_for_the_present_step(typed: Model) -> None:
    words = [f"{action}={typed.revision}" for action in ("promote", "approve", "skip")]
    taken(typed.annotate("anna", *words, "requested-by=anna"))


# everybody else


def test_an_editor_without_any_verb_changes_all_else_while_actions_stand(typed: Model) -> None:
    taken(typed.annotate("anna", *typed.asks("anna", "pause"), *typed.asks("anna", "approve")))
    before = typed.stored()
    for words in (
        ("patch", "mdep", typed.name, "--type=merge", "-p", '{"spec":{"model":{"version":"8"}}}'),
        ("label", "mdep", typed.name, "team=ml"),
        ("annotate", "mdep", typed.name, "corp/owner=ml"),
    ):
        taken(typed.run("editor", *words))
        assert typed.stored() == before


@pytest.mark.parametrize("options", [(), ("--server-side", "--force-conflicts")], ids=["client-side", "server-side"])
@pytest.mark.parametrize("space", ["typed", "signed"])
def test_a_gitops_tool_meets_nothing(plane: ControlPlane, space: str, options: tuple[str, ...]) -> None:
    model, git = Model(plane, space, f"git{next(numbers)}"), "editor"
    taken(model.run(git, "apply", *options, "-f", "-", text=manifest(model.name)))
    taken(model.annotate("anna", *model.asks("anna", "pause"), *model.asks("anna", "abort")))
    before = model.stored()
    taken(model.run(git, "apply", *options, "-f", "-", text=manifest(model.name, "8")))
    assert model.stored() == before


@pytest.mark.parametrize("options", [(), ("--server-side",)], ids=["client-side", "server-side"])
def test_a_pause_in_git_comes_and_goes_by_apply(plane: ControlPlane, options: tuple[str, ...]) -> None:
    git = "system:serviceaccount:ml:git"
    model = Model(plane, "typed", f"git{next(numbers)}")
    signature = {"pause": "true", "requested_by": git}
    for annotations in ({}, signature, signature, {}):
        taken(model.run(git, "apply", *options, "-f", "-", text=manifest(model.name, "7", **annotations)))
        assert set(model.stored()) == {key.replace("_", "-") for key in annotations}


def test_an_apply_may_drop_an_action_that_it_once_brought(plane: ControlPlane) -> None:
    model = Model(plane, "typed", f"git{next(numbers)}")
    taken(model.run("anna", "apply", "-f", "-", text=manifest(model.name)))
    words = {"abort": model.revision, "approve": model.revision + "/1", "requested_by": "anna"}
    taken(model.run("anna", "apply", "-f", "-", text=manifest(model.name, "7", **words)))
    taken(model.run("editor", "apply", "-f", "-", text=manifest(model.name)))
    assert model.stored() == {}


def test_who_may_act_and_not_edit_cannot_edit_by_patch(typed: Model) -> None:
    edit = ("patch", "mdep", typed.name, "--type=merge", "-p", '{"spec":{"model":{"version":"8"}}}')
    for verb in VERBS:
        refused(typed.run(f"only-{verb}", *edit), f"only-{verb} may act on {typed.name} and not edit it")
    taken(typed.run("patcher", *edit))  # has no verb of an action: the rule is not meant for such accounts


def test_the_operator_writes_status_whatever_stands(typed: Model) -> None:
    taken(typed.annotate("anna", *typed.asks("anna", "abort"), *typed.asks("anna", "approve")))
    typed.take_up()
    patch = json.dumps({"metadata": {"annotations": {BY: "ben"}}, "status": {"observedGeneration": 1}})
    typed.plane.kubectl("-n", "typed", "patch", "mdep", typed.name, "--subresource=status", "--type=merge", "-p", patch)
    assert typed.stored()["requested-by"] == "anna", "nothing but status can be written there"


def test_a_policy_of_one_namespace_says_nothing_in_another(plane: ControlPlane) -> None:
    model = new_model(plane, "free")
    taken(model.annotate("editor", "abort=anything"))
    assert model.stored() == {"abort": "anything"}


# where the API server writes the name


@pytest.mark.parametrize("action", ACTIONS)
def test_the_name_is_written_for_the_person(signed: Model, action: str) -> None:
    user = f"only-{ACTIONS[action][0]}"
    taken(signed.annotate(user, signed.asks(user, action)[0]))
    assert signed.stored() == {action: ACTIONS[action][1].format(signed.revision), "requested-by": user}


def test_a_written_name_gives_nobody_a_right(signed: Model) -> None:
    refused(signed.annotate("no-abort", f"abort={signed.revision}"), "no-abort needs the verb abort")


def test_a_typed_name_is_judged_and_not_put_right(signed: Model) -> None:
    refused(signed.annotate("anna", f"abort={signed.revision}", "requested-by=ben"), "requested-by must be .* anna")
    done = signed.annotate("ben", f"approve={signed.revision}/1", "requested-groups=x")
    refused(done, "requested-groups must be groups of ben")


def test_who_resumes_is_written_even_where_apply_takes_everything_away(plane: ControlPlane) -> None:
    git, model = "system:serviceaccount:ml:git", Model(plane, "signed", f"git{next(numbers)}")
    taken(model.run(git, "apply", "-f", "-", text=manifest(model.name, pause="true")))
    assert model.stored() == {"pause": "true", "requested-by": git}
    taken(model.run("anna", "apply", "-f", "-", text=manifest(model.name)))
    assert model.stored() == {"requested-by": "anna"}


def test_only_groups_that_the_rollout_asks_for_are_written(signed: Model) -> None:
    now = "2026-11-21T00:00:00Z"
    steps = [{"weight": 5}, {"weight": 25, "approval": {"groups": ["ml-leads", "risk"]}}]
    times = {"startedAt": now, "stepStartedAt": now, "deadlineAt": now}
    signed.write_status({"candidate": {"revision": signed.revision, "steps": steps, **times}})
    taken(signed.annotate("ben", f"approve={signed.revision}/2", groups=("ml-leads", "staff")))
    assert signed.stored()["requested-groups"] == "ml-leads"
    signed.take_up()
    taken(signed.annotate("anna", f"approve={signed.revision}/2", "requested-by=anna", groups=("staff",)))
    assert "requested-groups" not in signed.stored() and signed.stored()["requested-by"] == "anna"


def test_an_approval_that_was_taken_up_makes_way_for_the_next_person(signed: Model) -> None:
    taken(signed.annotate("ben", f"approve={signed.revision}/1"))
    refused(signed.annotate("anna", "pause=true"), "approve=.*, asked for by ben, would get the name of anna")
    signed.take_up()
    taken(signed.annotate("anna", "pause=true"))
    assert signed.stored() == {"pause": "true", "requested-by": "anna"}


def test_an_abort_waits_for_nothing_that_would_go_forward(signed: Model) -> None:
    taken(signed.annotate("anna", *signed.asks("anna", "promote"), f"approve={signed.revision}/1"))
    taken(signed.annotate("only-abort", f"abort={signed.revision}"))
    assert signed.stored() == {"abort": signed.revision, "requested-by": "only-abort"}


# the roles


@pytest.mark.parametrize(
    ("role", "yes"),
    [
        ("view", "get list watch"),
        ("edit", "get update patch promote abort retry undo pause"),
        ("admin", "get update patch promote abort retry undo pause approve"),
        ("penstock-typed-approver", "get list watch patch approve"),
    ],
)
def test_roles_have_the_verbs_that_the_manual_promises(plane: ControlPlane, role: str, yes: str) -> None:
    plane.kubectl("-n", "typed", "create", "rolebinding", f"as-{role}", f"--clusterrole={role}", f"--user=a-{role}")
    asked = "get list watch create update patch delete " + " ".join(VERBS)
    more = {"view": "", "penstock-typed-approver": ""}.get(role, "list watch create delete")
    for verb in asked.split():
        done = plane.kubectl("-n", "typed", "auth", "can-i", verb, "mdep/churn", f"--as=a-{role}", check=False)
        assert (done.stdout.strip() == "yes") is (verb in f"{yes} {more}".split()), verb


def test_the_api_server_finds_no_fault_with_the_expressions(plane: ControlPlane) -> None:
    for name in ("penstock-typed-actions", "penstock-signed-actions"):
        found = plane.kubectl("get", "validatingadmissionpolicy", name, "-o", "json").stdout
        assert json.loads(found)["status"]["typeChecking"] == {}
