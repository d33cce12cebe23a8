"""Requests and answers as CloudEvents, by a script in Envoy Gateway's proxies: no server of ours stands in the way.

The proxy calls the sink and does not wait for it, so a sink that is dead or slow costs nobody anything. What is told
goes to a cluster of the proxy; a route of its own makes that cluster, so that a sink that is wrong breaks no traffic.
Nothing of this decides anything, and nothing of it is read back but what the gateway complains of.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from penstock.api.payload import PayloadLog
from penstock.api.traffic import Traffic
from penstock.model.sinks import Sink
from penstock.model.values import LogSeen, Manifest
from penstock.routing import gateway
from penstock.routing.service import PORT

LIMIT = 64 * 1024  # bytes of a body; what is larger, or of unknown length as streams are, is not told
HEADER = "x-penstock-revision"  # from the route to the script, which takes it away again

SCRIPT = """
local function plain(value)
  return (tostring(value or ""):gsub('[%c"\\\\]', ""))
end

local function number(said, key)
  return tonumber(said:get(key)) or 0
end

local function is_untold(headers, limit)
  local length = tonumber(headers:get("content-length") or "")
  local kind = headers:get("content-type") or ""
  return not length or length > limit or headers:get("upgrade") ~= nil or kind:find("event-stream", 1, true) ~= nil
end

-- Chunk by chunk, so that nothing is held up; what was asked of the handle before is not valid any more after it.
local function read(handle)
  local parts = {}
  for chunk in handle:bodyChunks() do
    if chunk:length() > 0 then parts[#parts + 1] = chunk:getBytes(0, chunk:length()) end
  end
  return handle:base64Escape(table.concat(parts))
end

local function content(kind, bytes)
  return '"contentType":"' .. plain(kind) .. '","base64":"' .. bytes .. '"'
end

function envoy_on_request(handle)
  local said, headers = handle:filterContext(), handle:headers()
  if math.random() * 100 >= number(said, "percent") or is_untold(headers, number(said, "limit")) then return end
  local told = {id = plain(headers:get("x-request-id")), time = os.date("!%Y-%m-%dT%H:%M:%SZ")}
  local path, kind = plain(headers:get(":path")), headers:get("content-type")
  told.request = '"path":"' .. path .. '",' .. content(kind, read(handle))
  local kept = handle:streamInfo():dynamicMetadata()
  for key, value in pairs(told) do kept:set("penstock.payload", key, value) end
end

function envoy_on_response(handle)
  local said, headers = handle:filterContext(), handle:headers()
  local revision = plain(headers:get("@HEADER@"))
  headers:remove("@HEADER@")
  local told = handle:streamInfo():dynamicMetadata():get("penstock.payload")
  if not told or not told.request or is_untold(headers, number(said, "limit")) then return end
  local status, kind = plain(headers:get(":status")), headers:get("content-type")
  local answer = '"status":' .. status .. ',' .. content(kind, read(handle))
  said = handle:filterContext()
  local event = '{"specversion":"1.0","id":"' .. told.id .. '","source":"' .. said:get("source")
    .. '","type":"dev.penstock.inference","subject":"' .. revision .. '","time":"' .. told.time
    .. '","datacontenttype":"application/json","data":{"request":{' .. told.request .. '},"answer":{' .. answer .. '}}}'
  local to = {[":method"] = "POST", [":path"] = "/", [":authority"] = said:get("authority"),
    ["content-type"] = "application/cloudevents+json"}
  handle:httpCall(said:get("cluster"), to, event, 1000, true)
end
""".replace("@HEADER@", HEADER).lstrip()


def make(key: tuple[str, str], wish: tuple[PayloadLog, Sink], routes: Sequence[str]) -> Manifest:
    """The EnvoyExtensionPolicy's spec of a ModelDeployment, given as (namespace, name), for these routes."""
    (namespace, name), (log, sink) = key, wish
    context = {
        "percent": log.percent,
        "limit": LIMIT,
        "cluster": f"httproute/{namespace}/{name_of(name)}/rule/0-mirror-0",  # as Envoy Gateway names it
        "authority": f"{sink.service}.{sink.namespace}",
        "source": f"/apis/penstock.dev/v1alpha1/namespaces/{namespace}/modeldeployments/{name}",
    }
    targets = [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": each} for each in routes]
    return {"targetRefs": targets, "lua": [{"type": "Inline", "inline": SCRIPT, "filterContext": context}]}


def name_of(owner: str) -> str:
    """Name of the policy, and of the route that makes the sink known to the proxies."""
    return f"{owner}-payload"


def make_route(traffic: Traffic, owner: str, sink: Sink) -> Manifest:
    """The spec of that route. It copies none of its requests, of which there are none; whoever asks gets the model."""
    service = {"group": "", "kind": "Service", "namespace": sink.namespace, "name": sink.service, "port": sink.port}
    copies = {"type": "RequestMirror", "requestMirror": {"backendRef": service, "percent": 0}}
    front = {"group": "", "kind": "Service", "name": owner, "port": PORT}
    return gateway.make_nobodys(traffic, [copies], front)


def dress(route: Manifest) -> Manifest:
    """A route's spec whose answers say which revision gave them."""
    rules = [rule | {"backendRefs": [_marked(ref) for ref in rule["backendRefs"]]} for rule in route["rules"]]
    return route | {"rules": rules}


def _marked(ref: Manifest) -> Manifest:
    """With what else it says in answers: a backend has one filter for that."""
    has = [each["responseHeaderModifier"] for each in ref.get("filters") or []]
    said = {"set": [{"name": HEADER, "value": ref["name"]}]} | (has[0] if has else {})
    return ref | {"filters": [{"type": "ResponseHeaderModifier", "responseHeaderModifier": said}]}


def read(policy: Mapping[str, Any]) -> LogSeen:
    """The policy's targets, and what gateways say of it at its present generation; all of them must have taken it."""
    generation = policy["metadata"].get("generation", 0)
    ancestors = (policy.get("status") or {}).get("ancestors") or []
    told = [each for ancestor in ancestors for each in ancestor.get("conditions") or [] if each["type"] == "Accepted"]
    present = [each for each in told if each.get("observedGeneration", 0) >= generation]
    against = [
        f"{each.get('reason')}: {each.get('message', '')[:300]}" for each in present if each["status"] == "False"
    ]
    taken = bool(present) and all(each["status"] == "True" for each in present)
    targets = frozenset(ref["name"] for ref in (policy.get("spec") or {}).get("targetRefs") or [])
    return LogSeen(taken, next(iter(against), ""), targets=targets)
