"""The whole walk through the schema; what it met on the API in memory goes into docs/reports/schema-walk.md."""

from pathlib import Path

from tests.conftest import ControlPlane
from tests.walk import servers
from tests.walk.leaves import UNWALKED, bad, leaves
from tests.walk.real import reachable, walked_on
from tests.walk.walk import acts, along, crossings, detour, path_of, walked

REPORT = Path(__file__).parents[2] / "docs" / "reports" / "schema-walk.md"
PATHS = 500  # random ones, through several leaves


def test_the_walk_on_a_real_api_server(control_plane: ControlPlane) -> None:
    assert 4 * len(reachable()) >= 300
    found = walked_on(control_plane, "walk", reachable())
    assert not found, "\n".join(found)


def test_the_whole_walk() -> None:
    found: list[str] = []
    paths = [(leaf.name, path_of(leaf)) for leaf in walked()]
    crossed = [(f"path {seed}", crossings(seed)) for seed in range(PATHS)]
    for name, path in (*paths, *crossed):
        found += [f"{name}, {words}" for words in along(path)]
    for leaf in walked():
        found += [f"{leaf.name}, {words}" for words in detour(leaf)]
    for leaf in servers.walked():
        found += [f"runtime's {leaf.name}, {words}" for words in servers.edited(leaf)]
        found += [] if servers.acts(leaf) else [f"runtime's {leaf.name} does nothing that anybody could see"]
    weathers = {leaf.name: acts(leaf) for leaf in walked()}
    found += [f"{name} does nothing that anybody could see" for name, weather in weathers.items() if not weather]
    steps = [sum(len(path) - 1 for _, path in each) for each in (paths, crossed)]
    REPORT.write_text(_report(steps, weathers, found))
    assert found == []


def _report(steps: list[int], weathers: dict[str, str], found: list[str]) -> str:
    refused = sum(len(bad(leaf)) for leaf in walked())
    counted = {weather: list(weathers.values()).count(weather) for weather in dict.fromkeys(weathers.values())}
    return f"""# Schema walk

Written by `tests/nightly/test_schema_walk.py`; how it walks is in `tests/walk`. On the API in memory, with every
gateway, runtime, ConfigMap and source that a wish can name.

| what | how many |
|---|---|
| leaves of the spec | {len(leaves())} |
| walked | {len(walked())} |
| transitions of one leaf: without it, each value, the first again, without it | {steps[0]} |
| transitions along {PATHS} random paths through several leaves | {steps[1]} |
| transitions of values that the schema refuses: each set, named, put right again | {2 * refused} |
| leaves of a ModelRuntime, edited under a model that runs, then a new version | {len(servers.walked())} |
| findings | {len(found)} |

- Path independence: each end equals the one of a fresh object with the same spec: objects, conditions, what is stable.
- Recovery: what no schema lets through changes no object, is named by `InvalidSpec`, and leaves nothing behind.
- Declared is real: two values of each leaf differ in something that is written or asked, in a rollout, in some weather:
  {", ".join(f"{count} in `{weather}`" for weather, count in counted.items() if weather)}.

Not walked:

{chr(10).join(f"- `{name}`: {why}." for name, why in UNWALKED.items())}
{chr(10).join(f"- `{name}` of a ModelRuntime: {why}." for name, why in servers.UNWALKED.items())}

What depends on the path on purpose, and is not compared: records of earlier revisions (for undo), the number of a
revision, replicas that an autoscaler has set, history and times in status, the words of a forecast whose number stays,
rules of somebody else's route that are no longer listed. No path leads to what is refused as too dear, or for an object
that is missing: what serves goes on then, and a fresh object does not begin.

What it found when it was first walked, mended since:

- A rule that was taken out of `traffic.route.rules` went on leading to a revision whose pods the next rollout removed.
- Another `scaling.predictive.season` or `history` went on with the loads of the one before, for up to five minutes.

{"Now nothing was found." if not found else chr(10).join(f"- {each}" for each in found)}
"""
