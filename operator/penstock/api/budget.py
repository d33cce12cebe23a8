"""What a user writes about money, and what status tells of it. Decimal numbers in text, never floats. Shapes only."""

from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import StringConstraints

from penstock.api.fields import Frozen, ShortText, Tolerant, worded

MONEY = r"^[0-9]{1,9}([.][0-9]{1,6})?$"

Money = Annotated[
    str,
    StringConstraints(pattern=MONEY, max_length=16),
    worded(MONEY, 'must be an amount above 0 in quotes, without a currency, such as "12.50"', "self.matches('[1-9]')"),
]


class OnExceed(StrEnum):
    """What a budget does that is not enough."""

    WARN = "Warn"
    REFUSE = "Refuse"


class Budget(Frozen):
    """What the replicas may cost; how much each does is the administrator's to say."""

    per_hour: Money
    """Most for each hour, in the currency of the administrator's prices. Example: "12.50"."""
    on_exceed: OnExceed = OnExceed.WARN
    """Warn: the condition WithinBudget says so. Refuse: no revision gets more replicas than that pays for, and none
    begins that needs more. Default: Warn."""

    @property
    def amount(self) -> Decimal:
        """The most, as a number."""
        return Decimal(self.per_hour)


class Cost(Tolerant):
    """What the replicas cost by the administrator's prices."""

    per_hour: ShortText
    """All replicas of all revisions, for each hour. Example: "3.60"."""
    per_replica: ShortText
    """One replica of the stable revision, for each hour."""
    currency: ShortText = ""
    """As the administrator names it."""
