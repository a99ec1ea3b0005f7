"""Folders, tables and lists give the same rows; what is not a picture is named by row and file."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.data.pictures.conftest import encoded, noise, picture, quarters, write

from supertune.contracts import Picture
from supertune.data.media_cells import Place, written
from supertune.data.pictures import sources
from supertune.data.pictures.cells import picture as cell_picture
from supertune.data.pictures.recognising import recognised
from supertune.data.pictures.sources import read, stream
from supertune.errors import InputError


def table(path: Path, titles: list[str], rows: list[list[str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as lines:
        csv.writer(lines).writerows([titles, *rows])
    return path


def content(source: Any, named: str | None = None) -> list[tuple[str, Any]]:
    found, column = read(source, named)
    labels = found.values.get("label", [None] * len(found))
    return sorted((one.sha256, label) for one, label in zip(found.values[column], labels))


# --- folders ----------------------------------------------------------------------------------


def test_a_class_folder_gives_pictures_with_their_labels(stamps: Path) -> None:
    found, column = read(stamps)
    assert (found.source, column, found.names) == ("stamps", "image", ("image", "label"))
    assert [str(one) for one in found.values["image"]] == [
        f"{label}/{i}.png" for label in ("cats", "dogs") for i in range(3)
    ]
    assert found.values["label"] == ["cats"] * 3 + ["dogs"] * 3
    assert found.rows.tolist() == [1, 2, 3, 4, 5, 6]


def test_folders_inside_a_class_belong_to_it_and_hidden_ones_are_left_out(stamps: Path) -> None:
    write(stamps, {"cats/at home/x.JPEG": encoded(noise(30), "JPEG"), ".git/y.png": noise(31)})
    write(stamps, {"cats/.hidden.png": noise(32), "cats/Thumbs.db": b"x"})
    found, _ = read(stamps)
    assert [str(one) for one in found.values["image"]][:4] == [
        *(f"cats/{i}.png" for i in range(3)),
        "cats/at home/x.JPEG",
    ]
    assert sources.unread(stamps) == []


def test_empty_classes_and_other_files_are_said(stamps: Path) -> None:
    (stamps / "birds").mkdir()
    write(stamps, {"cats/notes.txt": b"soft", "cats/1.ogg": b"meow"})
    empty, other = sources.unread(stamps)
    assert (empty.code, other.code) == ("class_without_rows", "other_files")
    assert "'birds'" in empty.message
    assert ".ogg, .txt" in other.message


def test_train_and_test_may_lie_above_the_classes(stamps: Path, tmp_path: Path) -> None:
    both = tmp_path / "both"
    both.mkdir()
    stamps.rename(both / "train")
    write(both / "test", {"cats/9.png": noise(40), "dogs/9.png": noise(41)})
    found, _ = read(both)
    assert found.values["split"] == ["test"] * 2 + ["train"] * 6
    assert found.values["label"] == ["cats", "dogs", *["cats"] * 3, *["dogs"] * 3]


def test_pictures_alone_have_no_labels(tmp_path: Path) -> None:
    found, _ = read(
        write(tmp_path / "flat", {"b.png": noise(1), "a.gif": encoded(noise(2), "GIF")})
    )
    assert found.names == ("image",)
    assert [str(one) for one in found.values["image"]] == ["a.gif", "b.png"]
    one, _ = read(tmp_path / "flat" / "b.png")
    assert [str(each) for each in one.values["image"]] == ["b.png"]


def test_a_folder_is_read_window_by_window(stamps: Path) -> None:
    assert sources.count(stamps) == 6
    assert sources.count(stamps / "cats" / "0.png") is None
    parts = list(stream(stamps, None, 4))
    assert [len(part) for part, _ in parts] == [4, 2]
    assert [part.rows[0] for part, _ in parts] == [1, 5]


# --- the same rows from elsewhere -------------------------------------------------------------


def test_every_source_gives_the_same_pictures(stamps: Path, tmp_path: Path) -> None:
    wanted = content(stamps)
    paths = [(path, path.parent.name) for path in sorted(stamps.glob("*/*.png"))]
    relative = [[str(path.relative_to(tmp_path)), label] for path, label in paths]
    assert content(table(tmp_path / "rows.csv", ["file", "label"], relative)) == wanted
    assert content([(str(path), label) for path, label in paths]) == wanted
    assert content([(path, label) for path, label in paths]) == wanted
    assert content([(path.read_bytes(), label) for path, label in paths]) == wanted
    assert content([{"x": path.read_bytes(), "label": label} for path, label in paths]) == wanted
    inside = [[f"{label}/{path.name}", label] for path, label in paths]
    table(stamps / "metadata.csv", ["file_name", "label"], inside)
    assert content(stamps) == wanted


def test_parquet_holds_bytes_or_structs_of_bytes_and_path(stamps: Path, tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    paths = sorted(stamps.glob("*/*.png"))
    labels = [path.parent.name for path in paths]
    raw = [path.read_bytes() for path in paths]
    structs = [{"bytes": data, "path": path.name} for data, path in zip(raw, paths)]
    for name, cells in (("raw", raw), ("structs", structs)):
        parquet.write_table(pa.table({"image": cells, "label": labels}), tmp_path / f"{name}.pq")
    wanted = content(stamps)
    assert content(tmp_path / "raw.pq") == content(tmp_path / "structs.pq") == wanted
    found, _ = read(tmp_path / "structs.pq")
    assert str(found.values["image"][0]) == "0.png"
    found, _ = read(tmp_path / "raw.pq")
    assert str(found.values["image"][1]) == "row 2, column 'image'"


def test_a_data_set_of_the_hub_s_library_is_read_without_decoding(
    stamps: Path, tmp_path: Path
) -> None:
    datasets = pytest.importorskip("datasets")
    paths = sorted(map(str, stamps.glob("*/*.png")))
    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=["cats", "dogs"])}
    )
    rows = {"image": paths, "label": [0] * 3 + [1] * 3}
    held = datasets.Dataset.from_dict(rows, features=features)
    assert content(held) == content(stamps)
    assert recognised(held) == "column 'image' holds pictures"
    held.to_parquet(tmp_path / "rows.parquet")
    assert content(tmp_path / "rows.parquet") == content(stamps)


def test_images_and_arrays_keep_their_pixels() -> None:
    image = quarters()
    pixels = np.asarray(image)
    found, _ = read([image, pixels, pixels / 255, pixels[:, :, 0], pixels[:, :, :1]])
    shown = [Image.open(io.BytesIO(one.read())) for one in found.values["image"]]
    for one in shown[:3]:
        np.testing.assert_array_equal(np.asarray(one), pixels)
    for one in shown[3:]:
        np.testing.assert_array_equal(np.asarray(one), pixels[:, :, 0])
    whole, _ = read(np.stack([pixels, pixels[::-1]]))
    assert len(whole) == 2


def test_an_image_that_was_opened_is_turned_as_its_file_would_be() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    image = Image.open(io.BytesIO(encoded(quarters(), "JPEG", exif=exif)))
    assert read([image])[0].values["image"][0].read()[16:24] == (
        (40).to_bytes(4, "big") + (60).to_bytes(4, "big")
    )


# --- which column -----------------------------------------------------------------------------


def test_the_column_of_pictures_is_found_or_asked_for(stamps: Path, tmp_path: Path) -> None:
    names = [f"stamps/cats/{i}.png" for i in range(3)]
    rows = [[name, "x", name] for name in names]
    two = table(tmp_path / "two.csv", ["scan", "label", "mask"], rows)
    with pytest.raises(InputError, match="--picture scan") as refused:
        read(two)
    assert refused.value.code == "ambiguous_columns"
    assert read(two, "mask")[1] == "mask"
    called = table(tmp_path / "called.csv", ["image", "label", "mask"], rows)
    assert read(called)[1] == "image"
    with pytest.raises(InputError) as refused:
        read(called, "imag")
    assert refused.value.code == "picture_column_missing"
    one = table(tmp_path / "one.csv", ["scan", "label"], [row[:2] for row in rows])
    assert read(one, "image")[1] == "scan", "a model's column has another name here"


# --- cells ------------------------------------------------------------------------------------

BAD_CELLS: dict[str, tuple[str, Any]] = {
    "a number": ("no_picture", 7),
    "a list": ("no_picture", ["a.png"]),
    "a file that is not there": ("picture_missing", "none.png"),
    "an address": ("remote_picture", "https://example.org/a.png"),
    "a folder": ("no_picture", "."),
    "a name with a NUL": ("picture_missing", "a\0.png"),
    "integers of 64 bits": ("bad_array", np.zeros((4, 4, 3), dtype=np.int64)),
    "floats above 1": ("bad_array", np.full((4, 4, 3), 2.0)),
    "floats that are none": ("bad_array", np.full((4, 4, 3), np.nan)),
    "five channels": ("bad_array", np.zeros((4, 4, 5), dtype=np.uint8)),
    "channels first": ("bad_array", np.zeros((3, 40, 40), dtype=np.uint8)),
    "no pixels": ("bad_array", np.zeros((0, 4, 3), dtype=np.uint8)),
    "four axes": ("bad_array", np.zeros((1, 4, 4, 3), dtype=np.uint8)),
    "26 megapixels": ("picture_too_large", np.zeros((5200, 5000), dtype=np.uint8)),
}


@pytest.mark.parametrize("name", BAD_CELLS)
def test_a_cell_that_is_no_picture_is_named_by_its_row(name: str) -> None:
    code, cell = BAD_CELLS[name]
    with pytest.raises(InputError) as refused:
        cell_picture(cell, Place(3, "image"))
    assert refused.value.code == code
    assert "row 3" in str(refused.value.received)
    assert refused.value.next


def test_an_image_whose_file_is_cut_short_is_broken(tmp_path: Path) -> None:
    data = encoded(noise(), "PNG")
    image = Image.open(io.BytesIO(data[: len(data) // 2]))
    with pytest.raises(InputError) as refused:
        cell_picture(image, Place(2))
    assert refused.value.code == "picture_broken"


def test_rows_of_two_kinds_are_refused() -> None:
    with pytest.raises(InputError) as refused:
        read([(quarters(), "a"), quarters()])
    assert refused.value.code == "mixed_rows"


def test_a_picture_is_written_as_where_it_lies(tmp_path: Path) -> None:
    there = Picture.of(b"x", "a.png", tmp_path / "pool" / "a.png")
    assert written(there, tmp_path / "answers") == "../pool/a.png"
    assert written(picture(quarters()), tmp_path) == "a.png"
    assert written("a text", tmp_path) == "a text"


# --- which task -------------------------------------------------------------------------------


def test_pictures_are_recognised_by_what_is_there(stamps: Path, tmp_path: Path) -> None:
    assert recognised(stamps) == "2 class folders with 6 pictures"
    assert recognised([(quarters(), "a")]) == "its rows begin with a picture"
    rows = [[f"stamps/cats/{i}.png", "x"] for i in range(3)]
    manifest = table(tmp_path / "rows.csv", ["file", "label"], rows)
    assert recognised(manifest) == "column 'file' holds pictures"
    reviews = [[f"a long sentence about {i}", *row] for i, row in enumerate(rows)]
    assert recognised(table(tmp_path / "r.csv", ["text", "file", "label"], reviews)) is None
    gone = [[f"gone/{i}.png", "x"] for i in range(3)]
    assert recognised(table(tmp_path / "gone.csv", ["file", "label"], gone)) is None
    for other in ("-", tmp_path / "none", [("a text", "label")], [], None, 7, b"bytes"):
        assert recognised(other) is None


def test_texts_and_boxes_are_not_taken_for_labelled_pictures(tmp_path: Path) -> None:
    texts = write(tmp_path / "texts", {f"{c}/{i}.txt": b"words" for c in "ab" for i in range(3)})
    write(texts, {"a/logo.png": noise(1)})
    assert recognised(texts) is None
    yolo = {f"images/{i}.png": noise(i) for i in range(2)}
    yolo |= {f"labels/{i}.txt": b"0 .5 .5 .1 .1" for i in range(2)}
    assert recognised(write(tmp_path / "yolo", yolo)) is None
    coco = {"a.png": noise(1), "annotations.json": b"{}"}
    assert recognised(write(tmp_path / "coco", coco)) is None
    assert recognised(write(tmp_path / "empty", {"a/x.ogg": b""})) is None
