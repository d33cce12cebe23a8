"""UTC times as status spells them."""

from datetime import UTC, datetime, timedelta

LONG_AGO = datetime.min.replace(tzinfo=UTC)  # before anything that was asked, said or looked at
LAG = timedelta(seconds=1)  # a metric sample may be stored a little after the time it carries


def spell(at: datetime) -> str:
    """RFC 3339 with microseconds, in UTC."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def read(text: str) -> datetime:
    """The time that `spell` wrote; also without fraction. `ValueError` for anything else."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(UTC)
