"""kopf as we use it: it watches, and calls one handler for each event; no handler waits for anything.

It does not list. Its lists would tell neither of objects that vanished while a watch was broken nor when the first of
them are complete, and each object would cost a task and stay in memory until that has run. So where kopf wants a list
it is given the version of one of ours, from which it watches on.
"""

from collections.abc import AsyncIterator
from typing import Any

import kopf
from kopf._cogs.clients import fetching  # what kopf's watches list with
from kopf._core.reactor import inventory  # what the argument `memories` of kopf.operator() is made of

from penstock.model.kinds import KINDS
from penstock.shell.cache import WATCHED
from penstock.shell.watch import Watch, selector


def make_registry(watch: Watch) -> kopf.OperatorRegistry:
    """One `on.event` handler for each kind, and nothing else of kopf."""
    registry = kopf.OperatorRegistry()
    kopf.on.login(registry=registry)(_login)
    for name in watch.kinds:
        kind = KINDS[name]
        kopf.on.event(kind.group, kind.version, kind.plural, registry=registry, id=name)(_handler(watch, name))
    return registry


def _login(**kwargs: Any) -> Any:
    """As a pod if this is one, else from $KUBECONFIG; called again whenever the server refuses the credentials."""
    return kopf.login_with_service_account(**kwargs) or kopf.login_with_kubeconfig(**kwargs)


def _handler(watch: Watch, kind: str) -> Any:
    async def seen(event: Any, **_: Any) -> None:
        watch.see(kind, event["type"], dict(event["object"]))

    return seen


class _NoDiff(kopf.DiffBaseStorage):
    """kopf remembers nothing on the object."""

    def build(self, *, body: Any, extra_fields: Any = None) -> Any:
        return {}

    def fetch(self, *, body: Any) -> Any:
        return None

    def store(self, *, body: Any, patch: Any, essence: Any) -> None:
        return None


class _NoProgress(kopf.ProgressStorage):
    """kopf remembers nothing on the object."""

    def fetch(self, *, key: Any, body: Any) -> Any:
        return None

    def store(self, *, key: Any, record: Any, body: Any, patch: Any) -> None:
        return None

    def purge(self, *, key: Any, body: Any, patch: Any) -> None:
        return None

    def touch(self, *, body: Any, patch: Any, value: Any) -> None:
        return None

    def clear(self, *, essence: Any) -> Any:
        return essence


def list_for_kopf(watch: Watch) -> None:
    """From now on kopf's watches in this process begin from our lists, and are told of no object in them."""
    names = {(KINDS[name].group, KINDS[name].plural): name for name in watch.kinds}

    async def fetch_objs(*, resource: Any, **_: Any) -> AsyncIterator[tuple[tuple[()], str]]:
        yield (), await watch.list_to_watch(names[resource.group, resource.plural])

    fetching.fetch_objs = fetch_objs


class NoMemories(inventory.ResourceMemories):
    """kopf remembers nothing of an object between two events: nine objects for each model would be a third of ours."""

    async def recall(self, raw_body: Any, **rest: Any) -> inventory.ResourceMemory:
        """One that is made for this event."""
        return await super().recall(raw_body, **rest | {"ephemeral": True})


def make_settings() -> kopf.OperatorSettings:
    """kopf tuned for watching only; figures and reasons are in docs/adr/0001-kopf-as-a-watch.md."""
    made = kopf.OperatorSettings()
    made.persistence.diffbase_storage = _NoDiff()
    made.persistence.progress_storage = _NoProgress()
    made.posting.enabled = False
    made.scanning.disabled = True
    made.peering.standalone = True
    made.queueing.worker_limit = 100
    made.queueing.idle_timeout = 0.02
    for name in WATCHED:
        made.watching.label_selectors[KINDS[name].group, KINDS[name].plural] = selector(name)
    made.watching.server_timeout = 300
    made.networking.request_timeout = 30
    made.networking.connect_timeout = 5
    return made
