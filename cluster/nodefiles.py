"""What the programs on the node read: configuration rendered from the cluster's numbers.

Pure text from values; every path is inside the cluster's state folder, because other container runtimes on the machine
use the default ones.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster.images.recipe import ref
from cluster.network import Block

PAUSE_TAG = "1"
PAUSE_IMAGE = ref("pause", PAUSE_TAG)


@dataclass(frozen=True)
class NodeFacts:
    """What configuration depends on besides the cluster's block."""

    state: Path
    block: Block
    cgroup: str
    runc: Path
    may_lower_oom_score: bool
    snapshotter: str

    @property
    def folder(self) -> Path:
        """All that the node reads and writes."""
        return self.state / "node"

    @property
    def socket(self) -> Path:
        """Where containerd listens."""
        return self.folder / "containerd.sock"


def render(facts: NodeFacts) -> dict[str, str]:
    """Relative path in the node folder -> content."""
    return {
        "containerd.toml": containerd(facts),
        "certs.d/_default/hosts.toml": NO_REGISTRY,
        "cni/10-penstock.conflist": json.dumps(network(facts), indent=1),
        "kubelet.json": json.dumps(kubelet(facts), indent=1),
        "kube-proxy.json": json.dumps(proxy(facts), indent=1),
    }


# Every image is loaded by us. A missing one must fail at once, not after a minute of asking the internet.
NO_REGISTRY = """server = "http://127.0.0.1:1"
[host."http://127.0.0.1:1"]
  capabilities = ["pull", "resolve"]
"""


def containerd(facts: NodeFacts) -> str:
    """The file of containerd."""
    return f"""version = 3
root = "{facts.folder}/containerd"
state = "/run/containerd"
[grpc]
  address = "{facts.socket}"
[plugins.'io.containerd.cri.v1.images']
  snapshotter = "{facts.snapshotter}"
  [plugins.'io.containerd.cri.v1.images'.pinned_images]
    sandbox = "{PAUSE_IMAGE}"
  [plugins.'io.containerd.cri.v1.images'.registry]
    config_path = "{facts.folder}/certs.d"
[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = {"false" if facts.may_lower_oom_score else "true"}
  [plugins.'io.containerd.cri.v1.runtime'.cni]
    bin_dirs = ["{facts.folder}/cni-bin"]
    conf_dir = "{facts.folder}/cni"
  [plugins.'io.containerd.cri.v1.runtime'.containerd]
    default_runtime_name = "runc"
    [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
        BinaryName = "{facts.runc}"
        SystemdCgroup = false
"""


def network(facts: NodeFacts) -> dict[str, Any]:
    """The pods' network: each pod hangs on the node by a wire of its own (ptp), not on a bridge.

    A bridge lets answers from a Service's backend on the same node return unseen by the address translation, unless a
    kernel module is loaded that not every machine has.
    """
    addresses = {
        "type": "host-local",
        "dataDir": "/run/penstock-addresses",
        "ranges": [[{"subnet": facts.block.pods}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    return {
        "cniVersion": "1.0.0",
        "name": "penstock",
        "plugins": [{"type": "ptp", "ipMasq": False, "mtu": 1500, "ipam": addresses}],
    }


def kubelet(facts: NodeFacts) -> dict[str, Any]:
    """KubeletConfiguration."""
    pki = facts.state / "pki"
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "containerRuntimeEndpoint": f"unix://{facts.socket}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{facts.cgroup}",
        "failCgroupV1": False,
        "failSwapOn": False,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": f"{pki}/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": f"{pki}/kubelet-server.crt",
        "tlsPrivateKeyFile": f"{pki}/kubelet-server.key",
        "clusterDomain": "cluster.local",
        "clusterDNS": [facts.block.dns_address],
        "resolvConf": f"{facts.folder}/resolv.conf",
        "volumePluginDir": f"{facts.folder}/volume-plugins",
        "podLogsDir": f"{facts.state}/log/pods",
        "maxPods": 200,
        "nodeStatusUpdateFrequency": "10s",
        "nodeStatusReportFrequency": "10s",
        "serializeImagePulls": False,
        "makeIPTablesUtilChains": False,
        "oomScoreAdj": 0,
        "enableProfilingHandler": False,
        # A developer's nearly full disk is no reason to throw the demonstration's pods or images away.
        "evictionHard": {
            "memory.available": "100Mi",
            "nodefs.available": "0%",
            "nodefs.inodesFree": "0%",
            "imagefs.available": "0%",
        },
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
    }


def proxy(facts: NodeFacts) -> dict[str, Any]:
    """KubeProxyConfiguration."""
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "clusterCIDR": facts.block.pods,
        "detectLocalMode": "ClusterCIDR",
        "clientConnection": {"kubeconfig": f"{facts.state}/pki/proxy.kubeconfig", "qps": 50, "burst": 100},
        "nftables": {"minSyncPeriod": "100ms", "syncPeriod": "30s"},
        # Zero leaves the kernel's own values: they may not be writable here.
        "conntrack": {"maxPerCore": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
    }
