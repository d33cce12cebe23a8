"""Images: what decides the cache, the archive's format, and that nothing half-made is ever found."""

import json
import os
import tarfile
from pathlib import Path

import pytest

from cluster import images
from cluster.errors import ClusterError
from cluster.images import archive, buildah, recipe, rootfs
from cluster.images.recipe import Recipe


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PENSTOCK_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    (folder / "code" / "__pycache__").mkdir(parents=True)
    (folder / "Dockerfile").write_text("FROM scratch\n")
    (folder / "code" / "a.py").write_text("a = 1\n")
    (folder / "code" / "__pycache__" / "a.pyc").write_bytes(b"compiled")
    return folder


def recipe_of(source: Path, tag: str = "1") -> Recipe:
    return Recipe("thing", tag, source, ("Dockerfile", "code"))


def test_the_context_is_the_inputs_without_compiled_files(source: Path) -> None:
    (source / "other.txt").write_text("not an input")
    assert sorted(recipe.read(recipe_of(source)).files) == ["Dockerfile", "code/a.py"]


def change_dockerfile(source: Path) -> None:
    (source / "Dockerfile").write_text("FROM other\n")


def change_file(source: Path) -> None:
    (source / "code" / "a.py").write_text("a = 2\n")


def move_text_between_files(source: Path) -> None:
    (source / "Dockerfile").write_text("FROM scratch\na")
    (source / "code" / "a.py").write_text(" = 1\n")


def add_file(source: Path) -> None:
    (source / "code" / "b.py").write_text("")


def rename_file(source: Path) -> None:
    (source / "code" / "a.py").rename(source / "code" / "c.py")


@pytest.mark.parametrize("change", [change_dockerfile, change_file, move_text_between_files, add_file, rename_file])
def test_every_change_of_an_input_changes_the_key(source: Path, change) -> None:  # type: ignore[no-untyped-def]
    before = recipe.read(recipe_of(source)).key("base")
    assert recipe.read(recipe_of(source)).key("base") == before
    change(source)
    assert recipe.read(recipe_of(source)).key("base") != before


def test_another_base_is_another_image(source: Path) -> None:
    context = recipe.read(recipe_of(source))
    assert context.key("one") != context.key("two")


def test_an_image_without_a_tag_is_named_by_its_content(source: Path) -> None:
    context = recipe.read(recipe_of(source, tag=""))
    assert context.reference("base") == f"penstock.local/thing:{context.key('base')}"
    assert recipe.read(recipe_of(source, tag="1.2")).reference("base") == "penstock.local/thing:1.2"


def test_a_missing_input_is_named(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match=r"image thing needs .*Dockerfile, which is not there"):
        recipe.read(Recipe("thing", "1", tmp_path, ("Dockerfile",)))


def test_an_unknown_image_is_answered_with_those_there_are() -> None:
    with pytest.raises(ClusterError, match=r"no image 'nope'; there are: .*mlserver"):
        images.image("nope")


def test_a_files_image_is_a_docker_archive_with_one_layer(tmp_path: Path) -> None:
    model = tmp_path / "m.joblib"
    model.write_bytes(b"model")
    made = images.from_files("penstock.local/model:7", {"/deep/folder/model.joblib": model})
    with tarfile.open(made) as opened:
        (manifest,) = json.load(opened.extractfile("manifest.json"))  # type: ignore[arg-type]
        config = json.load(opened.extractfile(manifest["Config"]))  # type: ignore[arg-type]
        (layer_name,) = manifest["Layers"]
        with tarfile.open(fileobj=opened.extractfile(layer_name)) as layer:
            members = {entry.name: entry for entry in layer}
    assert manifest["RepoTags"] == ["penstock.local/model:7"]
    assert manifest["Config"] == f"{archive.image_id(made)}.json"
    assert config["rootfs"]["diff_ids"] == [f"sha256:{layer_name.removesuffix('.tar')}"]
    assert list(members) == ["deep", "deep/folder", "deep/folder/model.joblib"]
    assert (members["deep"].mode, members["deep/folder/model.joblib"].mode) == (0o755, 0o644)


def test_equal_files_are_one_archive_and_other_files_another(tmp_path: Path) -> None:
    one, same, other = tmp_path / "one", tmp_path / "same", tmp_path / "other"
    one.write_bytes(b"1")
    same.write_bytes(b"1")
    other.write_bytes(b"2")
    first = images.from_files("penstock.local/m:1", {"/m": one})
    content = first.read_bytes()
    first.unlink()
    assert images.from_files("penstock.local/m:1", {"/m": same}) == first
    assert first.read_bytes() == content
    assert images.from_files("penstock.local/m:1", {"/m": other}) != first
    assert images.from_files("penstock.local/m:2", {"/m": one}) != first


def test_a_program_stays_executable_and_is_the_entrypoint(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_bytes(b"\x7fELF")
    program.chmod(0o755)
    made = images.from_binary("thing", program, "v1")
    with tarfile.open(made) as opened:
        (manifest,) = json.load(opened.extractfile("manifest.json"))  # type: ignore[arg-type]
        config = json.load(opened.extractfile(manifest["Config"]))["config"]  # type: ignore[arg-type]
        with tarfile.open(fileobj=opened.extractfile(manifest["Layers"][0])) as layer:
            mode = layer.getmember("usr/local/bin/thing").mode
    assert manifest["RepoTags"] == ["penstock.local/thing:v1"]
    assert config["Entrypoint"] == ["/usr/local/bin/thing"]
    assert config["User"] == "65532:65532"
    assert mode == 0o755


@pytest.mark.parametrize("name", ["relative", "/up/../../etc/passwd"])
def test_a_path_that_leaves_the_image_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "f").write_text("")
    with pytest.raises(ClusterError, match="no absolute path inside an image"):
        images.from_files("penstock.local/m:1", {name: tmp_path / "f"})


def test_what_fails_half_way_leaves_nothing_to_find(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "f").write_text("x")

    def half(out: Path, *_: object) -> str:
        out.write_bytes(b"half")
        raise OSError("killed")

    monkeypatch.setattr(archive, "write", half)
    with pytest.raises(OSError, match="killed"):
        images.from_files("penstock.local/m:1", {"/m": tmp_path / "f"})
    assert list((cache / "images").iterdir()) == []


def test_old_archives_of_an_image_and_what_killed_builds_left_go(cache: Path) -> None:
    folder = cache / "images"
    folder.mkdir(parents=True)
    names = [f"thing-{number:012}.tar" for number in range(7)]
    names += ["thing-other-000000000000.tar", ".making-old"]
    for age, name in enumerate(names):
        (folder / name).write_text("")
        os.utime(folder / name, (age, age))
    (folder / ".making-now").write_text("")
    images._prune("thing")
    left = {path.name for path in folder.iterdir()}
    assert left == {*names[2:8], ".making-now"}


def test_a_storage_that_a_killed_session_left_is_thrown_away(tmp_path: Path) -> None:
    storage = tmp_path / "storage"
    with buildah.session(storage):
        (storage / "layers").mkdir()
    with buildah.session(storage):
        assert (storage / "layers").exists(), "a clean end keeps the layers for the next session"
    with pytest.raises(RuntimeError), buildah.session(storage):
        raise RuntimeError
    with buildah.session(storage):
        assert not (storage / "layers").exists()


def test_pip_inside_a_build_looks_where_the_hosts_pip_looks() -> None:
    text = buildah.pip_conf({"PIP_INDEX_URL": "https://mirror.example/simple", "PIP_NO_INDEX": ""})
    assert "index-url = https://mirror.example/simple" in text.splitlines()
    assert "proxy" not in buildah.pip_conf({})


def test_the_base_keeps_device_nodes_out_and_its_key_follows_the_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    before = rootfs.key()
    assert "--skip=output/dev,output/mknod" in rootfs.command(Path("x"))
    monkeypatch.setattr(rootfs, "SUITE", "trixie")
    assert rootfs.key() != before
