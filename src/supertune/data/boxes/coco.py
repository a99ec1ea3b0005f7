"""COCO JSON: ``images``, ``categories``, ``annotations`` with ``bbox`` x, y, width, height."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from supertune.contracts import Finding
from supertune.data.boxes.annotated import (
    Annotated,
    Annotations,
    Box,
    bad_box,
    four,
    located,
    unknown_class,
)
from supertune.errors import InputError


def recognised(content: Any) -> bool:
    return isinstance(content, dict) and "images" in content and "annotations" in content


def read(content: Mapping[str, Any], path: Path) -> Annotations:
    """The pictures of one COCO file, which lie beside it or in ``images``.

    Raises:
        InputError: ``no_categories``, ``bad_entry``, ``picture_twice``, ``unknown_picture``,
            ``unknown_class``, ``bad_box``.
    """
    source = path.name
    names = _names(content, source)
    images = _images(content, source)
    boxes: dict[Any, list[Box]] = defaultdict(list)
    crowds = 0
    for number, one in enumerate(_list(content, "annotations", source), start=1):
        where = f"{source}, annotation {_shown(one.get('id', number))}"
        if one.get("image_id") not in images:
            raise _unknown_picture(where, one.get("image_id"))
        if one.get("category_id") not in names:
            raise unknown_class(where, f"category_id {one.get('category_id')!r}", [*names.values()])
        if one.get("iscrowd"):
            crowds += 1
            continue
        x, y, width, height = four(one.get("bbox"), where)
        if width < 0 or height < 0:
            raise bad_box(where, f"width {width:g}, height {height:g}", "x, y, width, height")
        label = names[one["category_id"]]
        boxes[one["image_id"]].append(Box(x, y, x + width, y + height, label, where))
    folders = [
        path.parent,
        path.parent / "images",
        path.parent.parent,
        path.parent.parent / "images",
    ]
    folders += [folder / path.stem.removeprefix("instances_") for folder in folders[:3]]
    pictures = [
        Annotated(located(name, folders), name, tuple(boxes[key]), size)
        for key, (name, size) in images.items()
    ]
    message = f"{crowds} crowd regions were left out: they outline no single thing."
    found = (Finding("crowd_left_out", message, severity="info"),) if crowds else ()
    return Annotations(tuple(pictures), tuple(names.values()), source, "COCO", findings=found)


def _names(content: Mapping[str, Any], source: str) -> dict[Any, str]:
    found = {
        one.get("id"): str(one["name"]).strip()
        for one in _list(content, "categories", source)
        if str(one.get("name") or "").strip()
    }
    if not found:
        raise InputError(
            "no_categories",
            f"{source} names no classes.",
            received=f"the keys {', '.join(map(str, content))}",
            allowed='"categories": [{"id": 1, "name": "tree"}]',
            next="Export the file again with its categories.",
        )
    return found


def _images(content: Mapping[str, Any], source: str) -> dict[Any, tuple[str, Any]]:
    found: dict[Any, tuple[str, Any]] = {}
    for number, one in enumerate(_list(content, "images", source), start=1):
        key, name = one.get("id"), one.get("file_name")
        if key is None or isinstance(key, dict | list) or not isinstance(name, str) or not name:
            raise InputError(
                "bad_entry",
                f"{source} has a picture without id or file_name.",
                received=f"picture {number}: {_shown(one)}",
                allowed='{"id": 1, "file_name": "a.jpg"}',
                next="Export the file again.",
            )
        if key in found:
            raise InputError(
                "picture_twice",
                f"{source} has two pictures of one id.",
                received=f"id {key!r}: {found[key][0]} and {name}",
                allowed="an id of its own for each picture",
                next="Give each picture its own id.",
            )
        sides = one.get("width"), one.get("height")
        known = all(isinstance(side, int) and side > 0 for side in sides)
        found[key] = name, sides if known else None
    return found


def _list(content: Mapping[str, Any], key: str, source: str) -> list[Mapping[str, Any]]:
    found = content.get(key, [])
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise InputError(
            "bad_entry",
            f"'{key}' of {source} is no list of objects.",
            received=_shown(found),
            allowed=f'"{key}": [{{...}}, {{...}}]',
            next="Export the file again as COCO JSON.",
        )
    return found


def _unknown_picture(where: str, received: Any) -> InputError:
    return InputError(
        "unknown_picture",
        f"A box belongs to a picture that is not listed: {where}.",
        received=f"image_id {received!r}",
        allowed="an id among the images",
        next="Add the picture to images, or remove the box.",
    )


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:79] + "…"
