"""Building programs: the key of the cache, two builds at a time, and one that is killed half-way."""

import os
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from cluster import build, gotool, programs
from cluster.errors import ClusterError
from cluster.locks import locked
from cluster.programs import PROGRAMS, Program

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENSTOCK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(gotool, "go_version", lambda: "go1.99.0")


@pytest.fixture
def etcd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """A copy of a real pin that a test may change."""
    shutil.copytree(programs.PINS / "etcd", tmp_path / "pins" / "etcd")
    monkeypatch.setattr(programs, "PINS", tmp_path / "pins")
    return PROGRAMS["etcd"]


def test_the_key_is_stable(etcd: Program) -> None:
    assert build.cache_key(etcd, "go1.26.8") == build.cache_key(etcd, "go1.26.8")


def test_the_key_changes_with_the_compiler(etcd: Program) -> None:
    assert build.cache_key(etcd, "go1.26.8") != build.cache_key(etcd, "go1.27.0")


@pytest.mark.parametrize("name", ["go.mod", "go.sum"])
def test_the_key_changes_with_each_file_of_the_pin(etcd: Program, name: str) -> None:
    before = build.cache_key(etcd, "go1.26.8")
    with (etcd.pin_dir / name).open("a") as pin:
        pin.write("\n")
    assert build.cache_key(etcd, "go1.26.8") != before


def test_the_key_differs_between_programs_of_one_pin() -> None:
    assert build.cache_key(PROGRAMS["kubectl"], "go1.26.8") != build.cache_key(PROGRAMS["kubelet"], "go1.26.8")


@pytest.mark.parametrize("one", PROGRAMS.values(), ids=lambda one: one.name)
def test_every_pin_names_a_version_and_locks_its_content(one: Program) -> None:
    assert one.version.startswith("v")
    assert not one.module or f"{one.module} {one.version} h1:" in (one.pin_dir / "go.sum").read_text()


def test_kubernetes_is_stamped_with_its_version() -> None:
    one = PROGRAMS["kube-apiserver"]
    assert f"-X k8s.io/component-base/version.gitVersion={one.version}" in one.link_flags()
    assert "gitMinor=36" in one.link_flags()


def test_an_unknown_program_is_refused_with_the_list() -> None:
    with pytest.raises(ClusterError, match=r"no program 'kubeadm'; there are: .*kubelet"):
        build.program("kubeadm")


def test_programs_of_one_pin_are_compiled_together_and_once() -> None:
    calls: list[list[str]] = []

    def compile_with(members: list[Program], work: Path) -> None:
        calls.append([one.name for one in members])
        for one in members:
            (work / one.name).write_text("built")

    for _ in range(2):
        found = build.programs(["kubelet", "etcd", "kubectl"], compile_with)
    assert calls == [["etcd"], ["kubelet", "kubectl"]]
    assert {path.read_text() for path in found.values()} == {"built"}


def test_a_failed_build_leaves_nothing_that_looks_built() -> None:
    def compile_with(members: list[Program], work: Path) -> None:
        (work / members[0].name).write_text("half")
        raise ClusterError("no")

    with pytest.raises(ClusterError):
        build.programs(["etcd"], compile_with)
    assert not build.destination(PROGRAMS["etcd"]).exists()


_SLOW = textwrap.dedent(
    """
    import os, sys, time
    from pathlib import Path
    from cluster import build, gotool
    gotool.go_version = lambda: "go1.99.0"
    notes, release = Path(sys.argv[1]), Path(sys.argv[2])
    def slow(members, work):
        target = work / members[0].name
        target.write_text("half")
        with notes.open("a") as log:
            log.write("begun\\n")
        while not release.exists():
            time.sleep(0.01)
        target.write_text("whole")
    print(build.programs(["etcd"], slow)["etcd"].read_text())
    """
)


def slow_build(tmp_path: Path) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", _SLOW, str(tmp_path / "notes"), str(tmp_path / "release")]
    return subprocess.Popen(words, cwd=ROOT, env=dict(os.environ), stdout=subprocess.PIPE, text=True)


def await_begun(tmp_path: Path, times: int) -> None:
    notes = tmp_path / "notes"
    while not notes.exists() or notes.read_text().count("begun") < times:
        pass


def holds_open(pid: int, name: str) -> bool:
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            if str(link.readlink()).endswith(name):
                return True
        except FileNotFoundError:
            continue  # closed while we looked
    return False


def test_of_two_builds_at_a_time_one_compiles_and_both_get_it_whole(tmp_path: Path) -> None:
    (tmp_path / "release").touch()
    with locked("build-etcd"):
        both = [slow_build(tmp_path), slow_build(tmp_path)]
        while not all(holds_open(each.pid, "build-etcd.lock") for each in both):
            pass  # both have found nothing built by now, and stand in the queue
    assert [each.communicate()[0].strip() for each in both] == ["whole", "whole"]
    assert (tmp_path / "notes").read_text().count("begun") == 1


def test_after_a_killed_build_the_next_one_starts_clean(tmp_path: Path) -> None:
    killed = slow_build(tmp_path)
    await_begun(tmp_path, 1)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert not build.destination(PROGRAMS["etcd"]).exists()
    (tmp_path / "release").touch()
    assert slow_build(tmp_path).communicate()[0].strip() == "whole"
    assert not list((tmp_path / "cache" / "bin").glob(".work*"))


def test_versions_of_go_compare_as_numbers() -> None:
    assert gotool.version_numbers("go1.9.3") < gotool.version_numbers("go1.26") < gotool.version_numbers("go1.26.8")
    assert gotool.needed() >= (1, 26, 7)
