"""The clock of an operator's machine, to be set by a test while the process runs."""

import struct
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
JUMPS = Path(__file__).with_name("jumps")


@dataclass(frozen=True)
class Jump:
    """One machine's clock. `file` is read by every process that is started with `environment`."""

    file: Path

    @classmethod
    def make(cls, folder: Path, seconds: float = 0.0) -> "Jump":
        """A clock that is so far ahead."""
        made = cls(folder / "jump")
        made.file.write_bytes(struct.pack("d", seconds))
        return made

    def set(self, seconds: float) -> None:
        """It is ahead by so many seconds from now on; negative: behind. In place, as the file is mapped."""
        with self.file.open("r+b") as out:
            out.write(struct.pack("d", seconds))

    @property
    def environment(self) -> dict[str, str]:
        """Of a process on that machine."""
        return {"PYTHONPATH": f"{JUMPS}:{ROOT / 'operator'}", "JUMP": str(self.file)}
