"""The API server itself is killed and comes back in the middle of a rollout: the same end, and nobody has to help."""

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster import proc
from tests.conftest import ControlPlane, furnished
from tests.faults.scenarios import first, promoted
from tests.faults.scene import open_house, scene

AWAY = 3.0  # seconds without an API server
BACK = 60.0  # seconds until the rollout has ended after that
STILL = 3.0


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    """One of its own: what is killed here is nobody else's."""
    with furnished("restart") as made:
        yield made


async def restart(plane: ControlPlane) -> None:
    """kill -9, nobody for a while, and the same program with the same words again."""
    record, command = running(plane)
    proc.stop(record)
    await asyncio.sleep(AWAY)  # the subject
    proc.spawn(command, record)


def running(plane: ControlPlane) -> tuple[Path, proc.Command]:
    """Where the API server's pid is written, and how it was started."""
    state = plane.kubeconfig.parent
    record = state / "run" / "kube-apiserver.json"
    pid = json.loads(record.read_text())["pid"]
    words = Path(f"/proc/{pid}/cmdline").read_text().rstrip("\0").split("\0")
    return record, proc.Command(words, state / "log" / "kube-apiserver.log")


def test_a_rollout_goes_on_when_the_api_server_is_back(plane: ControlPlane) -> None:
    async def story() -> None:
        async with open_house(plane) as house:
            async with scene(house, f"restart-{time.monotonic_ns()}") as made:
                await promoted(made)
                wanted = await made.ends(None, STILL)
            async with scene(house, f"restart-{time.monotonic_ns()}") as made:
                await first(made)
                await made.apply("v2")
                await made.until(lambda s: s.get("candidate", {}).get("step") == 1)
                begin = time.monotonic()
                await restart(plane)
                await made.settled("v2", AWAY + BACK)
                print(f"settled {time.monotonic() - begin:.1f} s after the kill, exit codes {made.operator.codes}")
                await made.ends(wanted, STILL)
                assert made.complaints() == []

    asyncio.run(story())
