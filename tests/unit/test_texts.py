"""Texts: what is put in comes out, whatever came before; what is like another takes little."""

import json
import zlib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from penstock.shell.texts import WINDOW, Record, Speller, Texts

Object = dict[str, Any]
JSON = st.recursive(st.text() | st.integers() | st.booleans() | st.none(), st.lists, max_leaves=5)
OBJECTS = st.dictionaries(st.text(), JSON, max_size=5)


def model(number: int, message: str = "") -> Object:
    said = [{"type": kind, "status": "True", "message": message} for kind in ("Ready", "Available")]
    status = {"conditions": said, "stable": {"revision": f"model-{number}", "weight": 100}}
    return {"metadata": {"name": f"model-{number}", "namespace": "ml", "uid": f"{number:036}"}, "status": status}


@given(st.lists(OBJECTS, max_size=8))
def test_each_object_is_read_as_it_was_spelled(objects: list[Object]) -> None:
    speller = Speller()
    texts = [speller.spell(each) for each in objects]
    assert [speller.read(text) for text in texts] == objects


def test_what_grows_is_held_against_what_has_grown_and_all_is_still_read() -> None:
    speller = Speller()
    objects = [model(number, "x" * 2**number) for number in range(17)]  # up to sixteen windows
    texts = [speller.spell(each) for each in objects]
    assert [speller.read(text) for text in texts] == objects
    assert max(text[0] for text in texts) <= 12
    assert len(objects[-1]["status"]["conditions"][0]["message"]) > WINDOW


def test_what_is_like_another_takes_a_fifth() -> None:
    speller = Speller()
    speller.spell(model(1))
    assert len(speller.spell(model(2))) < len(zlib.compress(json.dumps(model(2)).encode())) / 5


def test_a_record_that_says_the_same_is_the_same() -> None:
    live = {"data": {"spec": {"model": "v1"}}, "revision": 1}
    assert Record.of(live | {"kind": "ControllerRevision"}) == Record.of(live) != Record.of(live | {"revision": 2})


def test_a_change_of_what_was_read_changes_nothing() -> None:
    texts = Texts()
    texts["ml", "model-1"] = model(1)
    texts["ml", "model-1"]["status"].clear()
    assert texts["ml", "model-1"] == model(1)
