"""The process ends when it says so: nothing that kopf still has to do keeps it."""

import subprocess
import sys
from pathlib import Path

STUBBORN = """
import asyncio, sys
from penstock import main

async def linger():
    while True:
        try:
            await asyncio.sleep(1)
        except asyncio.CancelledError:
            pass

async def run(config, kubeconfig):
    asyncio.create_task(linger())
    await asyncio.sleep(0)
    return 3

main.run = run
sys.argv = ["penstock", "--config", sys.argv[1]]
main.main()
"""


def test_a_task_that_does_not_end_does_not_keep_the_process(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("metricSources: {}\n")
    done = subprocess.run([sys.executable, "-c", STUBBORN, str(config)], check=False, timeout=60)
    assert done.returncode == 3
