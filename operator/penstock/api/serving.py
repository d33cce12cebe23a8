"""What a user writes about the model and its pods; all of it makes the revision's name.

Shapes and cross-field rules only. A field is listed here when it acts, not before.
"""

from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from penstock.api.fields import (
    PERIOD,
    Frozen,
    Image,
    Name,
    ObjectName,
    Quantity,
    ShortText,
    cel,
    list_map,
    rules,
    worded,
)
from penstock.api.warmup import Warmup

_ENV = r"^[A-Za-z_][A-Za-z0-9_]*$"
_FOLDER = r"^(/[-._A-Za-z0-9]+)+$"


class Model(Frozen):
    """The model to serve."""

    version: Annotated[str, StringConstraints(min_length=1, max_length=63)]
    """Label for people, shown by kubectl get. A new value is a new revision. Example: "7"."""
    format: Name
    """Format of the model files; picks a ModelRuntime that lists it, unless `runtime` names one. Example: sklearn."""
    uri: Annotated[
        str | None,
        StringConstraints(max_length=512),
        Field(
            json_schema_extra=rules(
                cel(
                    "self.matches('^oci://[a-z0-9][-._a-z0-9]*(:[0-9]+)?(/[-._a-z0-9]+)+(:[-._A-Za-z0-9]+)?(@sha256:[0-9a-f]{64})?$')"
                    " || self.matches('^pvc://[a-z0-9]([-.a-z0-9]*[a-z0-9])?(/[-._A-Za-z0-9]+)*$')"
                    " && !self.matches('/[.][.]?(/|$)')",
                    "uri must be oci://registry/repository:tag (an image that holds the model files; lower case up to the tag)"
                    " or pvc://claim/path (a PersistentVolumeClaim in the same namespace; no . or .. in the path)",
                )
            )
        ),
    ] = None
    """Where the model files are: oci://registry/repository:tag mounts an image, pvc://claim/path a volume claim of the
    same namespace; both read-only. Default: the model is inside the server's image. Example: oci://registry.corp/churn:7."""


class EnvVar(Frozen):
    """One environment variable with a literal value."""

    name: Annotated[
        str,
        StringConstraints(pattern=_ENV, max_length=128),
        worded(_ENV, "must be the name of an environment variable, such as LOG_LEVEL: only letters, digits and _"),
    ]
    """Name of the variable. Example: LOG_LEVEL."""
    value: Annotated[str, StringConstraints(max_length=4096)] = ""
    """Its literal value. Default: empty."""


class Resources(Frozen):
    """Compute resources of the server container, as in a Pod."""

    requests: Annotated[dict[str, Quantity], Field(max_length=8)] = {}
    """What the scheduler reserves, by resource name. Default: the runtime's. Example: {cpu: 500m, memory: 1Gi}."""
    limits: Annotated[dict[str, Quantity], Field(max_length=8)] = {}
    """What the container may not exceed, by resource name. Default: the runtime's. Example: {memory: 1Gi}."""


class ConfigMapMount(Frozen):
    """A ConfigMap of the same namespace that carries the label penstock.dev/config, mounted read-only."""

    name: ObjectName
    """Name of the ConfigMap. Example: churn-config."""
    mount_path: Annotated[
        str,
        StringConstraints(pattern=_FOLDER, max_length=256),
        worded(
            _FOLDER,
            "must be the absolute path of a folder such as /etc/churn: no . or .. part, not below /dev, /proc, /sys or /tmp",
            "!self.matches('/[.][.]?(/|$)|^/(dev|proc|sys|tmp)(/|$)')",
        ),
    ]
    """Folder in which the server finds each key as a file. Example: /etc/churn."""


class Server(Frozen):
    """Overrides for the runtime's server container."""

    image: Image | None = None
    """Container image. Default: the runtime's. Example: registry.corp/mlserver:1.7.1."""
    args: Annotated[list[Annotated[str, StringConstraints(max_length=1024)]], Field(max_length=64)] | None = None
    """Arguments of the server; {{model.path}}, {{model.name}} and {{model.version}} are filled in. Default: the runtime's."""
    env: Annotated[list[EnvVar], Field(max_length=64, json_schema_extra=list_map("name"))] = []
    """Environment variables, added to the runtime's; the same name overrides. Default: none."""
    config_maps: Annotated[
        list[ConfigMapMount],
        Field(
            max_length=8,
            json_schema_extra=list_map("name")
            | rules(
                cel(
                    "self.all(i, self.all(j, i.name == j.name || !(i.mountPath + '/').startsWith(j.mountPath + '/')))",
                    "one mountPath lies in another: give each ConfigMap a folder of its own",
                )
            ),
        ),
    ] = []
    """ConfigMaps whose content belongs to the revision: an edit is a new revision that takes over like any other, and
    going back brings the old content back. Default: none. Example: [{name: churn-config, mountPath: /etc/churn}]."""
    resources: Resources | None = None
    """Compute resources. Default: the runtime's."""
    warmup: Warmup | None = None
    """The request that the model must have answered before a pod is ready, instead of the runtime's. Default: the
    runtime's. Example: {request: Custom, custom: {path: /predict, body: "[0, 0]"}}."""


class Toleration(Frozen):
    """A node taint that the pods tolerate, as in a Pod."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            cel(
                "has(self.key) || has(self.operator) && self.operator == 'Exists'",
                "without key only operator: Exists makes sense, which tolerates every taint",
            ),
            cel("!has(self.value) || !has(self.operator) || self.operator == 'Equal'", "value needs operator: Equal"),
        )
    )

    key: ShortText | None = None
    """Taint key. Default: all keys, with operator Exists. Example: nvidia.com/gpu."""
    operator: Annotated[str, Field(json_schema_extra={"enum": ["Exists", "Equal"]})] = "Equal"
    """How the value is compared: Exists or Equal."""
    value: ShortText | None = None
    """Taint value for operator Equal."""
    effect: Annotated[
        str | None, Field(json_schema_extra={"enum": ["NoSchedule", "PreferNoSchedule", "NoExecute"]})
    ] = None
    """Taint effect. Default: all effects."""


class LocalReference(Frozen):
    """An object in the same namespace."""

    name: ObjectName
    """Name of the object. Example: registry-login."""


DrainTimeout = Annotated[
    str,
    StringConstraints(pattern=PERIOD, max_length=24),
    worded(
        PERIOD,
        "must be a duration from 1s to 24h, in whole seconds, such as 90s or 10m",
        "self.matches('[1-9]')",
        "duration(self) <= duration('24h')",
    ),
]


class Pod(Frozen):
    """The few fields of the pod that a user may set; all else is the runtime's and the platform's."""

    node_selector: Annotated[dict[str, ShortText], Field(max_length=16)] = {}
    """Labels that a node must carry. Default: none. Example: {gpu: a100}."""
    tolerations: Annotated[list[Toleration], Field(max_length=16)] = []
    """Node taints that the pods tolerate. Default: none."""
    service_account_name: ObjectName | None = None
    """ServiceAccount of the pods, without its API token. Default: the namespace's default."""
    image_pull_secrets: Annotated[list[LocalReference], Field(max_length=8, json_schema_extra=list_map("name"))] = []
    """Secrets for pulling images. Default: none."""
    priority_class_name: ObjectName | None = None
    """PriorityClass of the pods. Default: none."""
    drain_timeout: DrainTimeout | None = None
    """Longest time that requests in flight may take to end when their pod leaves, long streams too; the pod goes when
    its server has ended, at the latest then. Default: the runtime's shutdownSeconds. Example: 10m."""
