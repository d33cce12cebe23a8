"""The walk itself: what must hold of every leaf, and of every path through several.

Three laws, each of which gives its findings as text:

- *path independence*: after default -> a -> b -> unset each end is the one of a fresh object with the same spec;
- *recovery*: what no schema would let through changes nothing but the condition that names it, and is gone once it is
  reverted;
- *declared is real*: two values of a leaf differ in something that is written or asked, in some weather.
"""

import json
from collections.abc import Iterator
from functools import cache
from random import Random
from typing import Any

from tests.fake.clock import run
from tests.walk.grounds import GROUNDS, TRIED, UNSET, ground_of, planted
from tests.walk.leaves import UNWALKED, Leaf, bad, can_go, good, leaves
from tests.walk.meadow import WEATHERS, Meadow

Object = dict[str, Any]


def walked() -> list[Leaf]:
    """The leaves that are walked."""
    return [leaf for leaf in leaves() if leaf.name not in UNWALKED]


def bare(leaf: Leaf) -> Object:
    """The wish without it; where it must be there, as the ground has it."""
    ground = GROUNDS[ground_of(leaf)]
    return planted(ground, leaf, UNSET) if can_go(leaf) else ground


def path_of(leaf: Leaf) -> list[Object]:
    """The wishes of its walk, in order: without it, each value, back to the first one, without it again."""
    values = [planted(GROUNDS[ground_of(leaf)], leaf, value) for value in good(leaf)]
    return [bare(leaf), *values, values[0], bare(leaf)]


async def _end(spec: Object) -> Object:
    sim = Meadow()
    sim.want(spec)
    await sim.settle()
    return sim.end() | {"bugs": sim.ear.bugs}


@cache
def _fresh(spelt: str) -> Object:
    return run(_end(json.loads(spelt)))


def fresh(spec: Object) -> Object:
    """The end of an object that never was anything else."""
    return _fresh(json.dumps(spec, sort_keys=True))


def along(path: list[Object]) -> Iterator[str]:
    """Walk one path; what differs from a fresh object, or went wrong, at any of its ends."""
    ends = run(_ends(path))
    for number, (spec, end) in enumerate(zip(path, ends, strict=True)):
        for words in differences(fresh(spec), end):
            yield f"step {number}: {words}"


async def _ends(path: list[Object]) -> list[Object]:
    sim, found = Meadow(), []
    for spec in path:
        sim.want(spec)
        if not await sim.settle():
            sim.ear.bugs.append("never settled")
        found.append(sim.end() | {"bugs": list(sim.ear.bugs)})
    return found


def differences(one: Any, other: Any, place: str = "") -> Iterator[str]:
    """Where two ends are not the same, and how."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted(one.keys() | other.keys()):
            yield from differences(one.get(key), other.get(key), f"{place}.{key}".lstrip("."))
    elif one != other:
        yield f"{place}: fresh has {short(one)}, the path led to {short(other)}"


def short(value: Any) -> str:
    """At most one line of it."""
    text = json.dumps(value, sort_keys=True, default=str)
    return text if len(text) < 200 else text[:197] + "..."


def detour(leaf: Leaf) -> Iterator[str]:
    """An object that carries what the schema refuses, as after a change of the CRD, and is put right again."""
    ground = GROUNDS[ground_of(leaf)]
    for value in bad(leaf):
        before, within, after = run(_ends([ground, planted(ground, leaf, value), ground]))
        yield from (f"{short(value)}: after it {words}" for words in differences(before, after))
        ready = next(c for c in within["status"]["conditions"] if c["type"] == "Ready")
        if ready["reason"] == "Settled":
            continue  # pydantic read it as another spelling of a good value
        yield from (f"{short(value)}: {words}" for words in differences(_objects(before), _objects(within)))
        if (ready["reason"], leaf.path[0] in ready["message"]) != ("InvalidSpec", True):
            yield f"{short(value)}: Ready says {ready['reason']}: {ready['message']}"


def _objects(end: Object) -> Object:
    """All that is ours; which rules of somebody's route are, only a wish that can be read says."""
    return {key: each for key, each in end.items() if key not in ("status", "HTTPRoute churn-route")}


async def _trial(spec: Object, weather: str, touched: str) -> str:
    """One version serves, the next one is tried under the same wish, then the first one again; all is written down."""
    sim = Meadow(weather=WEATHERS[weather])
    later = spec["model"] | ({"uri": "oci://r/later:1"} if touched == "model.version" else {"version": sim.second})
    for wish, seconds in ((spec, 60), (spec | {"model": later}, 400), (spec, 60)):
        sim.want(wish)
        await sim.settle(900)
        await sim.run(seconds)
        await sim.read_live_values()
    return sim.trace()


@cache
def _traced(spelt: str, weather: str, touched: str) -> int:
    return hash(run(_trial(json.loads(spelt), weather, touched)))


def acts(leaf: Leaf) -> str:
    """The weather in which two values of a leaf make a difference; empty where none does."""
    ground = GROUNDS[TRIED.get(leaf.name) or ground_of(leaf)]
    first, *others = [planted(ground, leaf, value) for value in good(leaf)]
    others = others or [planted(ground, leaf, UNSET)]
    for weather in WEATHERS:
        told = [_traced(json.dumps(spec, sort_keys=True), weather, leaf.name) for spec in (first, *others)]
        if len(set(told)) > 1:
            return weather
    return ""


def crossings(seed: int, length: int = 5) -> list[Object]:
    """A random path through several leaves of one ground, each time from where the last step led."""
    random = Random(seed)
    ground = random.choice(sorted(GROUNDS))
    mine = [leaf for leaf in walked() if ground_of(leaf) == ground]
    spec, path = GROUNDS[ground], [GROUNDS[ground]]
    while mine and len(path) < length:
        leaf = random.choice(mine)
        values = [*good(leaf)[:2], *([UNSET] if can_go(leaf) else [])]
        spec = planted(spec, leaf, random.choice(values))
        path.append(spec)
    return path
