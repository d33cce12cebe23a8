"""Whose fault a failed answer is, in the stories that are told on a real cluster."""

import pytest

from examples.demo.records import Answer
from tests.e2e.stories.crowd import strange


@pytest.mark.parametrize(
    ("what", "status", "times", "is_strange"),
    [
        ("the bad model's own", 500, (10.0, 0.01), False),
        ("a connection that it closed after its 500", 503, (10.11, 0.01), False),
        ("sent just before the client had read the 500", 503, (10.08, 0.01), False),
        ("under way for long, when the 500 came", 503, (9.4, 0.8), False),
        ("over before the 500 came", 503, (9.4, 0.6), True),
        ("no upstream, long after", 503, (12.0, 0.01), True),
        ("no upstream, before any 500", 503, (8.0, 0.01), True),
        ("no route", 404, (10.11, 0.01), True),
        ("no answer", 0, (10.11, 0.01), True),
    ],
)
def test_only_the_bad_models_server_may_let_a_request_fail(
    what: str, status: int, times: tuple[float, float], is_strange: bool
) -> None:
    answers = [Answer(9.0, 0.1, 200, "v1", True), Answer(10.0, 0.1, 500, "", False)]
    assert bool(strange([*answers, Answer(*times, status, "", False)])) == is_strange, what
