"""A model folder is used only when every byte of it is what was written."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from supertune.artifact import read
from supertune.artifact.manifest import FILE, _seal
from supertune.errors import InputError

Maker = Callable[..., Path]
EVERY_FILE = [
    FILE,
    "tuned.safetensors",
    "report.json",
    "README.md",
    "adapter/adapter_config.json",
]


def refusal(folder: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        read(folder)
    error = caught.value
    assert error.received
    assert error.next
    assert error.exit_code == 2
    return error


def rewrite(folder: Path, change: Callable[[dict[str, Any]], object], seal: bool = True) -> None:
    """Change the manifest, as somebody would who knows how it is sealed."""
    manifest = json.loads((folder / FILE).read_text("utf-8"))
    change(manifest)
    if seal:
        manifest["manifest_sha256"] = _seal(manifest)
    (folder / FILE).write_text(json.dumps(manifest), "utf-8")


def test_what_is_read_is_what_was_saved(make: Maker) -> None:
    model = read(make(version=3))
    assert model.manifest["labels"] == ["court", "cheese 中文"]
    assert model.manifest["scores"] == [0.1, 1e-9]
    assert model.manifest["schema"] == 1
    assert set(model.manifest["files"]) == set(EVERY_FILE) - {FILE}
    assert model.text("README.md") == "version 3: naïve\n"
    assert model.json("report.json") == {"version": 3}
    arrays = model.arrays("tuned.safetensors")
    assert set(arrays) == {"head", "bias"}
    assert arrays["head"].shape == (40, 8)
    assert np.all(arrays["head"] == 3)


def test_a_model_stays_usable_when_its_folder_is_deleted(make: Maker) -> None:
    folder = make(version=3)
    model = read(folder)
    shutil.rmtree(folder)
    assert np.all(model.arrays("tuned.safetensors")["head"] == 3)


def test_a_copied_and_renamed_folder_is_read(make: Maker, tmp_path: Path) -> None:
    shutil.copytree(make(version=3), tmp_path / "elsewhere")
    assert read(tmp_path / "elsewhere").json("report.json") == {"version": 3}


@pytest.mark.parametrize("name", EVERY_FILE)
def test_one_flipped_bit_anywhere_is_refused(make: Maker, name: str) -> None:
    path = make() / name
    whole = path.read_bytes()
    for place in range(0, len(whole), max(1, len(whole) // 97)):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << (place % 8)
        path.write_bytes(damaged)
        codes = {"file_damaged"} if name != FILE else {"manifest_unreadable", "manifest_damaged"}
        codes |= {"schema_newer"} if name == FILE else set()
        assert refusal(path.parents[name.count("/")]).code in codes
    path.write_bytes(whole)
    read(path.parents[name.count("/")])


@pytest.mark.parametrize("name", EVERY_FILE)
def test_a_missing_file_is_named(make: Maker, name: str) -> None:
    folder = make()
    (folder / name).unlink()
    error = refusal(folder)
    assert error.code == ("not_a_model" if name == FILE else "file_missing")
    assert name in error.message


@pytest.mark.parametrize("name", EVERY_FILE)
@pytest.mark.parametrize("keep", [0, 0.5])
def test_a_truncated_file_is_refused(make: Maker, name: str, keep: float) -> None:
    folder = make()
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: int(len(content) * keep)])
    assert refusal(folder).code == ("manifest_unreadable" if name == FILE else "file_damaged")


def test_a_newer_schema_says_how_to_upgrade(make: Maker) -> None:
    folder = make()
    rewrite(folder, lambda manifest: manifest.update(schema=99, supertune="7.1"), seal=False)
    error = refusal(folder)
    assert error.code == "schema_newer"
    assert error.next == "pip install --upgrade supertune"
    assert "schema 99, supertune 7.1" in str(error)


def test_an_older_schema_without_a_conversion_says_how_to_fit_again(make: Maker) -> None:
    folder = make()
    rewrite(folder, lambda manifest: manifest.update(schema=0))
    error = refusal(folder)
    assert error.code == "schema_older"
    assert error.next
    assert f"-o {folder} --overwrite" in error.next


@pytest.mark.parametrize("suffix", ["pkl", "PICKLE", "bin", "pt", "joblib", "npy", "py", "so"])
def test_a_file_that_could_run_code_is_refused_even_if_nothing_lists_it(
    make: Maker, suffix: str
) -> None:
    folder = make()
    planted = folder / "adapter" / f"weights.{suffix}"
    planted.write_bytes(b"\x80\x04K\x01.")
    error = refusal(folder)
    assert error.code == "unsafe_file"
    assert f"adapter/weights.{suffix}" in error.message


def test_a_harmless_note_beside_the_model_is_not_refused(make: Maker) -> None:
    folder = make()
    (folder / "notes.txt").write_text("mine", "utf-8")
    assert "notes.txt" not in read(folder).files


def test_a_pickle_that_the_manifest_lists_is_refused(make: Maker) -> None:
    folder = make()
    rewrite(folder, lambda m: m["files"].update({"w.pkl": m["files"]["README.md"]}))
    assert refusal(folder).code == "unsafe_file"


@pytest.mark.parametrize(
    "name",
    [
        "../x.json",
        "/etc/x.json",
        "a/../../x.json",
        "..\\x.json",
        "C:x.json",
        "",
        ".",
        "a//b.json",
        "./x.json",
        "x.json\x00.txt",
        "nul.json",
        "x.json ",
        "SUPERTUNE.json",
        "a\u202eb.json",
    ],
)
def test_a_path_trick_in_the_manifest_is_refused(make: Maker, name: str) -> None:
    folder = make()
    (folder.parent / "x.json").write_bytes((folder / "README.md").read_bytes())
    rewrite(folder, lambda m: m["files"].update({name: m["files"]["README.md"]}))
    error = refusal(folder)
    assert error.code == "unsafe_file_name"
    assert repr(name) in error.message


def test_two_names_that_are_one_on_other_systems_are_refused(make: Maker) -> None:
    folder = make()
    rewrite(folder, lambda m: m["files"].update({"readme.MD": m["files"]["README.md"]}))
    assert refusal(folder).code == "manifest_unreadable"


@pytest.mark.parametrize("inner", ["README.md", "adapter", "unlisted.txt"])
def test_a_link_out_of_the_folder_is_refused(make: Maker, tmp_path: Path, inner: str) -> None:
    folder = make()
    outside = tmp_path / "outside"
    if (folder / inner).exists():
        shutil.move(folder / inner, outside)
    else:
        outside.write_text("mine", "utf-8")
    (folder / inner).symlink_to(outside)
    error = refusal(folder)
    assert error.code == "file_outside"
    assert "cp -rL" in str(error)


def test_a_link_to_the_whole_folder_is_followed(make: Maker, tmp_path: Path) -> None:
    (tmp_path / "latest").symlink_to(make(version=3))
    assert read(tmp_path / "latest").json("report.json") == {"version": 3}


@pytest.mark.parametrize("name", [FILE, "README.md"])
def test_a_pipe_in_place_of_a_file_does_not_block(make: Maker, name: str) -> None:
    folder = make()
    (folder / name).unlink()
    os.mkfifo(folder / name)
    assert refusal(folder).code in {"file_damaged", "file_missing"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '"x"',
        "\ufeff{}",
        "{}",
        "[" * 100000,
        '{"schema": true, "files": {}}',
        '{"schema": "1"}',
        '{"schema": -1}',
        '{"schema": 1.0}',
        '{"schema": 1, "schema": 1}',
        '{"schema": ' + "9" * 5000 + "}",
        "\x00\x01",
    ],
    ids=lambda text: text[:20],
)
def test_a_malformed_manifest_is_refused(make: Maker, text: str) -> None:
    folder = make()
    (folder / FILE).write_text(text, "utf-8")
    assert refusal(folder).code == "manifest_unreadable"


def test_a_manifest_that_is_not_utf8_is_refused(make: Maker) -> None:
    folder = make()
    (folder / FILE).write_bytes(b'{"schema": 1, "x": "\xff"}')
    assert refusal(folder).code == "manifest_unreadable"


@pytest.mark.parametrize(
    "entry",
    [
        None,
        [],
        "abc",
        {},
        {"sha256": "0" * 64},
        {"sha256": 5, "bytes": 2},
        {"sha256": "0" * 63, "bytes": 2},
        {"sha256": "0" * 64, "bytes": True},
        {"sha256": "0" * 64, "bytes": -1},
        {"sha256": "Z" * 64, "bytes": 1},
    ],
)
def test_a_file_entry_of_the_wrong_type_is_refused(make: Maker, entry: object) -> None:
    folder = make()
    rewrite(folder, lambda m: m["files"].update({"README.md": entry}))
    assert refusal(folder).code == "manifest_unreadable"


@pytest.mark.parametrize("value", [None, [], "x", 3])
def test_a_file_list_of_the_wrong_type_is_refused(make: Maker, value: object) -> None:
    folder = make()
    rewrite(folder, lambda m: m.update(files=value))
    assert refusal(folder).code == "manifest_unreadable"


def test_a_missing_folder_suggests_the_model_beside_it(make: Maker, tmp_path: Path) -> None:
    make("reviews")
    error = refusal(tmp_path / "reveiws")
    assert error.code == "model_missing"
    assert error.next == f"Did you mean {tmp_path / 'reviews'}?"


def test_the_manifest_in_place_of_its_folder_is_explained(make: Maker) -> None:
    folder = make()
    error = refusal(folder / FILE)
    assert error.code == "not_a_model"
    assert error.next
    assert str(folder) in error.next


def test_a_backbone_in_place_of_a_model_is_explained(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}", "utf-8")
    error = refusal(tmp_path)
    assert error.code == "not_a_model"
    assert error.next == f"It may be a backbone: `supertune fit ROWS.csv --backbone {tmp_path}`."


def test_a_name_with_a_nul_byte_is_refused() -> None:
    assert refusal(Path("model\x00x")).code == "bad_folder_name"


def test_tensors_that_are_none_are_refused(tmp_path: Path) -> None:
    from supertune.artifact import save

    save(tmp_path / "m", {}, {"x.safetensors": b"no", "x.json": b"{"}, overwrite=False)
    model = read(tmp_path / "m")
    for action, code in (
        (lambda: model.arrays("x.safetensors"), "tensors_unreadable"),
        (lambda: model.json("x.json"), "file_damaged"),
        (lambda: model.text("y.txt"), "file_missing"),
    ):
        with pytest.raises(InputError) as caught:
            action()
        assert caught.value.code == code
