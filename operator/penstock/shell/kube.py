"""The only door to a Kubernetes API: verbs on plain dicts, each answered by an object or by one of the three faults.

It must not decide, retry, cache or log: the queue retries, the loop decides. Every write passes the fence at the last
moment before it is sent, so that a process that lost its lease writes nothing more. Requests wait for a free
connection here and not inside the client, because a write that waits there could no longer be stopped.
"""

import asyncio
import json
import os
import re
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import quote, urlencode

import aiohttp
from kubernetes.aio import config
from kubernetes.aio.client.api_client import ApiClient
from kubernetes.aio.client.configuration import Configuration

from penstock.model.faults import Retry
from penstock.model.kinds import KINDS
from penstock.shell.answers import DEFAULT_WAIT, cut, fault_of

Object = dict[str, Any]
Answer = tuple[int, Mapping[str, str], bytes]
Fence = Callable[[], None]
OnRequest = Callable[[str, str, int, float], None]
OnDate = Callable[[str, float], None]  # what an answer says of the time, and when it was asked for

FIELD_MANAGER = "penstock"
PAGE = 100  # objects in a chunk of a listing; of smaller ones an API server makes a third less in a second
RELISTS = 3
TIMEOUT = aiohttp.ClientTimeout(total=10, sock_connect=5)
APPLY = "application/apply-patch+yaml; charset=utf-8"  # without the charset the client would spell the text itself
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
JSON = "application/json"
_NOT_IN_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


class Page(list[Object]):
    """The objects in one chunk of a listing, and the version of the whole listing, from which a watch may go on."""

    def __init__(self, items: Iterable[Object], version: str | None) -> None:
        super().__init__(items)
        self.version = version or ""


class Api(Protocol):
    """What the rest of the shell may ask of Kubernetes; `Kube` and the tests' in-memory API both offer it."""

    fence: Fence | None
    on_request: OnRequest | None
    page: int

    async def apply(self, manifest: Object, manager: str = "") -> Object:
        """Server-side apply, under another manager's name where one is given."""

    async def create(self, manifest: Object) -> Object:
        """POST."""

    async def replace(self, manifest: Object) -> Object:
        """PUT."""

    async def edit(self, live: Object, edits: list[Object]) -> Object:
        """JSON Patch of an object of somebody else's."""

    async def update_status(self, live: Object, status: Object) -> Object:
        """PUT of the status."""

    async def patch_series(self, event: Object, series: Object) -> Object:
        """PATCH of an Event's series."""

    async def delete(self, kind: str, namespace: str | None, name: str, uid: str) -> bool:
        """DELETE; whether it is gone already."""

    async def get(self, kind: str, namespace: str | None, name: str) -> Object | None:
        """GET."""

    async def served(self, kinds: Collection[str]) -> set[str]:
        """GET of what their groups offer."""

    def pages(
        self, kind: str, namespace: str | None = None, selector: str = "", fields: str = ""
    ) -> AsyncIterator[Page]:
        """LIST."""

    async def close(self) -> None:
        """Let go of all connections."""


@dataclass(frozen=True)
class Call:
    """One request, before it is HTTP."""

    verb: str
    method: str
    kind: str
    namespace: str | None = None
    name: str = ""
    query: dict[str, str] = field(default_factory=dict)
    body: Object | list[Object] | None = None
    content_type: str = JSON

    @property
    def where(self) -> str:
        """How messages name the object."""
        return f"{self.kind}/{self.name}" if self.name else self.kind

    @property
    def url(self) -> str:
        """Path and query on the API server; names are quoted, so that no name can reach another path."""
        kind = KINDS[self.kind]
        if self.verb == "discover":
            return f"/apis/{kind.group}/{kind.version}"
        parts = ["apis", kind.group, kind.version] if kind.group else ["api", kind.version]
        if kind.namespaced and self.namespace:
            parts += ["namespaces", self.namespace]
        parts += [kind.plural] if self.method == "POST" or not self.name else [kind.plural, self.name]
        parts += ["status"] if self.verb == "update_status" else []
        path = "/" + "/".join(quote(part, safe="") for part in parts)
        return f"{path}?{urlencode(self.query)}" if self.query else path


class Kube:
    """The Kubernetes API over its own small connection pool; make one with `Kube.connect()`."""

    def __init__(self, configuration: Configuration, pool: int = 32, manager: str = FIELD_MANAGER) -> None:
        configuration.connection_pool_maxsize = pool
        # Reading proxy settings from the environment costs more than a request, and proxies are no way to a cluster.
        configuration.client_session_kwargs = {"trust_env": False}
        self.fence: Fence | None = None
        self.on_request: OnRequest | None = None
        self.on_date: OnDate | None = None
        self.page = PAGE
        self._client = ApiClient(configuration)
        self._manager = manager
        self._slots = asyncio.Semaphore(pool)

    @classmethod
    async def connect(cls, kubeconfig: str | None = None, pool: int = 32, manager: str = FIELD_MANAGER) -> "Kube":
        """A client for the given kubeconfig, else for the cluster this pod runs in, else for `$KUBECONFIG`."""
        configuration = Configuration()
        if kubeconfig is None and "KUBERNETES_SERVICE_HOST" in os.environ:
            config.load_incluster_config(configuration)  # type: ignore[no-untyped-call]
        else:
            path = kubeconfig or os.environ.get("KUBECONFIG", "~/.kube/config")
            await config.load_kube_config(  # type: ignore[no-untyped-call]
                path, client_configuration=configuration, persist_config=False
            )
        return cls(configuration, pool, manager)

    async def apply(self, manifest: Object, manager: str = "") -> Object:
        """Server-side apply of a manager's whole intent: what it applied before and left out now is removed."""
        query = {"fieldManager": manager or self._manager, "force": "true"}
        return await self._write(_about(manifest, "apply", "PATCH", query=query, body=manifest, content_type=APPLY))

    async def create(self, manifest: Object) -> Object:
        """Create an object that is written once, such as an Event; `Stale` where the name is taken."""
        call = _about(manifest, "create", "POST", query={"fieldManager": self._manager}, body=manifest)
        return await self._write(call)

    async def replace(self, manifest: Object) -> Object:
        """PUT the whole object, fenced by the resourceVersion it must carry."""
        _require(manifest["metadata"].get("resourceVersion"), "replace without resourceVersion would overwrite blindly")
        call = _about(manifest, "replace", "PUT", query={"fieldManager": self._manager}, body=manifest)
        return await self._write(call)

    async def edit(self, live: Object, edits: list[Object]) -> Object:
        """Change places in an object of somebody else's, only if it is still as `live`: places may have moved."""
        version = live["metadata"].get("resourceVersion")
        _require(version, "edit without resourceVersion could hit another place")
        fence = {"op": "replace", "path": "/metadata/resourceVersion", "value": version}
        query = {"fieldManager": self._manager}
        call = _about(live, "edit", "PATCH", query=query, body=[fence, *edits], content_type=JSON_PATCH)
        return await self._write(call)

    async def update_status(self, live: Object, status: Object) -> Object:
        """Make the status of an object equal `status`, only if it is still as `live`."""
        _require(live["metadata"].get("resourceVersion"), "update_status without resourceVersion would not be fenced")
        # The server takes nothing but the status; policies see the object whole. A merge patch costs the server more.
        meta = {key: value for key, value in live["metadata"].items() if key != "managedFields"}
        body = {**live, "metadata": meta, "status": status}
        return await self._write(_about(live, "update_status", "PUT", query={"fieldManager": self._manager}, body=body))

    async def patch_series(self, event: Object, series: Object) -> Object:
        """Count an Event on; `Stale` where it is gone. Not fenced by version: nothing is ever decided from an Event."""
        query = {"fieldManager": self._manager}
        body = {"series": series}
        call = _about(event, "patch_series", "PATCH", query=query, body=body, content_type=MERGE)
        return await self._write(call)

    async def delete(self, kind: str, namespace: str | None, name: str, uid: str) -> bool:
        """Delete exactly the object with this uid, its dependents in the background; gone already is fine.

        True where it is gone; False where something has yet to agree (a finalizer, the kubelet).
        """
        _require(uid, "delete without uid could hit a namesake")
        body = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": uid},
            "propagationPolicy": "Background",
        }
        call = Call("delete", "DELETE", kind, namespace, name, body=body)
        reply = await self._send(call, self.fence)
        return reply[0] == 404 or "deletionTimestamp" not in (_object(call, reply).get("metadata") or {})

    async def get(self, kind: str, namespace: str | None, name: str) -> Object | None:
        """The live object, or None; also None where the kind or the namespace does not exist."""
        call = Call("get", "GET", kind, namespace, name)
        reply = await self._send(call, None)
        return None if reply[0] == 404 else _object(call, reply)

    async def served(self, kinds: Collection[str]) -> set[str]:
        """Which of these kinds the cluster has: one small request, which every account may make, for each group."""
        found: set[tuple[str, str]] = set()
        for kind in {KINDS[each].api_version: each for each in sorted(kinds)}.values():
            call = Call("discover", "GET", kind)
            reply = await self._send(call, None)
            offered = [] if reply[0] == 404 else _object(call, reply).get("resources") or []
            found |= {(KINDS[kind].api_version, each["name"]) for each in offered}
        return {kind for kind in kinds if (KINDS[kind].api_version, KINDS[kind].plural) in found}

    async def pages(
        self, kind: str, namespace: str | None = None, selector: str = "", fields: str = ""
    ) -> AsyncIterator[Page]:
        """All objects in chunks. When the server forgets a listing half-way it starts again, at another version."""
        chosen = {"labelSelector": selector, "fieldSelector": fields}
        query = {"limit": str(self.page)} | {key: value for key, value in chosen.items() if value}
        token, relists = "", 0
        while True:
            call = Call("list", "GET", kind, namespace, query=query | ({"continue": token} if token else {}))
            reply = await self._send(call, None)
            if reply[0] == 410 and token and relists < RELISTS:
                token, relists = "", relists + 1
                continue
            page = _object(call, reply)
            yield Page((_item(kind, item) for item in page.get("items") or []), page["metadata"].get("resourceVersion"))
            token = page["metadata"].get("continue") or ""
            if not token:
                return

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()  # type: ignore[no-untyped-call]

    async def _write(self, call: Call) -> Object:
        return _object(call, await self._send(call, self.fence))

    async def _send(self, call: Call, fence: Fence | None) -> Answer:
        async with self._slots:
            if fence is not None:
                fence()
            begin, status = time.monotonic(), 0
            try:
                status, headers, answer = await self._exchange(call)
                if self.on_date is not None:
                    self.on_date(headers.get("Date", ""), begin)
                return status, headers, answer
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                cause = str(error) or type(error).__name__
                raise Retry(DEFAULT_WAIT, cut(f"{call.where}: no answer from the API server: {cause}")) from error
            finally:
                if self.on_request is not None:
                    self.on_request(call.verb, call.kind, status, time.monotonic() - begin)

    async def _exchange(self, call: Call) -> Answer:
        headers = {"Accept": JSON, "Content-Type": call.content_type}
        # The body goes around param_serialize, which would copy it for the sake of models that we do not use.
        method, url, headers, _, _ = await self._client.param_serialize(
            call.method, call.url, header_params=headers, auth_settings=["BearerToken"]
        )
        body = spell(call.body) if call.content_type == APPLY and call.body else call.body
        response = await self._client.call_api(method, url, headers, body, _request_timeout=TIMEOUT)
        answer: bytes = await response.read()  # type: ignore[no-untyped-call]
        return response.status, response.headers, answer


def spell(manifest: Object | list[Object]) -> str:
    """JSON that is YAML too, as which the server reads an apply.

    YAML has no pairs of surrogates, and wants characters escaped that JSON takes as they are.
    """
    return _NOT_IN_YAML.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(manifest, ensure_ascii=False))


def _about(manifest: Object, verb: str, method: str, **rest: Any) -> Call:
    meta = manifest["metadata"]
    return Call(verb, method, manifest["kind"], meta.get("namespace"), meta["name"], **rest)


def _object(call: Call, reply: Answer) -> Object:
    status, headers, answer = reply
    if not 200 <= status < 300:
        raise fault_of(call.where, status, headers, answer)
    try:
        found: Object = json.loads(answer)
    except ValueError as error:  # a proxy or load balancer answered in the API server's place
        raise Retry(DEFAULT_WAIT, f"{call.where}: HTTP {status} with something that is not JSON") from error
    return found


def _item(kind: str, item: Object) -> Object:
    # Lists of built-in kinds leave both out, and managedFields is half of the bytes and of use for few kinds.
    item["apiVersion"], item["kind"] = KINDS[kind].api_version, kind
    if not KINDS[kind].dated:
        item["metadata"].pop("managedFields", None)
    return item


def _require(given: str | None, otherwise: str) -> None:
    if not given:
        raise ValueError(otherwise)
