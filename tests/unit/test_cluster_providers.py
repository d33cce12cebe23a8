"""Choosing a provider, and what each refuses in one line."""

import argparse
from pathlib import Path

import pytest

from cluster import __main__, debian, providers
from cluster.errors import ClusterError
from cluster.providers.current import Current
from cluster.providers.local import Local


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENSTOCK_STATE", str(tmp_path / "state"))


@pytest.mark.parametrize("wanted", ["local", "kind", "current"])
def test_the_environment_decides(monkeypatch: pytest.MonkeyPatch, wanted: str) -> None:
    monkeypatch.setenv("CLUSTER", wanted)
    assert isinstance(providers.get(), providers.PROVIDERS[wanted])  # type: ignore[arg-type]


@pytest.mark.parametrize("answers, chosen", [(True, "Kind"), (False, "Local")])
def test_without_a_word_a_docker_daemon_decides(monkeypatch: pytest.MonkeyPatch, answers: bool, chosen: str) -> None:
    monkeypatch.delenv("CLUSTER", raising=False)
    monkeypatch.setattr(providers, "docker_answers", lambda: answers)
    assert type(providers.get()).__name__ == chosen


def test_an_unknown_provider_is_refused_with_the_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLUSTER", "cloud")
    with pytest.raises(ClusterError, match="CLUSTER=cloud is none of: local kind current"):
        providers.get()


def test_a_bare_control_plane_is_found_whatever_the_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLUSTER", "kind")
    Local("bare").state.mkdir(parents=True)
    assert isinstance(__main__._existing(argparse.Namespace(name="bare")), Local)


def test_a_node_without_root_is_refused_with_the_alternatives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(ClusterError, match=r"a node needs root .*--control-plane.*CLUSTER=kind"):
        Local("one").up()


def test_only_missing_tools_are_asked_for() -> None:
    assert debian.missing_packages({"sh": "dash", "no-such-program": "some-package"}) == ["some-package"]


def test_without_apt_the_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda program: None)
    with pytest.raises(ClusterError, match=r"missing, and no apt-get .*: nftables runc"):
        debian.install(["nftables", "runc"])


def test_images_for_another_cluster_need_a_place_to_push_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IMAGE_PREFIX", raising=False)
    with pytest.raises(ClusterError, match="IMAGE_PREFIX=registry/folder"):
        Current("default").image("penstock.local/mlserver:1")


def test_images_for_another_cluster_are_spelled_as_it_pulls_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGE_PREFIX", "registry.example/team/")
    assert Current("default").image("penstock.local/mlserver:1") == "registry.example/team/mlserver:1"
    assert Local("default").image("penstock.local/mlserver:1") == "penstock.local/mlserver:1"


def test_no_kubeconfig_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    with pytest.raises(ClusterError, match="there is no kubeconfig"):
        Current("default").up()


def test_loading_into_nothing_is_one_line() -> None:
    with pytest.raises(ClusterError, match="there is no cluster 'absent': start it with"):
        Local("absent").load([])


def test_down_of_nothing_is_fine() -> None:
    Local("absent").down()
