"""Pictures with boxes that are refused, each by name: code, words, exit 2, nothing written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.bad_inputs.conftest import Bad, Make, Refused, both, file

SIZE = (40, 30)


def picture(name: str, size: tuple[int, int] = SIZE) -> Make:
    def make(here: Path) -> None:
        from PIL import Image

        (here / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, (90, 120, 150)).save(here / name)

    return make


def pictures(*names: str) -> Make:
    return both(*(picture(name) for name in names))


def coco(**changes: Any) -> dict[str, Any]:
    """Four pictures with a box each."""
    content: dict[str, Any] = {
        "images": [
            {"id": i, "file_name": f"{i}.png", "width": SIZE[0], "height": SIZE[1]}
            for i in range(4)
        ],
        "categories": [{"id": 1, "name": "tree"}],
        "annotations": [
            {"id": i, "image_id": i, "category_id": 1, "bbox": [2, 3, 10, 12]} for i in range(4)
        ],
    }
    return {**content, **changes}


def said_by_coco(code: str, said: str = "", **changes: Any) -> Bad:
    return Bad(code, coco_file(coco(**changes)), ("boxes.json",), said)


def coco_file(content: Any) -> Make:
    names = [f"{i}.png" for i in range(4)]
    return both(pictures(*names), file(json.dumps(content), "boxes.json"))


def with_box(**changes: Any) -> list[dict[str, Any]]:
    boxes: list[dict[str, Any]] = coco()["annotations"]
    return [*boxes[:2], {**boxes[2], **changes}, *boxes[3:]]


def voc(inner: str, before: str = "") -> str:
    return (
        f"{before}<annotation><filename>a.png</filename><size><width>{SIZE[0]}</width>"
        f"<height>{SIZE[1]}</height></size>{inner}</annotation>"
    )


def voc_file(text: str) -> Bad:
    return Bad("", both(picture("a.png"), file(text, "a.xml")), ("a.xml",))


def of(bad: Bad, code: str, said: str = "") -> Bad:
    return Bad(code, bad.make, bad.arguments, said)


BOX = "<object><name>tree</name><bndbox><xmin>2</xmin><ymin>3</ymin><xmax>9</xmax>"
BOX += "<ymax>8</ymax></bndbox></object>"
BOMB = '<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;&b;&b;">]>'


def yolo(line: str, code: str, said: str = "", names: str | None = "tree\nhouse\n") -> Bad:
    made = [picture("set/a.png"), file(line, "set/a.txt")]
    made += [file(names, "set/classes.txt")] if names is not None else []
    return Bad(code, both(*made), ("set",), said)


def studio(code: str, said: str = "", *, image: str = "a.png", **value: Any) -> Bad:
    inside = {"x": 10, "y": 10, "width": 30, "height": 40, "rectanglelabels": ["tree"], **value}
    region = {"type": "rectanglelabels", "value": inside}
    task = {"id": 7, "data": {"image": image}, "annotations": [{"result": [region]}]}
    made = both(picture("a.png"), file(json.dumps([task]), "tasks.json"))
    return Bad(code, made, ("tasks.json",), said)


BAD = {
    "coco: no JSON": Bad("bad_json", file("{images: 1}", "boxes.json"), ("boxes.json",)),
    "coco: JSON of something else": Bad(
        "no_box_format", file('{"rows": []}', "boxes.json"), ("boxes.json",), "COCO"
    ),
    "coco: no classes": said_by_coco("no_categories", categories=[]),
    "coco: a box of an unknown picture": said_by_coco(
        "unknown_picture", "annotation 2", annotations=with_box(image_id=99)
    ),
    "coco: a box of an unknown class": said_by_coco(
        "unknown_class", "tree", annotations=with_box(category_id=5)
    ),
    "coco: a box of three numbers": said_by_coco(
        "bad_box", "four numbers", annotations=with_box(bbox=[1, 2, 3])
    ),
    "coco: a box of words": said_by_coco("bad_box", annotations=with_box(bbox=["a", 1, 2, 3])),
    "coco: a box without end": said_by_coco(
        "bad_box", annotations=with_box(bbox=[1, 2, float("inf"), 3])
    ),
    "coco: a box of negative width": said_by_coco(
        "bad_box", annotations=with_box(bbox=[20, 2, -5, 3])
    ),
    "coco: a box outside its picture": said_by_coco(
        "box_outside", "40 x 30", annotations=with_box(bbox=[100, 2, 5, 5])
    ),
    "coco: boxes that all reach beyond": said_by_coco(
        "boxes_do_not_fit",
        annotations=[{**one, "bbox": [20, 20, 100, 100]} for one in coco()["annotations"]],
    ),
    "coco: no boxes": said_by_coco("no_boxes", annotations=[]),
    "coco: boxes without area": said_by_coco(
        "no_boxes", annotations=[{**one, "bbox": [5, 5, 0, 0]} for one in coco()["annotations"]]
    ),
    "coco: a picture twice": said_by_coco(
        "picture_twice", images=[*coco()["images"], {"id": 0, "file_name": "0.png"}]
    ),
    "coco: one file under two ids": said_by_coco(
        "picture_twice", images=[*coco()["images"], {"id": 9, "file_name": "0.png"}]
    ),
    "coco: a picture without a name": said_by_coco("bad_entry", images=[{"id": 0}]),
    "coco: images that are no list": said_by_coco("bad_entry", images={"0": "0.png"}),
    "coco: pictures that are not there": Bad(
        "picture_missing", file(json.dumps(coco()), "boxes.json"), ("boxes.json",), "4 of 4"
    ),
    "coco: a picture of another size": Bad(
        "picture_size_differs",
        both(coco_file(coco()), picture("2.png", (80, 60))),
        ("boxes.json",),
        "80 x 60",
    ),
    "coco: a picture that is none": Bad(
        "not_a_picture", both(coco_file(coco()), file("hello", "1.png")), ("boxes.json",), "1.png"
    ),
    "coco: a picture cut short": Bad(
        "picture_broken",
        both(coco_file(coco()), file(b"\x89PNG\r\n\x1a\n", "1.png")),
        ("boxes.json",),
    ),
    "coco: one picture": said_by_coco(
        "too_few_rows", images=coco()["images"][:1], annotations=coco()["annotations"][:1]
    ),
    "coco: two files in a folder": Bad(
        "several_box_files",
        both(coco_file(coco()), file(json.dumps(coco()), "more.json")),
        (".",),
        "--test",
    ),
    "a test file with another class": Bad(
        "unknown_label",
        both(
            coco_file(coco()),
            file(json.dumps(coco(categories=[{"id": 1, "name": "house"}])), "test.json"),
        ),
        ("boxes.json", "--test", "test.json"),
        "house",
    ),
    "voc: broken XML": of(voc_file("<annotation><object>"), "bad_xml"),
    "voc: entities that expand": of(
        voc_file(voc(BOX.replace("tree", "&c;"), BOMB)), "xml_document_type"
    ),
    "voc: another file in the place of a picture's": of(voc_file("<svg/>"), "not_voc", "<svg>"),
    "voc: a box without a corner": of(
        voc_file(voc(BOX.replace("<ymax>8</ymax>", ""))), "bad_box", "ymax"
    ),
    "voc: corners the wrong way round": of(
        voc_file(voc(BOX.replace("<xmin>2", "<xmin>20"))), "bad_box"
    ),
    "voc: a box without a class": of(
        voc_file(voc(BOX.replace("<name>tree</name>", ""))), "no_class_name"
    ),
    "yolo: no names of classes": yolo("0 .5 .5 .2 .2\n", "no_class_names", "classes.txt", None),
    "yolo: a class beyond the names": yolo("3 .5 .5 .2 .2\n", "unknown_class", "line 1"),
    "yolo: pixels": yolo("0 20 15 8 6\n", "not_normalised"),
    "yolo: three numbers": yolo("0 .5 .5\n", "bad_box", "3 numbers"),
    "yolo: words": yolo("tree .5 .5 .2 .2\n", "bad_box"),
    "yolo: names that run code": Bad(
        "bad_yaml",
        both(
            picture("set/a.png"), file("names: !!python/object/apply:os.getcwd []", "set/data.yaml")
        ),
        ("set",),
    ),
    "yolo: a place that is not there": Bad(
        "split_missing",
        both(picture("set/a.png"), file("train: nowhere\nnames: [tree]\n", "set/data.yaml")),
        ("set",),
        "nowhere",
    ),
    "label studio: no rectangle": studio("bad_box", rectanglelabels=[]),
    "label studio: pixels": studio("bad_box", "per cent", x=300),
    "label studio: a picture elsewhere": studio(
        "picture_remote", image="https://example.org/a.png"
    ),
    "label studio: nobody annotated": Bad(
        "no_rectangles",
        file(json.dumps([{"data": {"image": "a.png"}, "annotations": []}]), "tasks.json"),
        ("tasks.json",),
    ),
    "a folder without boxes": Bad("no_box_format", picture("set/a.png"), ("set",), "a.png"),
    "a table": Bad("no_box_format", file("text,label\na,b\n"), ("rows.csv",)),
    "class weights": Bad(
        "no_class_weights",
        coco_file(coco()),
        ("boxes.json", "--set", "class_weights=balanced"),
    ),
    "a largest error": Bad("no_max_error", coco_file(coco()), ("boxes.json", "--max-error", "0.1")),
    "a method of labels": Bad(
        "method_does_not_fit",
        coco_file(coco()),
        ("boxes.json", "--method", "linear_probe"),
        "detection_head",
    ),
    "a backbone that finds nothing": Bad(
        "method_does_not_fit",
        coco_file(coco()),
        ("boxes.json", "--backbone", "dinov2-small", "--method", "detection_head"),
        "detect",
    ),
    "a metric of labels": Bad(
        "unknown_metric", coco_file(coco()), ("boxes.json", "--metric", "accuracy"), "map"
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_boxes_are_refused(
    name: str, here: Path, refused: Refused, unchanged: Callable[[], None]
) -> None:
    bad = BAD[name]
    (here / "set").mkdir()
    bad.make(here)
    first, *others = bad.arguments
    backbone = [] if "--backbone" in others else ["--backbone", "nanodet-g"]
    method = [] if "--method" in others else ["--method", "detection_head"]
    task = ["--task", "object_detection"]
    refused("fit", first, *task, *backbone, *method, *others, code=bad.code, said=bad.said)
