"""The figures of `bench.scaling` as a page."""

from collections.abc import Iterator, Mapping
from typing import Any

Found = Mapping[str, Any]


def holds(case: Found) -> bool:
    """Nothing went wrong and nobody was lost."""
    parts = [case, *(case[name] for name in ("calm", "peak", "turns", "back") if name in case)]
    lost = sum(part.get("failed", 0) for part in parts)
    codes = set(case.get("codes", {}))
    alone = case.get("most_at_once", 1) == 1
    return not case.get("trouble") and not lost and codes <= {"200", 200} and _held(case) and alone


def _held(case: Found) -> bool:
    return bool(case.get("fewest_meanwhile", 0) >= case.get("at_peak", 0)) if "fewest_meanwhile" in case else True


def together(found: list[dict[str, Any]]) -> dict[str, Any]:
    """Several models that were woken, as one."""
    return {
        "seconds": sorted(each for case in found for each in case["seconds"]),
        "waits": sorted(each for case in found for each in case["waits"]),
        "lost": [each for case in found for each in case["lost"]],
        "requests": sum(case["requests"] for case in found),
        "failed": sum(case["failed"] for case in found),
    }


def part(values: list[float], share: float) -> float:
    """The value below which this share lies."""
    return values[min(len(values) - 1, int(share * len(values)))]


def page(known: Mapping[str, Found]) -> str:
    """All of it."""
    return "\n".join(_lines(known)) + "\n"


def _lines(known: Mapping[str, Found]) -> Iterator[str]:
    yield "# Scaling, measured\n"
    yield "Made by `python -m bench.scaling`; the figures are in bench/results/scaling.json.\n"
    steps = [name for name in ("by_live_metric", "by_cpu", "by_keda") if name in known]
    if steps:
        yield "## Five times the load, and back\n"
        yield "6 requests/s for a minute, then 30 for 150 s, then 6 again. Target: 10 for each replica, or 70 % of CPU"
        yield "requests.\n"
        yield "| followed by | formula | at the peak | reached after | fell after | calm p50, p95 | peak | failed |"
        yield "|---|---|---|---|---|---|---|---|"
        yield from (_step(name, known[name]) for name in steps)
        yield ""
    yield from _keda(known.get("by_keda"))
    yield from _outage(known.get("outage"))
    yield from _wakes(known.get("wakes"))
    yield from _many(known.get("many"))
    yield "## Conditions\n"
    yield "Where the load average is high, other work ran beside: compare replicas and failures, not milliseconds.\n"
    for name, case in known.items():
        about = case["about"]
        yield f"- {name}: {about['date']}, {about['machine']}, load average {about['load']} at its end"
        if case.get("trouble"):
            yield f"  - it failed: {case['trouble'].strip().splitlines()[-1][:200]}"


def _step(name: str, case: Found) -> str:
    parts = [case.get(each, {}) for each in ("calm", "peak", "turns", "back")]
    failed, total = (sum(each.get(key, 0) for each in parts) for key in ("failed", "requests"))
    fell = "not within 600 s" if case.get("fell_after") is None else f"{case['fell_after']} s"
    waits = [f"{1000 * each.get('p50', 0):.0f}, {1000 * each.get('p95', 0):.0f} ms" for each in parts[:2]]
    cells = [name.replace("by_", "").replace("_", " "), case.get("formula"), case.get("at_peak")]
    cells += [f"{case.get('reached_after')} s", fell, *waits, f"{failed} of {total}"]
    return "| " + " | ".join(map(str, cells)) + " |"


def _keda(case: Found | None) -> Iterator[str]:
    if case and "gaps" in case:
        away, back = case["gaps"]
        yield (
            f"KEDA {case['version']} asks the operator; its ScaledObject is {_conditions(case['told'])}. At peak the"
            f" chart's `keda.use` was turned off and on again: at most {case['most_at_once']} autoscaler followed the"
            f" Deployment at any time, nobody did for {away} s and {back} s, and the fewest pods were"
            f" {case['fewest_in_turns']}.\n"
        )


def _conditions(told: Mapping[str, str]) -> str:
    return ", ".join(f"{kind} {status}" for kind, status in sorted(told.items()) if kind in ("Active", "Ready"))


def _outage(case: Found | None) -> Iterator[str]:
    if case:
        yield "## Five minutes without metrics, at the peak\n"
        yield (
            f"{case.get('at_peak')} replicas were there; the fewest meanwhile were {case.get('fewest_meanwhile')}."
            f" `ScalingActive` was False {case.get('told_after')} s after the metrics had gone and True"
            f" {case.get('mended_after')} s after they were back. {case.get('failed')} of {case.get('requests')}"
            " requests failed.\n"
        )


def _wakes(case: Found | None) -> Iterator[str]:
    if case and case.get("seconds"):
        took, waits = sorted(case["seconds"]), case["waits"]
        yield "## Waking from zero\n"
        yield (
            f"{len(took)} wakes, each by 200 requests at once: p50 {part(took, 0.5):.1f} s,"
            f" p95 {part(took, 0.95):.1f} s"
            f" from the first request seen until a pod could be reached. The {len(waits)} first requests waited"
            f" p50 {part(waits, 0.5):.1f} s, p95 {part(waits, 0.95):.1f} s."
            f" {case['failed']} of {case['requests']} were lost.\n"
        )


def _many(case: Found | None) -> Iterator[str]:
    if case:
        took = case["milliseconds"]
        yield f"## {case['models']} autoscalers\n"
        yield (
            f"Each asks every 15 s, over TLS, beside a load average of {case['about']['load']}: {case['asked']}"
            f" answers, {case['codes']}. p50 {took['p50']} ms, p95 {took['p95']} ms, p99 {took['p99']} ms;"
            f" the operator's part takes {100 * case['share_of_a_core']:.1f} % of a core, asking Prometheus included.\n"
        )
