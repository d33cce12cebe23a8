"""The real node that the stories share: a cluster of its own name, with everything installed, gone after the tests."""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from cluster import build, providers
from examples.demo import setup

NAME = os.environ.get("PENSTOCK_E2E_CLUSTER", "e2e")


@dataclass(frozen=True)
class Stage:
    """A cluster with gateway, Prometheus, operator and ModelRuntimes."""

    name: str

    def kubectl(self, *words: str, check: bool = True) -> str:
        """What kubectl prints; nothing where it failed and `check` is off."""
        config = str(providers.get(self.name).kubeconfig())
        line = [str(build.program("kubectl")), "--kubeconfig", config, *words]
        done = subprocess.run(line, capture_output=True, text=True, check=False)
        assert not check or done.returncode == 0, done.stderr
        return done.stdout if done.returncode == 0 else ""


@pytest.fixture(scope="session")
def stage() -> Iterator[Stage]:
    """Up for the tests of this session; a cluster that was named from outside stays as it is."""
    setup.prepare(NAME)
    yield Stage(NAME)
    if "PENSTOCK_E2E_CLUSTER" not in os.environ:
        providers.get(NAME).down()
