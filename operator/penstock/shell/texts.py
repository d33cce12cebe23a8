"""What is read whole but seldom, kept as compressed JSON: as dicts it would take ten times the memory."""

import json
import zlib
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from penstock.core.desired import read_snapshot
from penstock.model.values import Snapshot

Object = dict[str, Any]
Key = tuple[str, str]
READ = 256  # records that are kept as dicts too: those of the objects that have turns
WINDOW, MEMORY = -12, 5  # zlib's wbits (raw, 4 KiB) and memLevel: at its defaults most of the time is clearing tables


class Texts(MutableMapping[Key, Object]):
    """Objects by key, each kept as such a text. What is read is a copy: a change of it changes nothing here."""

    def __init__(self) -> None:
        self._texts: dict[Key, bytes] = {}
        self._uids: dict[Key, str] = {}

    def uid(self, key: Key) -> str:
        """Of the object of that key, without reading it; empty where there is none."""
        return self._uids.get(key, "")

    def __getitem__(self, key: Key) -> Object:
        return _parse(self._texts[key])

    def __setitem__(self, key: Key, live: Object) -> None:
        self._texts[key] = _spell(live)
        self._uids[key] = live["metadata"].get("uid", "")

    def __delitem__(self, key: Key) -> None:
        del self._texts[key], self._uids[key]

    def __contains__(self, key: object) -> bool:
        return key in self._texts

    def __iter__(self) -> Iterator[Key]:
        return iter(self._texts)

    def __len__(self) -> int:
        return len(self._texts)


@dataclass(frozen=True, slots=True)
class Record:
    """The content of a ControllerRevision."""

    text: bytes

    @classmethod
    def of(cls, live: Object) -> "Record":
        """From the live object."""
        return cls(_spell({name: live.get(name) for name in ("data", "revision")}))

    def read(self) -> Snapshot:
        """As a turn needs it; not to be changed."""
        return _read(self.text)


def _spell(live: Object) -> bytes:
    made = zlib.compressobj(1, zlib.DEFLATED, WINDOW, MEMORY)
    return made.compress(json.dumps(live, separators=(",", ":")).encode()) + made.flush()


def _parse(text: bytes) -> Object:
    found: Object = json.loads(zlib.decompress(text, WINDOW))
    return found


@lru_cache(READ)
def _read(text: bytes) -> Snapshot:
    return read_snapshot(_parse(text))
