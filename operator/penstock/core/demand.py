"""What a pod spec asks for: the sums that the scheduler and the quota admission make.

Pure arithmetic over one pod spec; it knows no nodes and no quotas. A container without requests gets its limits, as
the API does it. What only admission adds (a LimitRange's defaults, an injected container) cannot be known here and
counts as nothing.
"""

from penstock.model.quantity import ONE, amount
from penstock.model.values import Manifest

COMPUTE = ("cpu", "memory")


def requests(pod: Manifest) -> dict[str, int]:
    """What the scheduler reserves for a pod of this spec, the pod's own place on the node included."""
    return _total(pod, "requests") | {"pods": ONE}


def uses(pod: Manifest) -> dict[str, int]:
    """What a pod of this spec takes from quotas, under every name that a quota may give it."""
    asked, capped = _total(pod, "requests"), _total(pod, "limits")
    named = {f"requests.{name}": value for name, value in asked.items()}
    short = {name: value for name, value in asked.items() if "/" not in name}
    return {"pods": ONE, "count/pods": ONE} | short | named | {f"limits.{k}": value for k, value in capped.items()}


def is_best_effort(pod: Manifest) -> bool:
    """True where the spec asks for no cpu and no memory at all, neither as request nor as limit."""
    asked = _total(pod, "requests") | _total(pod, "limits")
    return not any(asked.get(name) for name in COMPUTE)


def _total(pod: Manifest, side: str) -> dict[str, int]:
    total: dict[str, int] = {}
    for container in pod.get("containers") or []:
        _add(total, _of(container, side))
    if pod.get("initContainers"):
        _begin(total, pod["initContainers"], side)
    if pod.get("resources"):
        own = _of(pod, side)
        total |= {name: value for name, value in own.items() if name in COMPUTE or name.startswith("hugepages-")}
    for name, text in (pod.get("overhead") or {}).items():
        if side == "requests" or total.get(name):
            total[name] = total.get(name, 0) + amount(str(text))
    return total


def _begin(total: dict[str, int], containers: list[Manifest], side: str) -> None:
    """Init containers run one by one, those that restart stay beside all later ones; the highest moment counts."""
    beside: dict[str, int] = {}
    peak: dict[str, int] = {}
    for container in containers:
        moment = _of(container, side)
        stays = container.get("restartPolicy") == "Always"
        if stays:
            _add(total, moment)
            _add(beside, moment)
        else:
            _add(moment, beside)
        _rise(peak, beside if stays else moment)
    _rise(total, peak)


def _of(container: Manifest, side: str) -> dict[str, int]:
    resources = container.get("resources") or {}
    limits, given = resources.get("limits") or {}, resources.get(side) or {}
    return {name: amount(str(text)) for name, text in (given if side == "limits" else {**limits, **given}).items()}


def _add(total: dict[str, int], more: dict[str, int]) -> None:
    for name, value in more.items():
        total[name] = total.get(name, 0) + value


def _rise(total: dict[str, int], other: dict[str, int]) -> None:
    for name, value in other.items():
        total[name] = max(total.get(name, 0), value)
