"""What is read whole but seldom, kept as compressed JSON: as dicts it would take thirty times the memory.

Objects of a kind are alike, so each is compressed against one that was seen before.
"""

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
READ = 32  # records that are kept as dicts too, 13 kB each: those of the objects that have one turn after the other
BITS, MEMORY = 12, 5  # zlib's wbits and memLevel: at its defaults most of the time is clearing tables
WINDOW = 2**BITS  # bytes: no dictionary is longer, so that there are twenty of them at most
LONGER = 1.5  # times as long as the one before


class Speller:
    """JSON to compressed text and back. A text can be read only by who spelled it."""

    def __init__(self) -> None:
        self._likes: list[bytes] = []  # zlib's dictionaries; a text begins with the number of its own

    def spell(self, live: Object) -> bytes:
        """The text of an object. One that is longer than all that later ones are held against is such a one itself."""
        plain = json.dumps(live, separators=(",", ":")).encode()
        end = plain[-WINDOW:]
        if not self._likes or len(end) > LONGER * len(self._likes[-1]):
            self._likes.append(end)
        made = zlib.compressobj(1, zlib.DEFLATED, -BITS, MEMORY, zlib.Z_DEFAULT_STRATEGY, self._likes[-1])
        return bytes([len(self._likes) - 1]) + made.compress(plain) + made.flush()

    def read(self, text: bytes) -> Object:
        """A copy of the object."""
        found: Object = json.loads(zlib.decompressobj(-BITS, self._likes[text[0]]).decompress(text[1:]))
        return found


_RECORDS = Speller()


class Texts(MutableMapping[Key, Object]):
    """Objects by key, each kept as such a text. What is read is a copy: a change of it changes nothing here."""

    def __init__(self) -> None:
        self._speller = Speller()
        self._texts: dict[Key, bytes] = {}
        self._uids: dict[Key, str] = {}

    def uid(self, key: Key) -> str:
        """Of the object of that key, without reading it; empty where there is none."""
        return self._uids.get(key, "")

    def __getitem__(self, key: Key) -> Object:
        return self._speller.read(self._texts[key])

    def __setitem__(self, key: Key, live: Object) -> None:
        self._texts[key] = self._speller.spell(live)
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
        return cls(_RECORDS.spell({name: live.get(name) for name in ("data", "revision")}))

    def read(self) -> Snapshot:
        """As a turn needs it; not to be changed."""
        return _read(self.text)


@lru_cache(READ)
def _read(text: bytes) -> Snapshot:
    return read_snapshot(_RECORDS.read(text))
