"""The operator's process as a pod has it: started anew under the same name whenever it ends, until it is stopped.

A container that is started anew in its pod keeps the pod's name, and so the Lease: nobody waits for that to expire.
"""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from tests.integration.operator_process import Command, make_command

START = 60.0
Settings = tuple[str, dict[str, object]]  # the namespace that its pod would be in, and what its configuration says


class Operator:
    """One process at a time. Its log and configuration are in `folder`."""

    def __init__(self, folder: Path, settings: Settings, kubeconfig: Path, source: str) -> None:
        self.log = folder / "log.jsonl"
        self.starts: list[float] = []  # seconds of the monotonic clock
        self.codes: list[int] = []  # exit codes, of those that ended
        namespace, told = settings
        self._made: Command = make_command(folder, kubeconfig, told, source)
        self.environment = self._made.environment | {"POD_NAMESPACE": namespace, "POD_NAME": folder.name}
        self._process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None
        self.port = self._made.port

    @asynccontextmanager
    async def up(self) -> AsyncIterator[None]:
        """It runs and has read the whole cluster; stopped afterwards."""
        self.run()
        try:
            await self.synchronised(1)
            yield
        finally:
            await self.stop()

    def run(self) -> None:
        """Start it, and again whenever it ends."""
        self._keeper = asyncio.create_task(self._keep())

    async def synchronised(self, times: int) -> None:
        """Return once this many processes of it have read the whole cluster; its log is the only place that says so."""
        end = time.monotonic() + START
        while (found := self.said("synchronised")) < times:
            assert time.monotonic() < end, f"{found} of {times} came up:\n{self.log.read_text()[-4000:]}"
            await asyncio.sleep(0.1)  # polls a file; what is awaited is the line, not the time

    def said(self, message: str) -> int:
        """How often its log says this, as a word in quotes."""
        return self.log.read_text().count(f'"{message}"') if self.log.exists() else 0

    def signal(self, number: int = signal.SIGKILL) -> None:
        """To the process that runs now; where it has just ended, to nobody."""
        if self._process and self._process.returncode is None:
            self._process.send_signal(number)

    def kill(self) -> None:
        """kill -9."""
        self.signal()

    async def stop(self) -> None:
        """By SIGTERM, and no more after it."""
        assert self._keeper
        self._keeper.cancel()
        await asyncio.wait([self._keeper])
        if self._process and self._process.returncode is None:
            self._process.send_signal(signal.SIGCONT)
            self._process.terminate()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), 20)
            assert self._process.returncode is not None, f"it does not end:\n{self.log.read_text()[-4000:]}"
            self.codes.append(self._process.returncode)

    async def _keep(self) -> None:
        with self.log.open("ab") as out:
            while True:
                self.starts.append(time.monotonic())
                self._process = await asyncio.create_subprocess_exec(
                    *self._made.words, stdout=out, stderr=out, env=self.environment
                )
                self.codes.append(await self._process.wait())
