"""Kubernetes quantities as exact whole numbers of thousandths, the precision at which the API itself keeps them.

One unit for every resource (1 cpu, 1 byte and 1 device are all 1000), so that amounts are added and compared as plain
integers. Only spellings live here.
"""

import re
from fractions import Fraction
from functools import lru_cache
from math import ceil

ONE = 1000

_QUANTITY = re.compile(r"([+-]?)(\d+\.?\d*|\.\d+)(?:[eE]([+-]?\d{1,3})|([numkMGTPE]|[KMGTPE]i)?)")
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
_BYTES = ("memory", "ephemeral-storage", "storage", "hugepages-")


@lru_cache(maxsize=4096)
def amount(text: str) -> int:
    """The thousandths in a quantity such as 500m, 2, 1Gi or 1e3; what is finer is rounded up, as the API does."""
    found = _QUANTITY.fullmatch(text)
    if not found:
        raise ValueError(f"{text!r} is not a quantity such as 500m, 2 or 1Gi")
    sign, number, exponent, unit = found.groups()
    scale = 1024 ** _BINARY[unit] if unit in _BINARY else Fraction(10) ** int(exponent or _DECIMAL[unit or ""])
    exact = Fraction(number) * scale * (-ONE if sign == "-" else ONE)
    return -(-exact.numerator // exact.denominator)


def spelled(resource: str, thousandths: int) -> str:
    """An amount for people: cpu as 1500m or 2, bytes as 15.8Gi, devices and pods as a number."""
    plain = resource.removeprefix("requests.").removeprefix("limits.")
    if plain.startswith(_BYTES):
        return _bytes(thousandths // ONE)
    return str(thousandths // ONE) if thousandths % ONE == 0 else f"{thousandths}m"


def _bytes(count: int) -> str:
    """Exact where that is short, else one decimal, cut off: too little must not look like enough."""
    for unit, power in reversed(_BINARY.items()):
        whole, rest = divmod(count, 1024**power)
        if whole and not rest and whole < 10_000:
            return f"{whole}{unit}"
        if whole >= 10:
            return f"{count * 10 // 1024**power / 10:.1f}{unit}"
    return str(count)


def canonical(number: float) -> str:
    """A number as the API server itself spells a quantity, so that what is stored equals what was written.

    Precise to a thousandth, rounded up as the API does; more is not kept.
    """
    thousandths = ceil(round(number * ONE, 6))
    if thousandths % ONE:
        return f"{thousandths}m"
    whole, unit = thousandths // ONE, ""
    for larger in ("k", "M", "G"):
        if not whole or whole % 1000:
            break
        whole, unit = whole // 1000, larger
    return f"{whole}{unit}"
