"""How long a source is left alone after HTTP 429."""

from datetime import UTC, datetime

import pytest

from penstock.metrics.http import LONGEST_PAUSE, PAUSE, pause

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
DATE = "Sat, 21 Nov 2026 12:01:30 GMT"

CASES: dict[str, tuple[dict[str, str], float]] = {
    "seconds": ({"Retry-After": "120"}, 120),
    "a date": ({"Retry-After": DATE}, 90),
    "a date that is over": ({"Retry-After": DATE.replace("2026", "2025")}, 1),
    "Datadog's header": ({"X-RateLimit-Reset": "17"}, 17),
    "both": ({"Retry-After": "5", "X-RateLimit-Reset": "17"}, 5),
    "nothing": ({}, PAUSE),
    "none at all": ({"Retry-After": "0"}, 1),
    "for ever": ({"Retry-After": "9" * 30}, LONGEST_PAUSE),
    "so long that it is infinite": ({"Retry-After": "9" * 400}, LONGEST_PAUSE),
    "negative": ({"Retry-After": "-5"}, PAUSE),
    "not a number": ({"Retry-After": "nan"}, PAUSE),
    "infinite": ({"Retry-After": "inf"}, PAUSE),
    "digits of another script": ({"Retry-After": "\u0661\u0662"}, PAUSE),
    "words": ({"Retry-After": "soon"}, PAUSE),
    "a date that cannot be": ({"Retry-After": "Sat, 99 Nov 2026 12:01:30 GMT"}, PAUSE),
    "a date without a zone": ({"Retry-After": "Sat, 21 Nov 2026 12:01:30 -0000"}, PAUSE),
}


@pytest.mark.parametrize("name", CASES)
def test_it_is_left_alone_for_as_long_as_it_says_within_reason(name: str) -> None:
    headers, wait = CASES[name]
    assert pause(headers, NOW) == wait
