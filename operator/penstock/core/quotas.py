"""Which quotas count pods of a spec, and how many more pods each of them lets in.

The quota admission's own rules. Where it is unknown whether a quota counts the pods, it is taken not to: the API
server's refusal is then the first to say so.
"""

from penstock.core.demand import is_best_effort, uses
from penstock.model.copying import replace
from penstock.model.quantity import spelled
from penstock.model.room import Quota, Scope, Shortage
from penstock.model.values import Manifest


def quota_shortage(quota: Quota, pod: Manifest, pods: int) -> Shortage | None:
    """None where the quota lets `pods` more pods of this spec in."""
    if not _counts(quota, pod):
        return None
    taken = {name: value for name, value in uses(pod).items() if value and name in quota.limits}
    fits = {name: _left(quota, name) // value for name, value in taken.items()}
    name = min(fits, key=lambda one: fits[one], default="")
    if not name or fits[name] >= pods:
        return None
    hard, used = (spelled(name, value) for value in quota.limits[name])
    needed = spelled(name, taken[name] * pods)
    return Shortage(fits[name], f"quota {quota.name}: {name} {used} of {hard} used, {needed} more needed")


def given_back(quota: Quota, pod: Manifest, pods: int) -> Quota:
    """The quota once so many pods of this spec are gone."""
    if not _counts(quota, pod):
        return quota
    taken = uses(pod)
    limits = {k: (hard, max(0, used - taken.get(k, 0) * pods)) for k, (hard, used) in quota.limits.items()}
    return replace(quota, limits=limits)


def _left(quota: Quota, name: str) -> int:
    hard, used = quota.limits[name]
    return max(0, hard - used)


def _counts(quota: Quota, pod: Manifest) -> bool:
    return all(_covers(scope, pod) for scope in quota.scopes)


def _covers(scope: Scope, pod: Manifest) -> bool:
    match scope.name:
        case "NotTerminating":  # means without activeDeadlineSeconds, which pods of a Deployment never have
            return True
        case "BestEffort":
            return is_best_effort(pod)
        case "NotBestEffort":
            return not is_best_effort(pod)
        case "PriorityClass":  # a pod that names none may still get the cluster's default
            return bool(pod.get("priorityClassName")) and _has_class(scope, pod["priorityClassName"])
    return False


def _has_class(scope: Scope, name: str) -> bool:
    if scope.operator in ("In", "NotIn"):
        return (name in scope.values) == (scope.operator == "In")
    return scope.operator == "Exists"
