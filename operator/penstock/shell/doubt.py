"""Writes that got no answer: they may have landed, and what the watches have shown is older than that.

A watch will tell, some time. Taking traffic off cannot wait for it: what stands in memory may look as if there were
nothing to take off. So the next turn first reads what is in doubt.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from penstock.model.faults import Retry
from penstock.model.values import Manifest
from penstock.shell.cache import Cache
from penstock.shell.kube import Api
from penstock.shell.texts import Key


@contextmanager
def doubting(cache: Cache, key: Key, manifest: Manifest) -> Iterator[None]:
    """A write, of which nobody knows whether it landed where no answer comes."""
    try:
        yield
    except Retry:
        cache.doubts.setdefault(key, set()).add((manifest["kind"], manifest["metadata"]["name"]))
        raise


async def settle(kube: Api, cache: Cache, key: Key) -> None:
    """Read what is in doubt. Of what is not there a turn makes nothing wrong: to make it, or delete it, is harmless."""
    for kind, name in sorted(cache.doubts.get(key, ())):
        live = await kube.get(kind, key[0], name)
        if live is not None:
            cache.see_child(live)
        cache.doubts[key].remove((kind, name))
    cache.doubts.pop(key, None)
