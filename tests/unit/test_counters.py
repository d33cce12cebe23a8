"""Increments of counters: exact, whatever the scrapes looked like."""

import pytest

from penstock.stats.counters import increment

CASES = {
    "grew inside the window": ([(0, 5), (10, 9), (20, 12)], (0, 20), False, 7),
    "samples after the window do not count": ([(0, 5), (10, 9), (25, 90)], (0, 20), False, 4),
    "the base is the last sample at or before the start": ([(0, 5), (9, 8), (12, 10)], (10, 20), False, 2),
    "a restart begins at zero": ([(0, 50), (10, 3), (20, 4)], (0, 20), False, 4),
    "a series born inside counts from zero": ([(12, 3), (18, 5)], (10, 20), True, 5),
    "a series of unknown past counts only what it grew": ([(12, 3000), (18, 3005)], (10, 20), False, 5),
    "nothing": ([], (0, 10), True, 0),
}


@pytest.mark.parametrize("name", CASES)
def test_increment(name: str) -> None:
    samples, window, born, expected = CASES[name]
    assert increment(samples, window, born) == expected


def test_adjoining_windows_count_each_event_once() -> None:
    samples = [(t, t * t % 97 + 97 * (t // 10)) for t in range(100)]
    whole = increment(samples, (0, 99), False)
    parts = sum(increment([s for s in samples if s[0] <= b], (a, b), False) for a, b in [(0, 7), (7, 50), (50, 99)])
    assert parts == whole
