"""The node's files and the machine's state around it: what is rendered, claimed, and given back."""

import json
import tomllib
from pathlib import Path

import pytest

from cluster import cgroups, machine, network, node, nodefiles, wire
from cluster.errors import ClusterError
from cluster.network import Block
from cluster.paths import state_dir


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENSTOCK_STATE", str(tmp_path / "state"))


def facts(**changed: object) -> nodefiles.NodeFacts:
    values: dict[str, object] = {
        "state": Path("/state/one"),
        "block": Block(7),
        "cgroup": "penstock-7",
        "runc": Path("/usr/sbin/runc"),
        "may_lower_oom_score": True,
        "snapshotter": "overlayfs",
    }
    return nodefiles.NodeFacts(**{**values, **changed})  # type: ignore[arg-type]


def test_every_path_of_containerd_is_the_clusters_own() -> None:
    said = tomllib.loads(nodefiles.containerd(facts()))
    assert said["root"].startswith("/state/one/")
    assert said["grpc"]["address"] == "/state/one/node/containerd.sock"
    runtime = said["plugins"]["io.containerd.cri.v1.runtime"]
    assert runtime["cni"] == {"bin_dirs": ["/state/one/node/cni-bin"], "conf_dir": "/state/one/node/cni"}


@pytest.mark.parametrize("may", [True, False])
def test_scores_are_restricted_only_where_they_cannot_be_lowered(may: bool) -> None:
    said = tomllib.loads(nodefiles.containerd(facts(may_lower_oom_score=may)))
    assert said["plugins"]["io.containerd.cri.v1.runtime"]["restrict_oom_score_adj"] is not may


def test_a_pull_goes_to_nobody() -> None:
    said = tomllib.loads(nodefiles.NO_REGISTRY)
    assert [said["server"], *said["host"]] == ["http://127.0.0.1:1", "http://127.0.0.1:1"]


def test_the_kubelet_works_below_our_control_group_on_both_versions() -> None:
    said = nodefiles.kubelet(facts())
    assert (said["cgroupRoot"], said["cgroupDriver"], said["failCgroupV1"]) == ("/penstock-7", "cgroupfs", False)
    assert said["clusterDNS"] == ["10.215.7.10"]


def test_all_files_are_parseable() -> None:
    rendered = nodefiles.render(facts())
    for name, text in rendered.items():
        assert tomllib.loads(text) if name.endswith(".toml") else json.loads(text)


def test_pods_are_translated_only_on_their_way_out() -> None:
    assert 'ip saddr { 10.214.7.0/24, 10.213.7.0/24 } oifname != "penstock7" masquerade' in wire.outside_rules(Block(7))


def test_a_device_name_fits_the_kernel() -> None:
    assert len(f"{Block(249).bridge}w") <= 15


def test_name_servers_on_loopback_are_not_for_pods() -> None:
    text = "search example\nnameserver 127.0.0.53\nnameserver\t127.0.0.1\nnameserver 192.0.2.1\nnameserver ::1\n"
    assert node.resolvers(text) == "search example\nnameserver 192.0.2.1\n"


def test_a_cluster_keeps_its_block_and_two_have_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zlib.crc32", lambda _: 99)  # both begin to look at the same one
    one, two = network.claim(state_dir("one")), network.claim(state_dir("two"))
    assert one != two
    assert network.claim(state_dir("one")) == one == network.of(state_dir("one"))


@pytest.mark.parametrize(
    "route, clash", [("10.214.0.0/16", True), ("10.213.7.9", True), ("10.214.8.0/24", False), ("192.0.2.0/24", False)]
)
def test_a_block_that_a_route_leads_into_is_taken(route: str, clash: bool) -> None:
    assert network.overlaps(Block(7), [route]) is clash


def test_ports_of_blocks_do_not_meet_and_stay_below_the_kernels_own() -> None:
    ports = [
        Block(index).port(name)
        for index in range(250)
        for name in ("api", "etcd", "etcd-peer", "controller-manager", "scheduler", "kwok")
    ]
    assert len(ports) == len(set(ports))
    assert max(ports) < 32768


@pytest.mark.parametrize("name", ["", "..", "a/b", "A", "-a", "a" * 33])
def test_a_name_that_is_no_folder_of_ours_is_refused(name: str) -> None:
    with pytest.raises(ClusterError, match="cannot name a cluster"):
        state_dir(name)


def test_a_group_of_version_2_gets_its_controllers_and_a_leaf(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").write_text("cpu memory pids\n")
    assert cgroups.create("penstock-7", tmp_path) == [tmp_path / "penstock-7" / "control" / "cgroup.procs"]
    assert (tmp_path / "cgroup.subtree_control").read_text() == "+cpu +memory +pids"


def test_a_group_of_version_1_is_in_every_hierarchy(tmp_path: Path) -> None:
    for hierarchy in ("cpu", "memory", "pids", "unified"):
        (tmp_path / hierarchy).mkdir()
    (tmp_path / "cpuacct").symlink_to("cpu")
    joinable = cgroups.create("penstock-7", tmp_path)
    assert {str(file.relative_to(tmp_path)) for file in joinable} == {
        "cpu/penstock-7/control/cgroup.procs",
        "pids/penstock-7/control/cgroup.procs",
    }
    assert {path.parent.name for path in tmp_path.glob("*/penstock-7")} == {
        "cpu",
        "cpuacct",
        "memory",
        "pids",
        "unified",
    }
    cgroups.destroy("penstock-7", tmp_path)
    assert not list(tmp_path.glob("*/penstock-7"))


@pytest.mark.parametrize(
    ("tree", "knob", "weight"), [("cpu/penstock-7", "cpu.shares", "16384"), ("penstock-7", "cpu.weight", "1000")]
)
def test_control_plane_and_guests_weigh_more_than_the_pods_beside_them(
    tmp_path: Path, tree: str, knob: str, weight: str
) -> None:
    if knob == "cpu.weight":
        (tmp_path / "cgroup.controllers").touch()
    for group, join in ((f"{tree}/control", cgroups.shelter), (f"{tree}-guests", cgroups.invite)):
        folder = tmp_path / group
        folder.mkdir(parents=True)
        (folder / knob).write_text("as it was")
        join("penstock-7", [41, 42], tmp_path)
        assert (folder / knob).read_text() == weight
        assert (folder / "cgroup.procs").read_text() == "42", "the kernel keeps each that is written"


def test_a_machine_without_control_groups_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ClusterError, match="control groups cannot be made"):
        cgroups.create("penstock-7", tmp_path / "file")


@pytest.fixture
def limit(tmp_path: Path) -> Path:
    path = tmp_path / "limit"
    path.write_text("128\n")
    return path


def made(name: str) -> Path:
    folder = state_dir(name)
    folder.mkdir(parents=True)
    return folder


def test_what_was_changed_on_the_machine_is_put_back(tmp_path: Path, limit: Path) -> None:
    state, place = made("one"), tmp_path / "place"
    machine.prepare(state, (place,), {limit: 4096})
    assert (limit.read_text(), place.is_dir()) == ("4096", True)
    machine.restore(state)
    assert (limit.read_text(), place.exists()) == ("128", False)


def test_a_setting_that_is_high_enough_is_not_touched(limit: Path) -> None:
    machine.prepare(made("one"), (), {limit: 64})
    assert limit.read_text() == "128\n"


def test_the_last_cluster_to_go_puts_back_what_the_first_one_changed(tmp_path: Path, limit: Path) -> None:
    one, two, place = made("one"), made("two"), tmp_path / "place"
    machine.prepare(one, (place,), {limit: 4096})
    machine.prepare(two, (place,), {limit: 4096})
    machine.restore(one)
    assert (limit.read_text(), place.is_dir()) == ("4096", True)
    machine.restore(two)
    assert (limit.read_text(), place.exists()) == ("128", False)


def test_a_folder_that_somebody_uses_meanwhile_stays(tmp_path: Path) -> None:
    state, place = made("one"), tmp_path / "place"
    machine.prepare(state, (place,), {})
    (place / "theirs").touch()
    machine.restore(state)
    assert (place / "theirs").exists()
