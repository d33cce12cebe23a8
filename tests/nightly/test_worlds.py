"""The machine in every small world; each time only one in seven is decided."""

import pytest

from tests.unit.families import FAMILIES
from tests.unit.test_decide import explore


@pytest.mark.parametrize("family", FAMILIES)
def test_each_small_world_is_decided_by_the_rules(family: str) -> None:
    explore(family, 1)
