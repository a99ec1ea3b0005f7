"""What is said of pictures, wherever it stands; and pictures that are nearly the same."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from PIL import Image
from tests.conftest import write_wugs
from tests.data.pictures.conftest import encoded, noise, picture, write

from supertune import registry
from supertune.contracts import Columns, Picture, content_key
from supertune.data.pictures import captions
from supertune.errors import InputError


def said(inputs: tuple[object, ...]) -> list[str]:
    return [one.caption for one in inputs if isinstance(one, Picture)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_wugs(tmp_path / "wugs", 4)


def test_a_picture_without_a_caption_is_what_it_was() -> None:
    plain, other = Picture("ab", "1.png"), Picture("ab", "2.png")
    assert repr(plain) == "Picture(ab)"
    assert plain == other
    assert hash(plain) == hash(other)
    told = Picture("ab", "1.png", caption="a cat")
    assert plain != told
    assert content_key(plain) != content_key(told)


def test_a_model_folder_keeps_what_was_said() -> None:
    image = registry.modality("image")
    told = Picture.of(encoded(noise(1)), "1.png", caption="a cat")
    plain = Picture.of(encoded(noise(1)), "1.png")
    assert image.from_json(image.to_json(told)) == told
    assert "caption" not in image.to_json(plain)
    assert image.same(told) == image.same(plain)


def test_the_concept_is_said_of_pictures_without_a_caption(folder: Path) -> None:
    (folder / "1.txt").write_text("a  red wug\n", encoding="utf-8")
    reading = captions.learned(folder, Columns(concept="a wug"))
    assert sorted(said(reading.train.inputs)) == ["a red wug", "a wug", "a wug", "a wug"]
    assert "1 file beside the pictures" in " ".join(reading.guesses)
    assert "other_files" not in {one.code for one in reading.findings}
    assert reading.columns.concept == "a wug"


def test_class_folders_are_captions_unless_they_only_say_where(tmp_path: Path) -> None:
    write(tmp_path / "rows", {f"a round clock/{i}.png": noise(i) for i in range(2)})
    write(tmp_path / "rows", {f"images/{i}.png": noise(5 + i) for i in range(2)})
    reading = captions.learned(tmp_path / "rows", Columns(concept="a wug"))
    assert sorted(said(reading.train.inputs)) == ["a round clock"] * 2 + ["a wug"] * 2


def test_a_column_of_captions_is_found_by_its_name_or_named(folder: Path) -> None:
    rows = [("0.png", "a wug", "x"), ("1.png", "", "y"), ("2.png", "a blue wug", "z")]
    with (folder / "rows.csv").open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([("file", "caption", "other"), *rows])
    reading = captions.learned(folder / "rows.csv", Columns(concept="none"))
    assert sorted(said(reading.train.inputs)) == ["a blue wug", "a wug", "none"]
    named = captions.learned(folder / "rows.csv", Columns(label="other"))
    assert sorted(said(named.train.inputs)) == ["x", "y", "z"]
    ((_, inputs),) = captions.stream(folder / "rows.csv", named.columns, 10)
    assert said(inputs) == ["x", "y", "z"]


def test_pairs_and_pictures_of_python_are_read(folder: Path) -> None:
    paths = sorted(folder.glob("*.png"))
    pairs = [(path, f"wug {path.stem}") for path in paths]
    assert len(set(said(captions.learned(pairs, Columns()).train.inputs))) == 4
    held = [Picture.of(path.read_bytes(), path.name, caption="a wug") for path in paths]
    assert said(captions.learned(held, Columns()).train.inputs) == ["a wug"] * 4


def test_test_pictures_that_are_learned_from_are_left_out(folder: Path) -> None:
    reading = captions.learned(folder, Columns(concept="a wug"), [folder / "0.png", noise(3)])
    assert reading.test is not None
    assert len(reading.test) == 1
    assert "test_overlap" in {one.code for one in reading.findings}
    assert said(reading.test.inputs) == ["a wug"]


def test_one_picture_is_learned_from_in_quarters() -> None:
    image = noise(2, 64)
    reading = captions.learned([picture(image)], Columns(concept="a wug"))
    assert len(reading.train) == 4
    assert {one.code for one in reading.findings} >= {"one_picture"}
    parts = captions.quarters(picture(image))
    assert encoded(image.crop((32, 0, 64, 32))) == parts[1].read()


def test_copies_are_dropped_and_near_copies_stay_together(folder: Path) -> None:
    first = Image.open(folder / "0.png").convert("RGB")
    rows = [*sorted(folder.glob("*.png")), encoded(first), encoded(first, "JPEG", quality=60)]
    reading = captions.learned(rows, Columns(concept="a wug"))
    codes = {one.code for one in reading.findings}
    assert {"duplicate_picture", "near_duplicate_picture"} <= codes
    assert reading.train.groups is not None
    assert len(set(reading.train.groups.tolist())) == 4
    alike = captions.learned([encoded(first), encoded(first, "JPEG")], Columns(concept="a wug"))
    assert {one.code for one in alike.findings} >= {"near_copies"}
    assert alike.train.groups is None


def test_a_split_column_sets_rows_apart(folder: Path) -> None:
    with (folder / "rows.csv").open("w", newline="", encoding="utf-8") as stream:
        sides = ["train", "train", "test", "train"]
        rows = [(f"{i}.png", side) for i, side in enumerate(sides)]
        csv.writer(stream).writerows([("file", "split"), *rows])
    reading = captions.learned(folder / "rows.csv", Columns(concept="a wug"))
    assert (len(reading.train), len(reading.test or ())) == (3, 1)
    with pytest.raises(InputError, match="test rows in the split column"):
        captions.learned(folder / "rows.csv", Columns(concept="a wug"), folder)
