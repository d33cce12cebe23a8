"""Text and bytes of ConfigMaps: they arrive as they were written, and an immutable one stays as it is."""

import pytest

from .conftest import Tell, World
from .test_kube import Object, refusal


@pytest.mark.parametrize(
    "text", ["<a href='\"x\\y'>&", "\U0001f600 \u00e4\u4e2d", "\x00\x1f\x7f\x85\xa0\u2028\ufeff\uffff"]
)
def test_text_arrives_as_it_was_written(tell: Tell, text: str) -> None:
    async def story(world: World) -> None:
        meta = {"namespace": world.namespace, "name": "text"}
        config: Object = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": meta,
            "data": {"a": text, "b": text * 2},
        }
        for write in (world.kube.apply, world.other.apply):
            assert (await write(config))["data"] == config["data"]

    tell(story)


def test_an_immutable_config_cannot_be_rewritten(tell: Tell) -> None:
    async def story(world: World) -> None:
        meta = {"namespace": world.namespace, "name": "churn-1-0"}
        copy: Object = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "immutable": True}
        copy |= {"data": {"a.yaml": "x: 1\n"}, "binaryData": {"b.bin": "AAE="}}
        first = await world.kube.apply(copy)
        assert (first["data"], first["binaryData"]) == (copy["data"], copy["binaryData"])
        again = await world.kube.apply(copy | {"metadata": meta | {"labels": {"x": "y"}}})
        assert again["metadata"]["labels"] == {"x": "y"}, "only what it holds is fixed"
        for change in ({"data": {"a.yaml": "x: 2\n"}}, {"binaryData": {}}, {"immutable": False}):
            assert await refusal(world.kube.apply(copy | change)) == "ApiInvalid"

    tell(story)
