"""One picture with the same two boxes, in each format, is read as the same rows."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from supertune.contracts import Columns, Examples
from supertune.data.boxes import formats
from supertune.data.boxes.examples import examples
from supertune.data.boxes.sizes import upright
from supertune.errors import InputError
from supertune.tasks.object_detection import TASK

BOXES = [(20.0, 10.0, 60.0, 50.0, "cat"), (100.0, 40.0, 180.0, 90.0, "dog")]
EXPECTED = [[20.0, 10, 60, 50, 0], [100.0, 40, 180, 90, 1]]


def by_coco(folder: Path) -> Path:
    boxes = [(x0, y0, x1 - x0, y1 - y0, name) for x0, y0, x1, y1, name in BOXES]
    content = {
        "images": [{"id": 5, "file_name": "shot.png", "width": 200, "height": 100}],
        "categories": [{"id": 3, "name": "cat"}, {"id": 7, "name": "dog"}],
        "annotations": [
            {"image_id": 5, "category_id": {"cat": 3, "dog": 7}[name], "bbox": box}
            for *box, name in boxes
        ],
    }
    path = folder / "boxes.json"
    path.write_text(json.dumps(content), "utf-8")
    return path


def by_voc(folder: Path) -> Path:
    objects = "".join(
        f"<object><name>{name}</name><bndbox><xmin>{x0}</xmin><ymin>{y0}</ymin><xmax>{x1}</xmax>"
        f"<ymax>{y1}</ymax></bndbox></object>"
        for x0, y0, x1, y1, name in BOXES
    )
    (folder / "shot.xml").write_text(f"<annotation>{objects}</annotation>", "utf-8")
    return folder


def by_yolo(folder: Path) -> Path:
    lines = [
        f"{['cat', 'dog'].index(name)} {(x0 + x1) / 400} {(y0 + y1) / 200} {(x1 - x0) / 200} "
        f"{(y1 - y0) / 100}"
        for x0, y0, x1, y1, name in BOXES
    ]
    (folder / "shot.txt").write_text("\n".join(lines), "utf-8")
    (folder / "classes.txt").write_text("cat\ndog\n", "utf-8")
    return folder


def by_label_studio(folder: Path) -> Path:
    result = [
        {
            "type": "rectanglelabels",
            "original_width": 200,
            "original_height": 100,
            "value": {
                "x": x0 / 2,
                "y": y0,
                "width": (x1 - x0) / 2,
                "height": y1 - y0,
                "rotation": 0,
                "rectanglelabels": [name],
            },
        }
        for x0, y0, x1, y1, name in BOXES
    ]
    cancelled = {"was_cancelled": True, "result": []}
    tasks = [
        {
            "data": {"image": "/data/upload/shot.png"},
            "annotations": [cancelled, {"result": result}],
        },
        {"data": {"image": "/data/upload/other.png"}, "annotations": []},
    ]
    path = folder / "tasks.json"
    path.write_text(json.dumps(tasks), "utf-8")
    return path


def by_list(folder: Path) -> Any:
    return [(folder / "shot.png", BOXES)]


@pytest.mark.parametrize("written", [by_coco, by_voc, by_yolo, by_label_studio, by_list])
def test_every_format_gives_the_same_rows(shot: Path, written: Callable[[Path], Any]) -> None:
    found = formats.read(written(shot.parent))
    rows, _ = examples(found, found.pictures, upright)
    assert rows.labels == ("cat", "dog")
    assert rows.modality == "image"
    assert rows.boxed
    assert rows.answered.all()
    np.testing.assert_allclose(np.asarray(rows.targets)[0], EXPECTED, atol=1e-9)


def test_a_yolo_data_set_holds_its_own_test_pictures(shot: Path) -> None:
    root = shot.parent
    for split in ("train", "val"):
        (root / split / "images").mkdir(parents=True)
        (root / split / "labels").mkdir()
        (root / split / "images" / f"{split}.png").write_bytes(shot.read_bytes() + split.encode())
        (root / split / "labels" / f"{split}.txt").write_text("1 .5 .5 .2 .4\n", "utf-8")
    text = "train: ../train/images\nval: ../val/images\nnames: {0: cat, 1: dog}\n"
    (root / "data.yaml").write_text(text, "utf-8")
    reading = TASK.read(root / "data.yaml", Columns())
    assert [str(one) for one in reading.train.inputs] == ["train.png"]
    assert reading.test is not None
    assert [str(one) for one in reading.test.inputs] == ["val.png"]
    assert {one.code for one in reading.findings} == {"class_without_boxes"}


def test_a_turned_rectangle_gets_the_upright_one_around_it(shot: Path) -> None:
    path = by_label_studio(shot.parent)
    tasks = json.loads(path.read_text("utf-8"))
    tasks[0]["annotations"][1]["result"][1]["value"]["rotation"] = 90
    path.write_text(json.dumps(tasks), "utf-8")
    found = formats.read(path)
    assert "boxes_turned" in {one.code for one in found.findings}
    box = found.pictures[0].boxes[1].on(200, 100)  # type: ignore[union-attr]
    assert np.allclose(box.corners, (50.0, 40.0, 100.0, 120.0))


def given(folder: Path, *boxes: tuple[Any, ...]) -> tuple[Examples, dict[str, tuple[int, ...]]]:
    found = formats.read([(folder / "shot.png", list(boxes))])
    rows, findings = examples(found, found.pictures, upright)
    return rows, {one.code: one.rows for one in findings}


def test_odd_boxes_are_mended_and_mentioned(shot: Path) -> None:
    good = (20.0, 10.0, 60.0, 50.0, "cat")
    beyond, flat = (190.0, 90.0, 215.0, 104.0, "cat"), (30.0, 30.0, 30.0, 40.0, "cat")
    whole = (0.0, 0.0, 200.4, 100.0, "cat")
    rows, said = given(shot.parent, good, good, beyond, flat, whole)
    assert set(said) == {"box_twice", "box_clipped", "box_empty"}
    assert np.asarray(rows.targets)[0].tolist() == [
        [0.0, 0.0, 200.0, 100.0, 0.0],
        [20.0, 10.0, 60.0, 50.0, 0.0],
        [190.0, 90.0, 200.0, 100.0, 0.0],
    ]


def test_a_picture_without_boxes_is_a_row_on_which_nothing_is(shot: Path) -> None:
    other = shot.parent / "other.png"
    other.write_bytes(shot.read_bytes() + b"x")
    found = formats.read([(shot, BOXES), (other, [])])
    rows, findings = examples(found, found.pictures, upright)
    assert np.asarray(rows.targets)[1].max() == -1.0
    assert [(one.code, one.rows) for one in findings] == [("picture_without_boxes", (2,))]


def test_labels_of_a_model_stay_in_their_order(shot: Path) -> None:
    found = formats.read([(shot, BOXES)])
    rows, _ = examples(found, found.pictures, upright, ("dog", "cat", "fish"))
    assert np.asarray(rows.targets)[0, :, 4].tolist() == [1.0, 0.0]
    with pytest.raises(InputError) as error:
        examples(found, found.pictures, upright, ("dog",))
    assert error.value.code == "unknown_label"


def test_a_box_is_drawn_on_the_upright_picture(tmp_path: Path) -> None:
    from PIL import Image

    path = tmp_path / "lying.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    Image.new("RGB", (80, 40)).save(path, exif=exif)
    found = formats.read([(path, [(5.0, 50.0, 35.0, 79.0, "cat")])])
    rows, _ = examples(found, found.pictures, upright)
    assert np.asarray(rows.targets)[0, 0].tolist() == [5.0, 50.0, 35.0, 79.0, 0.0]


def test_windows_to_predict_on_are_pictures_of_a_folder(shot: Path) -> None:
    for number in range(3):
        (shot.parent / f"{number}.png").write_bytes(shot.read_bytes() + bytes([number]))
    windows = list(TASK.stream(shot.parent, Columns(), 3))
    assert [len(inputs) for _, inputs in windows] == [3, 1]
    assert windows[1][0].values["file"] == ["shot.png"]
    assert windows[1][0].rows.tolist() == [4]
