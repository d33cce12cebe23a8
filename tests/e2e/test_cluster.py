"""The local provider on this machine: what it starts works, and whatever happens to it, nothing stays behind.

Needs root and Linux; uses clusters of its own names, so a developer's running cluster is left alone.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster import images, system
from cluster.machine import FORWARDING, LIMITS, NODE_FOLDERS
from cluster.network import Block
from cluster.network import of as block_of
from cluster.paths import state_dir, state_root
from cluster.providers.local import Local

NAME = "e2e-cluster"
ENV = {**os.environ, "CLUSTER": "local"}


def cli(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cluster", *words], env=ENV, check=False, capture_output=True, text=True
    )


def kubectl(*words: str, stdin: str | None = None) -> str:
    command = [
        cli("path", "kubectl").stdout.strip(),
        "--kubeconfig",
        cli("kubeconfig", "--name", NAME).stdout.strip(),
        *words,
    ]
    done = subprocess.run(command, input=stdin, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def traces(name: str, block: Block) -> list[str]:
    """All that a cluster can leave on a machine."""
    state = str(state_dir(name))
    found = [line for line in Path("/proc/self/mounts").read_text().splitlines() if state in line]
    found += [str(path) for path in Path("/sys/class/net").glob(f"{block.bridge}*")]
    for group in (f"penstock-{block.index}", f"penstock-{block.index}-guests"):
        found += [str(path) for tree in ("*/", "") for path in Path("/sys/fs/cgroup").glob(tree + group)]
    tables = subprocess.run(["nft", "list", "tables"], check=False, capture_output=True, text=True).stdout
    found += [line for line in tables.splitlines() if line.endswith(f"penstock-{block.index}")]
    routes = subprocess.run(["ip", "route"], check=False, capture_output=True, text=True).stdout
    found += [
        line for line in routes.splitlines() if block.pods in line or block.services in line or block.link in line
    ]
    found += [f"process {pid}: {words}" for pid, words in processes().items() if state in words]
    return found + ([state] if Path(state).exists() else [])


def processes() -> dict[int, str]:
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
    return found


def machine() -> dict[str, object]:
    """What a cluster changes on the machine besides what bears its name; what others still owe counts as given back."""
    owed = [json.loads(path.read_text()) for path in state_root().glob("*/machine.json")]
    settings = {str(path): int(path.read_text()) for path in (*FORWARDING, *LIMITS)}
    folders = {str(place): place.exists() for place in NODE_FOLDERS}
    for said in owed:
        settings |= said["settings"]
        folders |= dict.fromkeys(said["folders"], False)
    return {"settings": settings, "folders": folders}


@pytest.fixture(scope="module")
def before() -> dict[str, object]:
    cli("down", "--name", NAME)
    return machine()


@pytest.fixture(scope="module")
def block(before: dict[str, object]) -> Iterator[Block]:
    done = cli("up", "--name", NAME)
    assert done.returncode == 0, done.stderr
    block = block_of(state_dir(NAME))
    assert block is not None
    yield block
    assert cli("down", "--name", NAME).returncode == 0
    assert traces(NAME, block) == []
    assert machine() == before


def test_a_restricted_pod_runs_and_finds_names_services_and_its_model(block: Block, tmp_path: Path) -> None:
    model = tmp_path / "weights"
    model.write_text("42")
    # CoreDNS itself is the workload: a static program that is there anyway and answers HTTP on /health.
    Local(NAME).load(
        [*system.archives(("coredns",)), images.from_files("penstock.local/e2e-model:1", {"/m/weights": model})]
    )
    kubectl("apply", "-f", "-", stdin=json.dumps(workload(Local(NAME))))
    kubectl("-n", "probe", "rollout", "status", "deployment/probe", "--timeout=60s")
    address = kubectl("-n", "probe", "get", "service", "probe", "-o", "jsonpath={.spec.clusterIP}")
    answer = subprocess.run(
        ["curl", "-sf", "-m", "5", f"http://{address}/health"], check=False, capture_output=True, text=True
    )
    assert answer.stdout == "OK"
    pid = next(pid for pid, words in processes().items() if "/etc/probe/Corefile" in words)
    assert (Path(f"/proc/{pid}/root/mnt/models/m/weights")).read_text() == "42"
    assert lookup(block.dns_address, "probe.probe.svc.cluster.local") == address


def workload(cluster: Local) -> dict[str, object]:
    labels = {"app": "probe"}
    container = {
        "name": "probe",
        "image": "penstock.local/coredns:" + system.version("coredns"),
        "args": ["-conf", "/etc/probe/Corefile"],
        "readinessProbe": {"httpGet": {"path": "/health", "port": 8080}, "periodSeconds": 1},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "config", "mountPath": "/etc/probe"}, {"name": "model", "mountPath": "/mnt/models"}],
    }
    volumes = [
        {"name": "config", "configMap": {"name": "probe"}},
        {"name": "model", "image": {"reference": "penstock.local/e2e-model:1"}},
    ]
    security = {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}}
    template = {
        "metadata": {"labels": labels},
        "spec": {"containers": [container], "volumes": volumes, "securityContext": security},
    }
    place = {"name": "probe", "namespace": "probe"}
    restricted = {"name": "probe", "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}
    items = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": restricted},
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": place,
            "data": {"Corefile": ".:5353 {\n health :8080\n}\n"},
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": place,
            "spec": {"selector": {"matchLabels": labels}, "template": template},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": place,
            "spec": {"selector": labels, "ports": [{"port": 80, "targetPort": 8080}]},
        },
    ]
    return {"apiVersion": "v1", "kind": "List", "items": items}


def lookup(server: str, name: str) -> str:
    """Asks a name server one question, as a pod would."""
    question = b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0\0\x01\0\x01"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(5)
        client.sendto(b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0" + question, (server, 53))
        answer = client.recv(512)
    assert answer[7] >= 1, "no answer in the reply"
    return ".".join(str(byte) for byte in answer[-4:])


def test_a_missing_image_fails_at_once_and_asks_nobody(block: Block) -> None:
    kubectl("create", "deployment", "absent", "--image=registry.example/absent:1")
    began = time.monotonic()
    while "connection refused" not in kubectl("get", "events", "--field-selector", "reason=Failed"):
        assert time.monotonic() - began < 20
    kubectl("delete", "deployment", "absent")


def test_metrics_of_pods_are_served(block: Block) -> None:
    began = time.monotonic()
    while not json.loads(kubectl("get", "--raw", "/apis/metrics.k8s.io/v1beta1/namespaces/kube-system/pods"))["items"]:
        assert time.monotonic() - began < 60


def test_up_again_changes_nothing(block: Block) -> None:
    running = cli("status", "--name", NAME).stdout
    assert cli("up", "--name", NAME).returncode == 0
    assert cli("status", "--name", NAME).stdout == running


@pytest.fixture
def guest(block: Block) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is none of the cluster's, but was invited."""
    with subprocess.Popen(["sleep", "600"]) as process:
        Local(NAME).invite(process.pid)
        yield process
        process.kill()


def is_invited(guest: subprocess.Popen[bytes], block: Block) -> bool:
    return f"/penstock-{block.index}-guests" in Path(f"/proc/{guest.pid}/cgroup").read_text()


def test_a_killed_cluster_comes_up_again_and_its_guests_live(block: Block, guest: subprocess.Popen[bytes]) -> None:
    assert is_invited(guest, block)
    ours = [pid for pid, words in processes().items() if str(state_dir(NAME)) in words]
    assert len(ours) > 6
    for pid in ours:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue  # the node's went with its first process
    done = cli("up", "--name", NAME)
    assert done.returncode == 0, done.stderr
    assert "starting over" in done.stderr
    assert f"{NAME}-node" in kubectl("get", "nodes")
    assert guest.poll() is None and not is_invited(guest, block)


def test_an_interrupted_start_is_cleaned_up(before: dict[str, object]) -> None:
    name = f"{NAME}-cut"
    starting = subprocess.Popen(
        [sys.executable, "-m", "cluster", "up", "--name", name], env=ENV, stderr=subprocess.PIPE, text=True
    )
    assert starting.stderr is not None
    for line in starting.stderr:
        if "node: namespaces" in line:
            break
    starting.kill()
    starting.wait()
    block = block_of(state_dir(name))
    assert block is not None
    assert len(traces(name, block)) > 3
    assert cli("down", "--name", name).returncode == 0
    assert traces(name, block) == []
