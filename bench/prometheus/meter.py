"""What a process takes of the machine, second by second, as the kernel counts it (/proc; bytes and seconds)."""

import asyncio
import os
import time
from dataclasses import dataclass, field
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")
_UNIT = 1024


@dataclass(frozen=True)
class Reading:
    """A moment: monotonic seconds, resident and anonymous bytes, processor seconds so far."""

    at: float
    resident: int
    anonymous: int
    processor: float


def read(pid: int) -> Reading:
    """Now."""
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
    resident, anonymous = (int(fields[key].split()[0]) * _UNIT for key in ("VmRSS", "RssAnon"))
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return Reading(time.monotonic(), resident, anonymous, (int(after_name[11]) + int(after_name[12])) / _TICK)


def size(folder: Path) -> int:
    """Bytes that a folder takes on disk; files that come and go are no matter."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_blocks * 512 if path.is_file() else 0
        except FileNotFoundError:
            continue
    return total


@dataclass
class Meter:
    """Reads once a second until it is told to stop."""

    pid: int
    readings: list[Reading] = field(default_factory=list)

    async def run(self) -> None:
        """For ever; cancel it."""
        while True:
            self.readings.append(read(self.pid))
            await asyncio.sleep(1.0)

    def between(self, begin: float, end: float) -> dict[str, float]:
        """Peaks and means of a span of monotonic time: MiB, cores."""
        part = [one for one in self.readings if begin <= one.at <= end]
        span = part[-1].at - part[0].at
        return {
            "seconds": round(span, 1),
            "resident MiB, peak": round(max(one.resident for one in part) / (1 << 20), 1),
            "anonymous MiB, peak": round(max(one.anonymous for one in part) / (1 << 20), 1),
            "anonymous MiB, at the end": round(part[-1].anonymous / (1 << 20), 1),
            "cores, mean": round((part[-1].processor - part[0].processor) / span, 3),
        }
