"""`replace` gives what that of dataclasses gives, for each kind of value there is."""

import dataclasses
from dataclasses import dataclass, field

import pytest

from penstock.model.copying import replace


@dataclass(frozen=True)
class Plain:
    a: int
    b: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Slotted:
    a: int
    b: list[int] = field(default_factory=list)


@dataclass
class Derived:
    a: int
    b: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.double = 2 * self.a


@pytest.mark.parametrize("value", [Plain(1, [1]), Slotted(1, [1]), Derived(1, [1])])
def test_it_is_a_copy_with_the_changes_and_the_old_one_stays(value: Plain | Slotted | Derived) -> None:
    made = replace(value, a=5)
    assert made == dataclasses.replace(value, a=5) and type(made) is type(value)
    assert made.b is value.b and value.a == 1
    assert not isinstance(made, Derived) or made.double == 10


def test_a_frozen_one_stays_frozen() -> None:
    made = replace(Plain(1), a=2)
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.a = 3  # type: ignore[misc]
    assert hash(replace(Plain(1, b=()), a=2)) == hash(Plain(2, b=()))  # type: ignore[arg-type]
