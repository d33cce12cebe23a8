"""What is read whole but seldom, kept as JSON: as dicts it would take four times the memory."""

import json
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from penstock.core.desired import read_snapshot
from penstock.model.values import Snapshot

Object = dict[str, Any]
Key = tuple[str, str]
READ = 256  # records that are kept as dicts too: those of the objects that have turns


class Texts(MutableMapping[Key, Object]):
    """Objects by key, each kept as JSON. What is read is a copy: a change of it changes nothing here."""

    def __init__(self) -> None:
        self._texts: dict[Key, str] = {}
        self._uids: dict[Key, str] = {}

    def uid(self, key: Key) -> str:
        """Of the object of that key, without reading it; empty where there is none."""
        return self._uids.get(key, "")

    def __getitem__(self, key: Key) -> Object:
        found: Object = json.loads(self._texts[key])
        return found

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

    text: str

    @classmethod
    def of(cls, live: Object) -> "Record":
        """From the live object."""
        return cls(_spell({name: live.get(name) for name in ("data", "revision")}))

    def read(self) -> Snapshot:
        """As a turn needs it; not to be changed."""
        return _read(self.text)


def _spell(live: Object) -> str:
    return json.dumps(live, separators=(",", ":"))


@lru_cache(READ)
def _read(text: str) -> Snapshot:
    return read_snapshot(json.loads(text))
