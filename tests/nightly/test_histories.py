"""A hundred thousand random stories; how many, and from which seed, may be said in the environment."""

import os

from tests.sim import many

STORIES = int(os.environ.get("PENSTOCK_STORIES", "100000"))
FIRST = int(os.environ.get("PENSTOCK_SEED", "1000000"))


def test_no_law_is_broken_in_a_hundred_thousand_random_stories() -> None:
    tally = many.tell(FIRST, STORIES)
    assert tally.stories == STORIES
    assert not tally.complaints, many.report(tally)
