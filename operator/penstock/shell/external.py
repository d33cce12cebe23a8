"""The API external.metrics.k8s.io, from which the cluster's own autoscaler reads live metrics of models.

Only the API server may ask: it shows the front proxy's certificate, and has checked who asks and what that user may. So
no user is looked up here, and nothing is answered to anybody else. It tells what `Meter` knows and works nothing out.
"""

import asyncio
import json
import logging
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from penstock.core.load import Wanted
from penstock.model.faults import Rejected, Retry
from penstock.model.measure import Silence
from penstock.model.names import LABEL_REVISION
from penstock.model.quantity import canonical
from penstock.model.values import Problem
from penstock.shell.kube import Api
from penstock.shell.meter import Meter, Value

GROUP, VERSION = "external.metrics.k8s.io", "v1beta1"
AUTHENTICATION = ("kube-system", "extension-apiserver-authentication")
RENEWED = 60.0  # seconds
log = logging.getLogger("penstock.external")
_PLACE = f"/apis/{GROUP}/{VERSION}"


@dataclass(frozen=True)
class Trust:
    """Whose certificate the front proxy shows: who signed it, and the names it may bear; without names, any."""

    authority: str
    names: frozenset[str]


async def keep_certificates(context: ssl.SSLContext, files: tuple[str, str], kube: Api) -> None:
    """Whatever is renewed beside us, our certificate or the front proxy's authority, holds from the next minute on."""
    while True:
        await asyncio.sleep(RENEWED)
        try:
            context.load_cert_chain(*files)
            context.load_verify_locations(cadata=(await front_proxy(kube)).authority)
        except (OSError, ValueError, Retry, Rejected, SystemExit) as fault:
            log.warning("certificates not read again", extra={"cause": f"{type(fault).__name__}: {fault}"})


async def front_proxy(kube: Api) -> Trust:
    """As the API server publishes it; `SystemExit` where it does not, as then nobody could be trusted."""
    live = await kube.get("ConfigMap", *AUTHENTICATION)
    found = (live or {}).get("data") or {}
    authority = found.get("requestheader-client-ca-file", "")
    if not authority:
        raise SystemExit(f"penstock: ConfigMap {'/'.join(AUTHENTICATION)} names no front proxy: no external metrics")
    return Trust(authority, frozenset(json.loads(found.get("requestheader-allowed-names") or "[]")))


def make_context(certificate: str, key: str, trust: Trust) -> ssl.SSLContext:
    """TLS that refuses whoever has no certificate of the front proxy's authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    context.load_verify_locations(cadata=trust.authority)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def make_app(meter: Meter, trust: Trust) -> web.Application:
    """The group's own description, and its values."""
    app = web.Application(middlewares=[_only(trust)])
    app.add_routes(
        [
            web.get(f"/apis/{GROUP}", _described(_group())),
            web.get(_PLACE, _described(_resources())),
            web.get(_PLACE + "/namespaces/{namespace}/{metric}", _values_of(meter)),
        ]
    )
    return app


def _only(trust: Trust) -> Any:
    @web.middleware
    async def checked(request: web.Request, handler: Any) -> web.StreamResponse:
        certificate = request.transport.get_extra_info("peercert") if request.transport else None
        names = {value for part in (certificate or {}).get("subject", ()) for key, value in part if key == "commonName"}
        if not certificate or (trust.names and not trust.names & names):
            return _status(403, "Forbidden", "only the API server's front proxy is answered")
        answer: web.StreamResponse = await handler(request)
        return answer

    return checked


def _described(body: Mapping[str, Any]) -> Any:
    async def described(_: web.Request) -> web.Response:
        return web.json_response(body)

    return described


def _group() -> dict[str, Any]:
    version = {"groupVersion": f"{GROUP}/{VERSION}", "version": VERSION}
    return {"kind": "APIGroup", "apiVersion": "v1", "name": GROUP, "versions": [version], "preferredVersion": version}


def _resources() -> dict[str, Any]:
    one = {"name": "*", "singularName": "", "namespaced": True, "kind": "ExternalMetricValueList", "verbs": ["get"]}
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": f"{GROUP}/{VERSION}", "resources": [one]}


def value_of(meter: Meter) -> Any:
    """What KEDA is told: one number under the metric's own name. No stale value, and none of what nobody follows."""

    async def value(request: web.Request) -> web.Response:
        place = request.match_info
        wanted = Wanted(place["namespace"], place["revision"], place["metric"])
        found = await meter.read(wanted)
        if not isinstance(found, Value):
            return web.json_response({}, status=404)
        if isinstance(found.number, Silence):
            return web.json_response({}, status=503)
        return web.json_response({wanted.metric: found.number})

    return value


def _values_of(meter: Meter) -> Any:
    async def values(request: web.Request) -> web.Response:
        wanted = _wanted(request)
        if not wanted:
            return _status(400, "BadRequest", f"a labelSelector {LABEL_REVISION}=<revision> is wanted")
        found = await meter.read(wanted)
        if found is None:
            what = f"no ModelDeployment in {wanted.namespace} scales revision {wanted.revision} by {wanted.metric}"
            return _status(404, "NotFound", what)
        if isinstance(found, Problem):
            return _status(404, "NotFound", found.message)
        if isinstance(found.number, Silence):
            return _status(503, "ServiceUnavailable", f"{wanted.metric} of {wanted.revision}: {found.number.message}")
        return web.json_response(_listed(wanted, found, found.number))

    return values


def _wanted(request: web.Request) -> Wanted | None:
    selector = request.query.get("labelSelector", "")
    pairs = dict(part.split("=", 1) for part in selector.replace("==", "=").split(",") if "=" in part)
    revision = pairs.get(LABEL_REVISION)
    if not revision or set(pairs) != {LABEL_REVISION}:
        return None
    return Wanted(request.match_info["namespace"], revision, request.match_info["metric"])


def _listed(wanted: Wanted, value: Value, number: float) -> dict[str, Any]:
    item = {
        "metricName": wanted.metric,
        "metricLabels": {LABEL_REVISION: wanted.revision},
        "timestamp": value.at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "value": canonical(number),
    }
    head = {"kind": "ExternalMetricValueList", "apiVersion": f"{GROUP}/{VERSION}", "metadata": {}}
    return {**head, "items": [item]}


def _status(code: int, reason: str, message: str) -> web.Response:
    body = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
    return web.json_response({**body, "code": code, "reason": reason, "message": message}, status=code)
