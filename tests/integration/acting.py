"""People with and without the right to act, and a ModelDeployment that they act on with kubectl.

What is stored here is what a person types. No operator runs: what it would have taken up is written in its place.
"""

import json
import re
import shlex
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count

import yaml

from tests.conftest import ControlPlane, new_control_plane

HOME = "penstock-system"
ACCOUNT = f"system:serviceaccount:{HOME}:penstock"
PREFIX = "penstock.dev/"
BY = PREFIX + "requested-by"
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
RUN = {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["create"]}
SPEC = {"model": {"version": "7", "format": "sklearn"}, "runtime": "mlserver"}
NAMESPACES = ("ml", "free")
numbers = count(1)


@contextmanager
def cluster(purpose: str) -> Iterator[ControlPlane]:
    """A control plane where everybody has their rights, in both namespaces."""
    with new_control_plane(purpose) as made:
        made.install_crds()
        for name in NAMESPACES:
            made.kubectl("create", "namespace", name)
        made.kubectl("apply", "-f", "-", input=yaml.safe_dump_all(rights()))
        yield made


def rights() -> Iterator[dict[str, object]]:
    """Roles and their bindings for each of the people; who may edit models may run pods too."""
    for number, (user, verbs) in enumerate(PEOPLE.items()):
        rule = {"apiGroups": ["penstock.dev"], "resources": ["modeldeployments"], "verbs": list(verbs)}
        yield from granted(f"person-{number}", user, rule)
        if "update" in verbs:
            yield from granted(f"runner-{number}", user, RUN)


def granted(name: str, user: str, rule: dict[str, list[str]]) -> Iterator[dict[str, object]]:
    """One rule for one user, in both namespaces."""
    group = "rbac.authorization.k8s.io"
    head = {"apiVersion": f"{group}/v1"}
    yield {**head, "kind": "ClusterRole", "metadata": {"name": name}, "rules": [rule]}
    for space in NAMESPACES:
        yield {
            **head,
            "kind": "RoleBinding",
            "metadata": {"name": name, "namespace": space},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": name},
            "subjects": [{"apiGroup": group, "kind": "User", "name": user}],
        }


def await_policies(plane: ControlPlane, *also_taken: str) -> None:
    """The API server takes a policy up a moment after it is stored: until one word is refused and these are taken."""
    model, end = new_model(plane, "ml"), time.monotonic() + 30
    while model.annotate("anna", "pause=no", "--dry-run=server").returncode == 0:
        assert time.monotonic() < end, "no policy refuses anything"
        time.sleep(0.2)
    while also_taken and model.annotate("anna", *also_taken, "--dry-run=server").returncode:
        assert time.monotonic() < end, "no policy writes the name"
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
        """Write into status, as the operator does, that it has taken up all that stands."""
        stored = self.stored()
        told = {"by": stored["requested-by"], "at": "2026-11-21T00:00:00Z"}
        acted = [{"action": k, "value": v, **told} for k, v in stored.items() if k in ACTIONS]
        self.write_status({"acted": acted})

    def status(self, user: str, **metadata: object) -> subprocess.CompletedProcess[str]:
        """A status as the operator's account writes it: kubectl reads nothing before, for which that has no right."""
        live = json.loads(self.plane.kubectl("-n", self.namespace, "get", "mdep", self.name, "-o", "json").stdout)
        text = live | {"metadata": live["metadata"] | metadata, "status": {"observedGeneration": 1}}
        return self.run(user, "replace", "--subresource=status", "-f", "-", text=json.dumps(text))

    def write_status(self, status: dict[str, object]) -> None:
        """In the operator's place."""
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
