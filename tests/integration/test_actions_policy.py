"""The chart's admission policy on a real API server: every rule, met by people who have and who lack the right.

Here people type their name under an action, as where the API server cannot write it.
"""

from collections.abc import Iterator

import pytest
import yaml

from tests.conftest import ControlPlane, helm
from tests.integration.acting import (
    ACTIONS,
    HOME,
    VERBS,
    Model,
    await_policies,
    cluster,
    command,
    granted,
    manifest,
    new_model,
    numbers,
    refused,
    taken,
)


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    """A cluster with the validating policy for one of its namespaces."""
    with cluster("policy") as made:
        only = ("--set", "watch.namespace=ml", "--show-only", "templates/actions.yaml")
        made.kubectl("apply", "-f", "-", input=helm("template", "penstock", "helm/penstock", "-n", HOME, *only).stdout)
        await_policies(made)
        yield made


@pytest.fixture
def model(plane: ControlPlane) -> Model:
    """A model of this test's own."""
    return new_model(plane, "ml")


# the verb


@pytest.mark.parametrize("action", ACTIONS)
def test_an_action_without_its_verb_is_refused(model: Model, action: str) -> None:
    verb = ACTIONS[action][0]
    done = model.annotate(f"no-{verb}", *model.asks(f"no-{verb}", action))
    refused(done, rf"^no-{verb} needs the verb {verb} on .* in namespace ml for penstock.dev/{action};")
    assert model.stored() == {}


@pytest.mark.parametrize("action", ACTIONS)
def test_an_action_with_no_more_than_its_verb_is_stored(model: Model, action: str) -> None:
    user = f"only-{ACTIONS[action][0]}"
    taken(model.annotate(user, *model.asks(user, action)))
    assert model.stored() == {action: ACTIONS[action][1].format(model.revision), "requested-by": user}


def test_every_one_of_several_verbs_is_asked_for(model: Model) -> None:
    words = (*model.asks("no-abort", "promote"), *model.asks("no-abort", "abort"))
    refused(model.annotate("no-abort", *words), "needs the verb abort .* for penstock.dev/abort;")
    taken(model.annotate("anna", *model.asks("anna", "promote"), *model.asks("anna", "abort")))


def test_a_new_object_is_no_way_around(plane: ControlPlane, model: Model) -> None:
    for user, words in (("no-pause", "needs the verb pause"), ("anna", "requested-by must be .* here anna")):
        text = manifest("fresh", pause="true", requested_by="no-pause")
        refused(model.run(user, "create", "-f", "-", text=text), words)
    taken(model.run("anna", "create", "-f", "-", text=manifest("fresh", pause="true", requested_by="anna")))
    assert Model(plane, "ml", "fresh").stored() == {"pause": "true", "requested-by": "anna"}


def test_another_revision_is_another_action(model: Model) -> None:
    taken(model.annotate("anna", *model.asks("anna", "abort")))
    other = f"abort={model.name}-aaaaaaaaaa"
    refused(model.annotate("no-abort", other, "requested-by=no-abort"), "needs the verb abort")
    taken(model.annotate("anna", other))


def test_a_pause_is_taken_away_only_with_the_verb_and_the_name(model: Model) -> None:
    taken(model.annotate("anna", *model.asks("anna", "pause")))
    model.take_up()
    refused(model.annotate("no-pause", "pause-", "requested-by=no-pause"), "needs the verb pause")
    said = refused(model.annotate("only-pause", "pause-"), "requested-by must be .* here only-pause")
    taken(model.run("only-pause", *command(said)))
    assert model.stored() == {"requested-by": "only-pause"}


def test_any_other_action_is_taken_away_by_whoever_edits(model: Model) -> None:
    taken(model.annotate("anna", *model.asks("anna", "abort"), *model.asks("anna", "approve")))
    taken(model.annotate("editor", "abort-", "approve-", "requested-by-"))
    assert model.stored() == {}


def test_a_right_can_be_given_for_one_object(plane: ControlPlane, model: Model) -> None:
    rule = {
        "apiGroups": ["penstock.dev"],
        "resources": ["modeldeployments"],
        "resourceNames": [model.name],
        "verbs": ["get", "patch", "abort"],
    }
    plane.kubectl("apply", "-f", "-", input=yaml.safe_dump_all(granted("of-one", "owner", rule)))
    also = [*granted("of-all", "owner", {**rule, "resourceNames": [], "verbs": ["get", "patch"]})]
    plane.kubectl("apply", "-f", "-", input=yaml.safe_dump_all(also))
    taken(model.annotate("owner", *model.asks("owner", "abort")))
    other = new_model(plane, "ml")
    refused(other.annotate("owner", *other.asks("owner", "abort")), "owner needs the verb abort")


# the name


def test_nobody_acts_under_another_name_and_the_message_has_the_right_command(model: Model) -> None:
    abort, _ = model.asks("anna", "abort")
    said = refused(model.annotate("anna", abort, "requested-by=ben"), "requested-by must be .* here anna: kubectl")
    assert model.stored() == {}
    taken(model.run("anna", *command(said)))
    assert model.stored() == {"abort": model.revision, "requested-by": "anna"}


def test_nobody_acts_without_a_name(model: Model) -> None:
    abort, _ = model.asks("anna", "abort")
    said = refused(model.annotate("anna", abort), "requested-by must be .* here anna: kubectl")
    taken(model.run("anna", *command(said)))


def test_nobody_acts_under_the_name_that_stands(model: Model) -> None:
    taken(model.annotate("anna", *model.asks("anna", "promote")))
    refused(model.annotate("only-abort", f"abort={model.revision}"), "requested-by must be .* here only-abort")


def test_a_name_with_signs_in_it_can_be_typed_as_the_message_says(model: Model) -> None:
    user = "https://login.corp/#o'neill"
    abort, _ = model.asks(user, "abort")
    said = refused(model.annotate(user, abort), "requested-by must be")
    taken(model.run(user, *command(said)))
    assert model.stored()["requested-by"] == user


@pytest.mark.parametrize("words", [("requested-by=editor",), ("requested-groups=a",), ("requested-by=anna",)])
def test_a_name_is_not_changed_without_an_action(model: Model, words: tuple[str, ...]) -> None:
    taken(model.annotate("only-abort", *model.asks("only-abort", "abort")))
    for user in ("editor", "anna"):
        refused(model.annotate(user, *words), "leave them as they are, or ask for one in the same command")


def test_a_name_is_not_taken_from_under_an_action(model: Model) -> None:
    taken(model.annotate("anna", *model.asks("anna", "abort")))
    refused(model.annotate("editor", "requested-by-"), "abort=.* needs that name: take the action away too")


def test_what_another_person_asked_for_is_settled_first(model: Model) -> None:
    taken(model.annotate("anna", *model.asks("anna", "promote")))
    ask = model.asks("only-abort", "abort")
    said = refused(
        model.annotate("only-abort", *ask), "promote=.*, asked for by anna, would get the name of only-abort"
    )
    model.take_up()
    taken(model.run("only-abort", *command(said)))
    assert set(model.stored()) == {"promote", "abort", "requested-by"}


# approvals


def test_groups_are_those_of_the_person(model: Model) -> None:
    approve = model.asks("ben", "approve")
    done = model.annotate("ben", *approve, "requested-groups=ml-leads", groups=("ml-readers",))
    refused(done, "requested-groups must be groups of ben")
    done = model.annotate(
        "ben", *approve, "requested-groups=ml-leads,ml-readers", groups=("ml-readers", "ml-leads", "x")
    )
    taken(done)
    assert model.stored()["requested-groups"] == "ml-leads,ml-readers"


def test_groups_of_somebody_else_do_not_stay_under_a_new_name(model: Model) -> None:
    taken(model.annotate("anna", *model.asks("anna", "abort"), "requested-groups=ml-leads", groups=("ml-leads",)))
    model.take_up()
    said = refused(model.annotate("ben", *model.asks("ben", "approve")), "requested-groups must be groups of ben")
    taken(model.run("ben", *command(said)))
    assert "requested-groups" not in model.stored()


def test_too_many_groups_are_refused(model: Model) -> None:
    groups = tuple(f"g{i}" for i in range(17))
    words = (*model.asks("ben", "approve"), f"requested-groups={','.join(groups)}")
    refused(model.annotate("ben", *words, groups=groups), "at most 16")


def test_a_second_person_joins_an_approval_by_name(model: Model) -> None:
    taken(model.annotate("anna", *model.asks("anna", "approve")))
    refused(model.annotate("no-approve", "requested-by=no-approve"), "no-approve needs the verb approve")
    refused(model.annotate("ben", "requested-by=anna", "requested-groups=x", groups=("x",)), "requested-by")
    taken(model.annotate("ben", *model.asks("ben", "approve")))
    assert model.stored()["requested-by"] == "ben"


@pytest.mark.parametrize("user", ["no-approve", "anna"])
def test_no_other_action_makes_an_approval_that_nobody_gave(model: Model, user: str) -> None:
    taken(model.annotate("ben", *model.asks("ben", "approve")))
    model.take_up()
    said = refused(
        model.annotate(user, *model.asks(user, "pause")), "approve=.*, asked for by ben, would get the name of"
    )
    taken(model.run(user, *command(said)))
    assert model.stored() == {"pause": "true", "requested-by": user}


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
    ids=range(12),
)
def test_a_value_that_says_nothing_is_refused_in_words_that_name_the_fix(model: Model, words: str, said: str) -> None:
    refused(model.annotate("anna", words.format(model.revision), "requested-by=anna"), said)


def test_a_number_may_be_left_out_for_the_present_step(model: Model) -> None:
    words = [f"{action}={model.revision}" for action in ("promote", "approve", "skip")]
    taken(model.annotate("anna", *words, "requested-by=anna"))


# everybody else


def test_an_editor_without_any_verb_changes_all_else_while_actions_stand(model: Model) -> None:
    taken(model.annotate("anna", *model.asks("anna", "pause"), *model.asks("anna", "approve")))
    before = model.stored()
    for words in (
        ("patch", "mdep", model.name, "--type=merge", "-p", '{"spec":{"model":{"version":"8"}}}'),
        ("label", "mdep", model.name, "team=ml"),
        ("annotate", "mdep", model.name, "corp/owner=ml"),
    ):
        taken(model.run("editor", *words))
        assert model.stored() == before


@pytest.mark.parametrize("options", [(), ("--server-side", "--force-conflicts")], ids=["client-side", "server-side"])
def test_a_gitops_tool_meets_nothing(plane: ControlPlane, options: tuple[str, ...]) -> None:
    model, git = Model(plane, "ml", f"git{next(numbers)}"), "editor"
    taken(model.run(git, "apply", *options, "-f", "-", text=manifest(model.name)))
    taken(model.annotate("anna", *model.asks("anna", "pause"), *model.asks("anna", "abort")))
    before = model.stored()
    taken(model.run(git, "apply", *options, "-f", "-", text=manifest(model.name, "8")))
    assert model.stored() == before


@pytest.mark.parametrize("options", [(), ("--server-side",)], ids=["client-side", "server-side"])
def test_a_pause_in_git_comes_and_goes_by_apply(plane: ControlPlane, options: tuple[str, ...]) -> None:
    git = "system:serviceaccount:ml:git"
    model = Model(plane, "ml", f"git{next(numbers)}")
    signature = {"pause": "true", "requested_by": git}
    for annotations in ({}, signature, signature, {}):
        taken(model.run(git, "apply", *options, "-f", "-", text=manifest(model.name, "7", **annotations)))
        assert set(model.stored()) == {key.replace("_", "-") for key in annotations}


def test_an_apply_may_drop_an_action_that_it_once_brought(plane: ControlPlane) -> None:
    model = Model(plane, "ml", f"git{next(numbers)}")
    taken(model.run("anna", "apply", "-f", "-", text=manifest(model.name)))
    words = {"abort": model.revision, "approve": model.revision + "/1", "requested_by": "anna"}
    taken(model.run("anna", "apply", "-f", "-", text=manifest(model.name, "7", **words)))
    taken(model.run("editor", "apply", "-f", "-", text=manifest(model.name)))
    assert model.stored() == {}


def test_who_may_act_and_not_edit_cannot_edit_by_patch(model: Model) -> None:
    edit = ("patch", "mdep", model.name, "--type=merge", "-p", '{"spec":{"model":{"version":"8"}}}')
    for verb in VERBS:
        refused(model.run(f"only-{verb}", *edit), f"only-{verb} may act on {model.name} and not edit it")
    taken(model.run("patcher", *edit))  # has no verb of an action: the rule is not meant for such accounts


def test_a_policy_of_one_namespace_says_nothing_in_another(plane: ControlPlane) -> None:
    model = new_model(plane, "free")
    taken(model.annotate("editor", "abort=anything"))
    assert model.stored() == {"abort": "anything"}
