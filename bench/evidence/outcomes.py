"""What many runs came to: a share with its confidence bound, and the requests until a rule acted."""

import math

import numpy as np

from bench.evidence.histories import Array


def outcome(looks: Array, requests: float) -> dict[str, object]:
    """Of the looks at which each run was rejected: the share of all runs, and candidate requests until then.

    The median is over all runs, so it is infinite, and not given, where fewer than half were rejected.
    """
    found = np.isfinite(looks)
    middle = float(np.quantile(looks, 0.5, method="higher")) * requests
    return {
        "runs": len(looks),
        "rejected": round(float(found.mean()), 5),
        "median_requests": round(middle) if math.isfinite(middle) else None,
    }


def upper_bound(rejected: int, runs: int, confidence: float) -> float:
    """Clopper and Pearson's one-sided upper bound of a share (1934), by bisection on the binomial distribution."""
    if rejected >= runs:
        return 1.0
    low, high = rejected / runs, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _at_most(rejected, runs, middle) > 1 - confidence else (low, middle)
    return high


def _at_most(k: int, n: int, p: float) -> float:
    """P(X <= k) for X binomial."""
    if p <= 0.0:
        return 1.0
    chosen = [math.lgamma(n + 1) - math.lgamma(i + 1) - math.lgamma(n - i + 1) for i in range(k + 1)]
    return sum(math.exp(c + i * math.log(p) + (n - i) * math.log1p(-p)) for i, c in enumerate(chosen))
