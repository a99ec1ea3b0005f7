"""Folders, tables and files of pictures that are refused, each by name, and nothing is written."""

from __future__ import annotations

import csv
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.bad_inputs.conftest import Bad, Make, Refused, both, snapshot
from tests.bad_inputs.test_python import refused as call_refused
from tests.data.pictures.conftest import BOMBS, encoded, noise, quarters, write

import supertune

WHOLE = encoded(noise(7))
HALF = WHOLE[: len(WHOLE) // 2]


def folder(**files: bytes) -> Make:
    """``cats_1=...`` is the file cats/1.png in the folder rows."""

    def make(here: Path) -> None:
        write(
            here / "rows", {f"{name.replace('_', '/')}.png": data for name, data in files.items()}
        )

    return make


def classes(*names: str, each: int = 3) -> Make:
    def make(here: Path) -> None:
        for place, name in enumerate(names):
            files = {f"{name}/{i}.png": noise(10 * place + i) for i in range(each)}
            write(here / "rows", files)

    return make


def table(*rows: tuple[str, ...], titles: tuple[str, ...] = ("file", "label")) -> Make:
    def make(here: Path) -> None:
        with (here / "rows.csv").open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows([titles, *rows])

    return make


def parquet(cells: list[Any]) -> Make:
    def make(here: Path) -> None:
        pa = pytest.importorskip("pyarrow")
        from pyarrow import parquet as files

        labels = ["a", "b"] * (len(cells) // 2)
        files.write_table(pa.table({"image": cells, "label": labels}), here / "rows.parquet")

    return make


def empty_classes(here: Path) -> None:
    for name in ("cats", "dogs"):
        (here / "rows" / name).mkdir(parents=True)


def a_folder_called_like_a_picture(here: Path) -> None:
    (here / "rows" / "x.png").mkdir(parents=True)


def a_link_to_itself(here: Path) -> None:
    classes("cats", "dogs")(here)
    (here / "rows" / "cats" / "9.png").symlink_to(here / "rows" / "cats" / "9.png")


GOOD = both(classes("cats", "dogs"), classes("birds"))
FOUR = (("rows/cats/0.png", "a"), ("rows/cats/1.png", "a"), ("rows/dogs/0.png", "b"))
PICTURES = ("--task", "image_classification")
NOT_PNG = {f"{c}_{i}": b"no picture" for c in ("cats", "dogs") for i in range(3)}
CUT = dict.fromkeys(NOT_PNG, HALF)
VOID = dict.fromkeys(NOT_PNG, b"")

FITS = {
    "an empty folder": Bad("no_class_folders", lambda here: (here / "rows").mkdir(), ("rows",)),
    "class folders without pictures": Bad("no_class_folders", empty_classes, ("rows",)),
    "an empty folder, and pictures are meant": Bad(
        "no_pictures_in_folder", empty_classes, ("rows", *PICTURES)
    ),
    "a folder that is called like a picture": Bad(
        "no_pictures_in_folder", a_folder_called_like_a_picture, ("rows", *PICTURES)
    ),
    "pictures without classes": Bad("no_class_folders", folder(a=WHOLE, b=WHOLE), ("rows",)),
    "one class": Bad("one_class", classes("cats"), ("rows",), "cats"),
    "one picture a class": Bad("one_row_a_class", classes("a", "b", "c", each=1), ("rows",)),
    "texts called png": Bad("not_a_picture", folder(**NOT_PNG), ("rows",), "cats/0.png"),
    "pictures cut short": Bad("picture_broken", folder(**CUT), ("rows",), "cats/0.png"),
    "files of no bytes": Bad("picture_broken", folder(**VOID), ("rows",), "0 bytes"),
    **{
        f"a bomb: {name}": Bad(
            "picture_too_large",
            both(classes("cats", "dogs"), folder(cats_bomb=data)),
            ("rows",),
            "row 4: cats/bomb.png",
        )
        for name, data in BOMBS.items()
    },
    "a link to itself": Bad("picture_unreadable", a_link_to_itself, ("rows",), "cats/9.png"),
    "a path that is not there": Bad(
        "picture_missing",
        both(GOOD, table(*FOUR, ("rows/dogs/7.png", "b"))),
        ("rows.csv",),
        "row 4, column 'file': rows/dogs/7.png",
    ),
    "a path one letter off": Bad(
        "picture_missing",
        both(GOOD, table(*FOUR, ("rows/dogs/O.png", "b"))),
        ("rows.csv",),
        "Did you mean",
    ),
    "an address": Bad(
        "remote_picture",
        both(GOOD, table(*FOUR, ("https://example.org/1.png", "b"))),
        ("rows.csv",),
        "row 4",
    ),
    "two columns of pictures": Bad(
        "ambiguous_columns",
        both(GOOD, table(*[(a, a, b) for a, b in FOUR], titles=("left", "right", "label"))),
        ("rows.csv", *PICTURES),
        "--picture left",
    ),
    "a column that is not there": Bad(
        "picture_column_missing",
        both(GOOD, table(*[(a, a, b) for a, b in FOUR], titles=("left", "right", "label"))),
        ("rows.csv", *PICTURES, ["--picture", "lefd"][0], "lefd"),
        "left",
    ),
    "the picture as the label": Bad(
        "column_twice",
        both(GOOD, table(*FOUR)),
        ("rows.csv", "--picture", "file", "--label", "file"),
    ),
    "a text column of pictures": Bad(
        "picture_column_missing",
        both(GOOD, table(*FOUR)),
        ("rows.csv", *PICTURES, "--text", "file"),
        "--picture",
    ),
    "a template for pictures": Bad(
        "picture_column_missing", GOOD, ("rows", "--template", "{image} is {answer}")
    ),
    "no labels in the table": Bad(
        "no_labels",
        both(GOOD, table(*[(a, "") for a, _ in FOUR])),
        ("rows.csv", "--label", "label"),
    ),
    "a table without pictures": Bad(
        "no_picture_column",
        table(("good", "a"), ("bad", "b"), titles=("text", "label")),
        ("rows.csv", *PICTURES),
    ),
    "bytes that are no pictures": Bad(
        "not_a_picture", parquet([b"words"] * 4), ("rows.parquet", *PICTURES), "row 1"
    ),
    "test pictures of an unknown class": Bad(
        "unknown_test_label",
        both(GOOD, lambda here: write(here / "held", {"fish/1.png": noise(99)}) and None),
        ("rows", "--test", "held"),
        "fish",
    ),
    "the test folder is the training folder": Bad(
        "test_overlap", GOOD, ("rows", "--test", "rows"), "pictures the model has not seen"
    ),
    "a backbone of texts": Bad(
        "method_does_not_fit",
        GOOD,
        ("rows", "--backbone", "minilm", "--method", "linear_probe"),
        "reads text, not image",
    ),
    "a method of texts": Bad(
        "method_does_not_fit", GOOD, ("rows", "--method", "bag_of_words"), "reads text, not image"
    ),
    "pictures as texts": Bad(
        "bad_text", parquet([WHOLE] * 4), ("rows.parquet", "--task", "text_classification",
                                           "--text", "image"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FITS)
def test_a_bad_source_is_refused(refused: Refused, here: Path, name: str) -> None:
    bad = FITS[name]
    bad.make(here)
    refused("fit", *bad.arguments, code=bad.code, said=bad.said)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Always the commonest of three classes; not to be written to."""
    place = tmp_path_factory.mktemp("pictures")
    GOOD(place)
    supertune.fit(place / "rows", output=place / "m", method="majority", folds=2, repeats=1)
    return place / "m"


ASKED: dict[str, tuple[str, tuple[str, ...], str]] = {
    "predict a folder that is not there": ("file_missing", ("predict", "none/", "-o", "p.csv"), ""),
    "predict a folder without pictures": (
        "no_pictures_in_folder",
        ("predict", "void", "-o", "p.csv"),
        "",
    ),
    "predict a broken picture": (
        "picture_broken",
        ("predict", "broken", "-o", "p.csv"),
        "row 2: b.png",
    ),
    "predict a bomb": ("picture_too_large", ("predict", "bomb", "-o", "p.csv"), "row 1: a.png"),
    "predict texts": ("picture_column_missing", ("predict", "words.csv", "-o", "p.csv"), ""),
    "predict an empty cell": ("picture_missing", ("predict", "gap.csv", "-o", "p.csv"), "row 2"),
    "predict a text": ("picture_missing", ("predict", "arrived broken, twice"), "row 1"),
    "predict a file of another kind": ("unknown_format", ("predict", "a.pdf", "-o", "p.csv"), ""),
    "predict into a picture": ("output_suffix", ("predict", "broken", "-o", "p.png"), ""),
    "evaluate an unknown class": ("unknown_label", ("evaluate", "fish"), "fish"),
    "evaluate pictures without classes": ("label_column_missing", ("evaluate", "flat"), ""),
    "label a pool that is labelled": ("nothing_to_label", ("label", "rows"), ""),
}


def asked(here: Path) -> None:
    GOOD(here)
    (here / "void").mkdir()
    write(here / "broken", {"a.png": noise(1), "b.png": HALF[:50]})
    write(here / "bomb", {"a.png": BOMBS["PNG"]})
    write(here / "flat", {"a.png": noise(1), "b.png": noise(2)})
    write(here / "fish", {"fish/a.png": noise(1), "fish/b.png": noise(2)})
    write(here, {"a.pdf": b"%PDF-1.7", "words.csv": b"text,label\na,b\n"})
    write(here, {"gap.csv": b"image,x\nflat/a.png,1\n,2\n"})


@pytest.mark.parametrize("name", ASKED)
def test_a_bad_question_is_refused(refused: Refused, model: Path, here: Path, name: str) -> None:
    asked(here)
    code, (command, *rest), said = ASKED[name]
    before = snapshot(model)
    refused(command, model, *rest, code=code, said=said)
    assert snapshot(model) == before


CALLS: dict[str, tuple[str, Callable[[], Any]]] = {
    "numbers": ("no_picture", lambda: [(1, "a"), (2, "b")]),
    "images of floats above 1": ("bad_array", lambda: [(np.full((9, 9, 3), 7.0), c) for c in "ab"]),
    "channels first": ("bad_array", lambda: [(np.zeros((3, 9, 9), np.uint8), c) for c in "ab"]),
    "rows of two kinds": ("mixed_rows", lambda: [(quarters(), "a"), quarters()]),
    "bytes of nothing": ("picture_broken", lambda: [(b"", "a"), (b"", "b")]),
    "a pickle": ("not_a_picture", lambda: [(b"\x80\x04." + struct.pack("Q", 9), c) for c in "ab"]),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_bad_call_is_refused(unchanged: Callable[[], None], name: str) -> None:
    code, rows = CALLS[name]
    unchanged()
    call_refused(lambda: supertune.fit(rows(), task="image_classification"), code)
    unchanged()
