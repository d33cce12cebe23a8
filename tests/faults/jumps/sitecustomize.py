"""A machine's clock that somebody sets, for one process: it is ahead by as many seconds as the file `JUMP` says now.

Python imports this before anything else where its folder is on PYTHONPATH. Only what tells the time of day is moved;
the monotonic clock is not, as on a real machine. The file holds one double of native order, see `tests/faults/jump.py`.
"""

import datetime
import mmap
import os
import pathlib
import struct
import time

with pathlib.Path(os.environ["JUMP"]).open("rb") as _file:
    _memory = mmap.mmap(_file.fileno(), 0, access=mmap.ACCESS_READ)
_time, _time_ns = time.time, time.time_ns


def _ahead() -> float:
    found: float = struct.unpack("d", _memory[:8])[0]
    return found


class _Set(datetime.datetime):
    """As the class that it stands for; its instances are made by the same words."""

    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> "_Set":
        return cls.fromtimestamp(time.time(), tz)


time.time = lambda: _time() + _ahead()
time.time_ns = lambda: _time_ns() + round(_ahead() * 1e9)
datetime.datetime = _Set  # type: ignore[misc]
