"""What the operator's image is made of: pinned, listed, looked up, and run by nobody in particular."""

import json
import os
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
PINNED = dict(re.findall(r"^([a-z0-9_.-]+)==([^ ;]+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE))
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def make(target: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = ["make", "-s", target]
    return subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, check=False, capture_output=True, text=True
    )


def test_every_pinned_package_is_in_the_list_and_nothing_else(tmp_path: Path) -> None:
    made = tmp_path / "sbom.json"
    done = make("sbom", SBOM=str(made))
    assert done.returncode == 0, done.stderr
    listed = json.loads(made.read_text())
    assert listed["bomFormat"] == "CycloneDX" and len(PINNED) > 20
    assert {one["name"]: one["version"] for one in listed["components"]} == PINNED


def test_a_scan_that_could_ask_nobody_says_so_and_fails() -> None:
    nowhere = "http://127.0.0.1:9"
    done = make("scan", HTTPS_PROXY=nowhere, https_proxy=nowhere, NO_PROXY="", no_proxy="")
    assert done.returncode != 0
    assert "nothing is shown to be safe" in done.stdout and "No known vulnerabilities" not in done.stdout + done.stderr


def test_the_image_installs_hashes_only_and_keeps_no_installer() -> None:
    assert "--require-hashes --only-binary=:all:" in DOCKERFILE and "pip uninstall --yes pip" in DOCKERFILE
    lock = (ROOT / "requirements.lock").read_text()
    blocks = re.split(r"\n(?=[a-z0-9])", lock)
    assert all("--hash=sha256:" in block for block in blocks if "==" in block.splitlines()[0])


def test_the_image_runs_as_no_privileged_user_on_a_small_base() -> None:
    stages = DOCKERFILE.split("\nFROM ")
    assert re.search(r"^ARG BASE=python:[0-9.]+-slim$", DOCKERFILE, re.MULTILINE)
    words = {line.split()[0] for line in stages[-1].splitlines()[1:] if re.match(r"[A-Z]+ ", line)}
    assert words == {"COPY", "ENV", "USER", "ENTRYPOINT"}, "the last stage runs nothing and fetches nothing"
    assert re.findall(r"^USER (.+)$", DOCKERFILE, re.MULTILINE) == ["65532:65532"]
