"""Starts long-lived programs and stops exactly those again.

A bare pid number is a promise nobody keeps: after a crash or a reboot it may belong to a stranger. Each program
therefore writes its own record (pid, start time, boot) before it becomes the program, and nothing is signalled unless
all three still agree.
"""

import json
import os
import select
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_BOOT = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class Command:
    """What to run, where it writes, and with which environment on top of ours."""

    words: Sequence[str | Path]
    log: Path
    env: Mapping[str, str] | None = None
    stdin: int = subprocess.DEVNULL


def spawn(command: Command, record: Path) -> subprocess.Popen[bytes]:
    """Starts a program in a session of its own; the record exists before the program does."""
    record.parent.mkdir(parents=True, exist_ok=True)
    with command.log.open("ab") as log:
        return subprocess.Popen(
            [str(word) for word in command.words],
            stdin=command.stdin,
            stdout=log,
            stderr=log,
            env={**os.environ, **(command.env or {})},
            start_new_session=True,
            preexec_fn=lambda: record.write_text(describe(os.getpid())),  # noqa: PLW1509 - there are no threads here
        )


def describe(pid: int) -> str:
    """The text of a record for a process that lives now."""
    return json.dumps({"pid": pid, "started": _started(pid), "boot": _BOOT.read_text().strip()})


def living_pid(record: Path) -> int | None:
    """The pid in a record, if the very process that wrote it still runs."""
    try:
        said = json.loads(record.read_text())
        pid = int(said["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    same = said.get("boot") == _BOOT.read_text().strip() and said.get("started") == _started(pid) is not None
    return pid if same else None


def stop(record: Path, grace_seconds: float = 0.0) -> bool:
    """Ends the recorded process and waits until it is gone; False if there was none. A stranger is left alone."""
    pid = living_pid(record)
    if pid is None:
        record.unlink(missing_ok=True)
        return False
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        if living_pid(record) == pid:  # asked again: from here on the descriptor, not the number, names the process
            _end(pidfd, grace_seconds)
    finally:
        os.close(pidfd)
    record.unlink(missing_ok=True)
    return True


def _end(pidfd: int, grace_seconds: float) -> None:
    signals = [(signal.SIGTERM, grace_seconds)] if grace_seconds else []
    for number, seconds in [*signals, (signal.SIGKILL, 10.0)]:
        try:
            signal.pidfd_send_signal(pidfd, number)
        except ProcessLookupError:
            return
        if select.select([pidfd], [], [], seconds)[0]:
            return


def _started(pid: int) -> int | None:
    """Clock ticks after boot at which a process started; None for one that is gone or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in ("Z", "X") else int(fields[19])
