"""The Kubernetes kinds that Penstock reads or writes, as one literal table.

Everything that turns a kind into a URL, a watch or an RBAC rule reads this table; nothing else may name a plural.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """Where a kind lives in the API."""

    group: str
    version: str
    plural: str
    namespaced: bool = True
    optional: bool = False  # a cluster may lack it, or the administrator have it left alone
    dated: bool = False  # its managedFields are read: they say when it was written

    @property
    def api_version(self) -> str:
        """The manifest's `apiVersion`."""
        return f"{self.group}/{self.version}" if self.group else self.version


KINDS: dict[str, Kind] = {
    "ModelDeployment": Kind("penstock.dev", "v1alpha1", "modeldeployments"),
    "ModelRuntime": Kind("penstock.dev", "v1alpha1", "modelruntimes", namespaced=False),
    "ControllerRevision": Kind("apps", "v1", "controllerrevisions"),
    "ConfigMap": Kind("", "v1", "configmaps"),
    "Deployment": Kind("apps", "v1", "deployments"),
    "Service": Kind("", "v1", "services"),
    "EndpointSlice": Kind("discovery.k8s.io", "v1", "endpointslices"),
    "HorizontalPodAutoscaler": Kind("autoscaling", "v2", "horizontalpodautoscalers"),
    "ScaledObject": Kind("keda.sh", "v1alpha1", "scaledobjects", optional=True),
    "PodDisruptionBudget": Kind("policy", "v1", "poddisruptionbudgets"),
    "HTTPRoute": Kind("gateway.networking.k8s.io", "v1", "httproutes", optional=True),
    "GRPCRoute": Kind("gateway.networking.k8s.io", "v1", "grpcroutes", optional=True),
    "VirtualService": Kind("networking.istio.io", "v1", "virtualservices", optional=True, dated=True),
    "ListenerSet": Kind("gateway.networking.k8s.io", "v1", "listenersets", optional=True),
    "SecurityPolicy": Kind("gateway.envoyproxy.io", "v1alpha1", "securitypolicies", optional=True),
    "BackendTrafficPolicy": Kind("gateway.envoyproxy.io", "v1alpha1", "backendtrafficpolicies", optional=True),
    "Certificate": Kind("cert-manager.io", "v1", "certificates", optional=True),
    "NetworkPolicy": Kind("networking.k8s.io", "v1", "networkpolicies", optional=True),
    "EnvoyExtensionPolicy": Kind("gateway.envoyproxy.io", "v1alpha1", "envoyextensionpolicies", optional=True),
    "Pod": Kind("", "v1", "pods"),
    "Node": Kind("", "v1", "nodes", namespaced=False),
    "ResourceQuota": Kind("", "v1", "resourcequotas"),
    "Event": Kind("events.k8s.io", "v1", "events"),
    "Lease": Kind("coordination.k8s.io", "v1", "leases"),
}
