"""The admission policies of the chart: of which actions they speak, where they hold, how they are left out."""

import json
import re

import pytest
import yaml

from penstock.core.actions import Action
from penstock.shell.settings import Settings
from tests.meta.test_chart import NAMESPACED, Manifest, named, of_kind, render

POLICIES = "ValidatingAdmissionPolicy", "MutatingAdmissionPolicy"
ACTIONS = "authors.verify=false"  # without the policy that is about spec
ABLE = ("--api-versions", "admissionregistration.k8s.io/v1/MutatingAdmissionPolicy")


def test_the_policies_speak_of_every_action_of_the_operator_and_of_no_other() -> None:
    for policy in of_kind(render(ACTIONS, options=ABLE), *POLICIES):
        (verbs,) = (one["expression"] for one in policy["spec"]["variables"] if one["name"] == "verbs")
        assert set(re.findall(r"'penstock.dev/([a-z-]+)':", verbs)) == {action.value for action in Action}


def test_the_roles_have_every_verb_that_the_policies_ask_for() -> None:
    manifests = render(ACTIONS)
    (policy,) = of_kind(manifests, *POLICIES)
    asked = set(re.findall(r"check\('([a-z]+)'\)", str(policy["spec"]["validations"])))
    granted = {
        verb
        for name in ("edit", "admin")
        for rule in named(manifests, "ClusterRole", f"penstock-{name}")["rules"]
        for verb in rule["verbs"]
    }
    assert asked and asked <= granted


@pytest.mark.parametrize(("options", "kinds"), [((), POLICIES[:1]), (ABLE, POLICIES)])
def test_the_name_is_written_where_the_api_server_can(options: tuple[str, ...], kinds: tuple[str, ...]) -> None:
    policies = of_kind(render(ACTIONS, options=options), *POLICIES)
    assert {one["kind"] for one in policies} == set(kinds)
    assert {one["kind"]: one["spec"]["failurePolicy"] for one in policies} == {
        kind: {POLICIES[0]: "Fail", POLICIES[1]: "Ignore"}[kind] for kind in kinds
    }


@pytest.mark.parametrize(("values", "where"), [((), None), (NAMESPACED, {"kubernetes.io/metadata.name": "ml"})])
def test_the_policies_look_where_the_operator_looks(values: tuple[str, ...], where: Manifest | None) -> None:
    bindings = of_kind(render(*values, options=ABLE), *(f"{kind}Binding" for kind in POLICIES))
    assert len(bindings) == 3
    for binding in bindings:
        selector = binding["spec"].get("matchResources", {}).get("namespaceSelector", {})
        assert selector.get("matchLabels") == where


@pytest.mark.parametrize("verify", [True, False])
def test_the_operator_is_told_whether_names_are_verified(verify: bool) -> None:
    manifests = render(ACTIONS, f"actions.verify={json.dumps(verify)}", options=ABLE)
    kinds = {one["kind"] for one in manifests if one["apiVersion"].startswith("admissionregistration")}
    assert len(kinds) == (4 if verify else 0)
    config = yaml.safe_load(named(manifests, "ConfigMap", "penstock")["data"]["config.yaml"])
    assert Settings.model_validate(config).verified_actions is verify


@pytest.mark.parametrize("verify", [True, False])
def test_authors_are_asked_for_their_rights_unless_the_administrator_says_otherwise(verify: bool) -> None:
    values = ("actions.verify=false", f"authors.verify={json.dumps(verify)}")
    found = of_kind(render(*values, options=ABLE), *POLICIES)
    assert [one["metadata"]["name"] for one in found] == ["penstock-authors"] * verify
    assert all(one["spec"]["failurePolicy"] == "Fail" for one in found)
