"""Model folders that are damaged, strange or too new, and what is asked of good ones."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.bad_inputs.conftest import Refused, snapshot
from tests.conftest import Files, write_rows

from supertune.artifact.manifest import _seal

FILES = (
    *("README.md", "calibration.safetensors", "recipe.yaml", "report.html", "report.json"),
    *("rows.jsonl", "settings.json"),
    *("supertune.json", "tuned.safetensors"),
)


@dataclass(frozen=True)
class Damage:
    """What is done to a copy of a good folder, and the code that must answer it."""

    code: str
    do: Callable[[Path], object]
    said: str = ""


def flipped(name: str) -> Callable[[Path], object]:
    def do(folder: Path) -> None:
        data = bytearray((folder / name).read_bytes())
        # In the manifest, in a value: elsewhere it might no longer be JSON, which is told apart.
        place = data.index(b'"created": "') + 12 if name == "supertune.json" else len(data) // 2
        data[place] ^= 1
        (folder / name).write_bytes(data)

    return do


def rewritten(**changes: object) -> Callable[[Path], object]:
    """The manifest with other values and a seal that fits them, as a forger would write it."""

    def do(folder: Path) -> None:
        path = folder / "supertune.json"
        manifest = {**json.loads(path.read_bytes()), **changes}
        manifest["manifest_sha256"] = _seal(manifest)
        path.write_text(json.dumps(manifest))

    return do


def listing(name: str) -> Callable[[Path], object]:
    """The manifest lists a file by a forged name."""

    def do(folder: Path) -> None:
        manifest = json.loads((folder / "supertune.json").read_bytes())
        files = {**manifest["files"], name: {"sha256": "0" * 64, "bytes": 1}}
        rewritten(files=files)(folder)

    return do


def linked(folder: Path) -> None:
    outside = folder.parent / "outside.json"
    shutil.move(folder / "settings.json", outside)
    (folder / "settings.json").symlink_to(outside)


DAMAGE = {
    "a folder that is not there": Damage("model_missing", shutil.rmtree),
    "an empty folder": Damage("not_a_model", lambda f: [p.unlink() for p in f.iterdir()]),
    "a manifest that is empty": Damage(
        "manifest_unreadable", lambda f: (f / "supertune.json").write_bytes(b"")
    ),
    "a manifest that is no JSON": Damage(
        "manifest_unreadable", lambda f: (f / "supertune.json").write_text("{schema: 1}")
    ),
    "a newer schema": Damage("schema_newer", rewritten(schema=99), "pip install --upgrade"),
    "an older schema": Damage("schema_older", rewritten(schema=0), "supertune fit"),
    "a schema that is a word": Damage("manifest_unreadable", rewritten(schema="one")),
    "a pickle in the folder": Damage(
        "unsafe_file", lambda f: (f / "model.pkl").write_bytes(b"\x80\x04."), "model.pkl"
    ),
    "a program in the folder": Damage(
        "unsafe_file", lambda f: (f / "modeling.py").write_text("print(1)")
    ),
    "a listed file above the folder": Damage("unsafe_file_name", listing("../../x.json")),
    "a listed file at the root": Damage("unsafe_file_name", listing("/etc/passwd.json")),
    "a listed file of Windows": Damage("unsafe_file_name", listing("..\\x.json")),
    "a listed pickle": Damage("unsafe_file", listing("model.pkl")),
    "a link that leads out": Damage("file_outside", linked),
    **{
        f"one bit of {name}": Damage(
            "manifest_damaged" if name == "supertune.json" else "file_damaged", flipped(name), name
        )
        for name in FILES
    },
    **{
        f"{name} missing": Damage(
            "not_a_model" if name == "supertune.json" else "file_missing",
            lambda f, name=name: (f / name).unlink(),
            name,
        )
        for name in FILES
    },
    "a file cut short": Damage(
        "file_damaged", lambda f: os.truncate(f / "tuned.safetensors", 100), "tuned.safetensors"
    ),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_bad_folder_is_refused(refused: Refused, copied: Path, name: str) -> None:
    damage = DAMAGE[name]
    damage.do(copied)
    refused("predict", copied, "a text", code=damage.code, said=damage.said)


def test_a_backbone_that_has_changed_is_refused(
    refused: Refused, probe: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(probe, tmp_path / "forged"))
    manifest = json.loads((folder / "supertune.json").read_bytes())
    rewritten(backbone={**manifest["backbone"], "sha256": "0" * 64})(folder)
    refused("predict", folder, "a text", code="backbone_changed", said="fit the model again")


def test_a_device_that_is_not_there_is_refused(refused: Refused, probe: Path) -> None:
    refused("predict", probe, "x", "--device", "cuda:9", code="device_unavailable")


def test_a_file_beside_the_model_that_cannot_run_does_no_harm(supertune, copied: Path) -> None:
    (copied / "notes.txt").write_text("mine")
    done = supertune("predict", copied, "a text", "--json")
    assert done.code == 0, done.out


ASKED = {
    "predict a file that is not there": (
        "file_missing",
        lambda m, r: ("predict", m, "none.csv", "-o", "p.csv"),
    ),
    "predict without the text column": (
        "text_column_missing",
        lambda m, r: ("predict", m, "other.csv", "-o", "p.csv"),
    ),
    "predict into an unknown ending": (
        "output_suffix",
        lambda m, r: ("predict", m, r.test, "-o", "p.docx"),
    ),
    "predict into a folder that is not there": (
        "output_folder_missing",
        lambda m, r: ("predict", m, r.test, "-o", "no/p.csv"),
    ),
    "predict into a folder": (
        "output_is_folder",
        lambda m, r: ("predict", m, r.test, "-o", "folder.csv"),
    ),
    "predict onto the input": (
        "output_is_input",
        lambda m, r: ("predict", m, "other.csv", "-o", "other.csv", "--overwrite"),
    ),
    "predict a file as JSON without a place": (
        "output_needed",
        lambda m, r: ("predict", m, "other.csv"),
    ),
    "evaluate rows with unknown labels": (
        "unknown_label",
        lambda m, r: ("evaluate", m, "stars.csv"),
    ),
    "evaluate rows without labels": (
        "label_column_missing",
        lambda m, r: ("evaluate", m, "bare.csv"),
    ),
    "evaluate rows whose labels are empty": (
        "no_labels",
        lambda m, r: ("evaluate", m, "void.csv"),
    ),
    "compare with a folder that is not there": (
        "model_missing",
        lambda m, r: ("compare", m, "none", r.test),
    ),
    "compare on rows with unknown labels": (
        "unknown_label",
        lambda m, r: ("compare", m, m, "stars.csv"),
    ),
}


@pytest.mark.parametrize("name", ASKED)
def test_a_bad_question_is_refused(
    refused: Refused, words: Path, reviews: Files, here: Path, name: str
) -> None:
    (here / "folder.csv").mkdir()
    write_rows(here / "other.csv", [("a", "b")], ("comment", "x"))
    write_rows(here / "bare.csv", [("a fine film",)], ("sentence",))
    write_rows(here / "void.csv", [("a fine film", ""), ("poor", "")], ("sentence", "mood"))
    stars = [("a fine film", "5 stars"), ("poor", "positive")]
    write_rows(here / "stars.csv", stars, ("sentence", "mood"))
    code, arguments = ASKED[name]
    before = snapshot(words)
    refused(*map(str, arguments(words, reviews)), code=code)
    assert snapshot(words) == before
