"""Laws over what must be known before a candidate goes forward: pods, traffic, time, evidence, people."""

from collections.abc import Iterator
from datetime import datetime

from tests.sim.laws import Object, Scene, law
from tests.sim.machine import Nature

MIN_REQUESTS = 20
HOPELESS = 0.2  # a share of failed requests that no analysis of ours may pass


@law("ModelDeployment")
def no_step_forward_without_proof(scene: Scene) -> Iterator[str]:
    """Its share was real, on ready pods; and unless a person waived it: long enough, judged, approved."""
    was, _ = scene.tries()
    if not was or not _goes_forward(scene):
        return
    name, number = was["revision"], was.get("step", 0)
    step, entered = was["steps"][number], scene.court.entered(name, number)
    if not scene.sim.was_ready(name, scene.known):
        yield f"{name} has no ready pods"
    if not was.get("shiftedAt") and not scene.sim.gate.gave(name, step, scene.known):
        yield f"{name} never had what step {number} says: {scene.sim.gate.carried_since(entered)}"
    if _is_waived(scene, number):
        return
    yield from _seen_otherwise(scene, step, (name, entered))
    yield from _too_short(scene, was, entered)
    yield from _not_agreed(scene, step, (name, entered))
    if step.get("judged"):
        yield from _not_judged(scene, was, entered)


@law("ModelDeployment")
def a_share_is_noted_when_it_is_given(scene: Scene) -> Iterator[str]:
    """The time from which a step is held is one at which the candidate had its share, as far as could be known."""
    (was, now), told = scene.tries(), ("revision", "startedAt", "step", "shiftedAt")
    if not now.get("shiftedAt") or all(was.get(key) == now.get(key) for key in told):
        return
    name, number = now["revision"], now.get("step", 0)
    if not scene.sim.gate.gave(name, now["steps"][number], scene.known):
        yield f"{name} is said to have what step {number} says: {scene.sim.gate.carried_since(scene.known)}"


def _goes_forward(scene: Scene) -> bool:
    was, now = scene.tries()
    if scene.revision("stable") == was["revision"]:
        return not scene.is_adopted() and scene.former.get("stable", {}).get("revision") != was["revision"]
    return not scene.is_new_try() and now.get("step", 0) > was.get("step", 0)


def _is_waived(scene: Scene, number: int) -> bool:
    """Somebody lets it pass, by the last status or by an annotation that this very turn took up."""
    tried = scene.former["candidate"]
    if tried.get("waived") == number or number in tried.get("skipped", []) or tried.get("forcedBy"):
        return True
    asked = (scene.sim.noted_since(action, scene.known) for action in ("promote", "promote-full", "skip"))
    return any(value.partition("/")[0] == tried["revision"] for values in asked for value in values)


def _seen_otherwise(scene: Scene, step: Object, subject: tuple[str, float]) -> Iterator[str]:
    """The last count, of so many requests and looks that no scrape can explain it, says clearly another share."""
    name, entered = subject
    told = [each for each in scene.sim.shared if each[1] == name and each[0] >= entered]
    last = [counts for _, _, since, counts in told if since == told[-1][2]]
    mine, home = (sum(getattr(c, arm) for c in last) for arm in ("candidate_total", "stable_total"))
    if step["weight"] == 0 or len(last) < 8 or mine + home < 2000 or scene.sim.jumped_since(entered):
        return
    seen = 100 * mine / (mine + home)
    if abs(seen - step["weight"]) > 20:
        yield f"{name} left {step['weight']}%, of {mine + home} requests it had {seen:.0f}%"


def _too_short(scene: Scene, was: Object, entered: float) -> Iterator[str]:
    """From when the share was noted; whether that was true is a law of its own."""
    step, noted = was["steps"][was.get("step", 0)], was.get("shiftedAt")
    seconds = float(step.get("duration", "0s").rstrip("s"))
    held = (scene.sim.now() - datetime.fromisoformat(noted)).total_seconds() if noted else 0.0
    if held < seconds and not scene.sim.jumped_since(entered):
        yield f"{was['revision']} left {step['weight']}% after {held:.1f} of {seconds} s"


def _not_agreed(scene: Scene, step: Object, subject: tuple[str, float]) -> Iterator[str]:
    """Enough people, or nobody in time where that counts as a yes."""
    name, entered = subject
    asked = step.get("approval")
    if not asked:
        return
    agreed = {one["by"] for one in scene.former["candidate"].get("approvals", [])}
    agreed |= (
        {"now"} if any(value.startswith(name) for value in scene.sim.noted_since("approve", scene.known)) else set()
    )
    late = asked.get("onTimeout") == "Promote" and (scene.sim.time() - entered >= 10 or scene.sim.jumped_since(entered))
    if len(agreed) < asked["minApprovals"] and not late:
        yield f"{name} left {step['weight']}% with {len(agreed)} approvals"


def _not_judged(scene: Scene, was: Object, entered: float) -> Iterator[str]:
    sim, name = scene.sim, was["revision"]
    if not all(sim.wished_since("judged", entered)):
        return
    policies = {name for more in sim.wished_since("more", entered) for name in more or []}
    for compared in (False, True) if "nothing passes" not in policies else (True,):
        total = sum(
            c.candidate_total for at, who, how, c in sim.told if (who, how) == (name, compared) and at >= entered
        )
        if total < MIN_REQUESTS:
            yield f"{name} left a step on {total} requests ({'compared' if compared else 'alone'})"
    if sim.natures.get(was.get("version", ""), Nature()).error_rate > HOPELESS:
        yield f"{name} fails requests and goes on"
