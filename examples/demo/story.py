"""The four parts of the story as data, and when a part has come to its end, good or bad. Pure."""

from dataclasses import dataclass
from enum import Enum
from typing import Any

import yaml

from examples.demo import EXAMPLES
from examples.demo.sightings import Glance
from penstock.api.analysis import Analysis
from penstock.api.spec import Spec

FOLDER = EXAMPLES / "digits"
FAST = {"duration": "10s", "deadline": "60s", "scaleDownDelay": "5s", "interval": "3s", "minRequests": 25}
"""What a fast run shortens: times and sample sizes, never a part."""


class Ending(Enum):
    """How a part is meant to end."""

    SERVES = "serves"
    PROMOTED = "is promoted"
    REJECTED = "is taken off"


@dataclass(frozen=True)
class Part:
    """One applied file and what must come of it."""

    number: int
    version: str
    title: str
    ending: Ending
    home: str
    reason: str = ""
    takes_traffic: bool = True

    @property
    def file(self) -> str:
        """The applied file as a person would type it."""
        return f"examples/digits/{self.version}.yaml"


STORY = (
    Part(1, "v1", "a first version is created and serves", Ending.SERVES, "v1"),
    Part(2, "v2", "a better version walks up step by step and is promoted", Ending.PROMOTED, "v2"),
    Part(3, "v3", "a version that fails on part of the rows is taken off", Ending.REJECTED, "v2", "ErrorRateAbove"),
    Part(
        4, "v4", "a version that never gets ready is reverted", Ending.REJECTED, "v2", "NeverReady", takes_traffic=False
    ),
)


def manifest(part: Part, fast: bool) -> str:
    """What is applied: the file as it stands, or with shorter times."""
    text = (FOLDER / f"{part.version}.yaml").read_text()
    return yaml.safe_dump(shorten(yaml.safe_load(text))) if fast else text


def shorten(value: Any) -> Any:
    """The manifest with the times of a fast run."""
    if isinstance(value, list):
        return [shorten(each) for each in value]
    if isinstance(value, dict):
        return {key: FAST[key] if key in FAST else shorten(each) for key, each in value.items()}
    return value


def steps(manifests: str) -> list[int]:
    """The weights that an applied manifest promises to walk."""
    spec = yaml.safe_load(manifests)["spec"]
    return [step["weight"] for step in spec["rollout"]["canary"]["steps"]]


def analysis(manifests: str) -> Analysis:
    """How an applied manifest wants its version judged."""
    found = Spec.model_validate(yaml.safe_load(manifests)["spec"]).analysis
    assert found
    return found


def settled(part: Part, seen: Glance) -> bool:
    """Nothing more will happen to this version by itself: it serves, or it was taken off, and nobody is leaving."""
    if not seen.current or seen.candidate or seen.leaving:
        return False
    return seen.ready if seen.stable == part.version else seen.rejection(part.version) is not None
