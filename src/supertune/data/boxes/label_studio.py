"""Label Studio JSON: a list of tasks, rectangles in per cent of the picture."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from supertune.contracts import Finding
from supertune.data.boxes.annotated import (
    Annotated,
    Annotations,
    Shares,
    bad_box,
    four,
    located,
)
from supertune.errors import InputError

_SIDES = ("x", "y", "width", "height")


def recognised(content: Any) -> bool:
    return (
        isinstance(content, list)
        and bool(content)
        and all(isinstance(one, dict) and isinstance(one.get("data"), dict) for one in content)
    )


def read(content: list[Mapping[str, Any]], path: Path) -> Annotations:
    """Tasks that somebody annotated; of several annotations the first that was not cancelled.

    Raises:
        InputError: ``no_picture_in_task``, ``picture_remote``, ``no_rectangles``, ``bad_box``.
    """
    source, folders = path.name, [path.parent, path.parent / "images", path.parent / "upload"]
    pictures, labels, open_tasks, rotated = [], dict[str, None](), 0, 0
    for number, task in enumerate(content, start=1):
        result = _result(task)
        if result is None:
            open_tasks += 1
            continue
        name = _name(task["data"], f"{source}, task {task.get('id', number)}")
        boxes, size = [], None
        for place, one in enumerate(result, start=1):
            if one.get("type") not in ("rectanglelabels", "rectangle"):
                continue
            where = f"{source}, task {task.get('id', number)}, region {place}"
            box, turned = _box(one, where)
            rotated += turned
            boxes.append(box)
            labels[box.label] = None
            size = _size(one)
        pictures.append(Annotated(located(name, folders), name, tuple(boxes), size))
    if not labels:
        raise InputError(
            "no_rectangles",
            f"{source} has no rectangle with a label.",
            received=f"{len(content)} tasks, {open_tasks} of them without an annotation",
            allowed="tasks annotated with RectangleLabels",
            next="Export the project again as JSON once pictures are annotated.",
        )
    return Annotations(
        tuple(pictures),
        tuple(labels),
        source,
        "Label Studio",
        findings=_findings(open_tasks, rotated),
    )


def _findings(open_tasks: int, rotated: int) -> tuple[Finding, ...]:
    found = []
    if open_tasks:
        message = f"{open_tasks} tasks that nobody annotated were left out."
        found.append(Finding("tasks_left_out", message, severity="info"))
    if rotated:
        message = f"{rotated} turned rectangles were replaced by upright ones around them."
        found.append(Finding("boxes_turned", message))
    return tuple(found)


def _result(task: Mapping[str, Any]) -> list[Mapping[str, Any]] | None:
    given = task.get("annotations", task.get("completions")) or []
    for one in given if isinstance(given, list) else []:
        if isinstance(one, dict) and not one.get("was_cancelled"):
            result = one.get("result") or []
            return [part for part in result if isinstance(part, dict)]
    return None


def _name(data: Mapping[str, Any], where: str) -> str:
    texts = [value for value in data.values() if isinstance(value, str) and value]
    given = data.get("image") or data.get("img") or (texts[0] if len(texts) == 1 else None)
    if not isinstance(given, str):
        raise InputError(
            "no_picture_in_task",
            f"A task names no picture: {where}.",
            received=f"data with the keys {', '.join(map(str, data)) or 'none'}",
            allowed='"data": {"image": "/data/upload/a.jpg"}',
            next="Export the project again as JSON.",
        )
    parts = urlsplit(given)
    if parts.scheme in ("http", "https", "s3", "gs", "azure-blob"):
        raise InputError(
            "picture_remote",
            f"The picture of a task is elsewhere: {where}.",
            received=f"{parts.scheme}://…/{Path(parts.path).name}",
            allowed="a picture beside the file",
            next="Download the pictures into the file's folder and write their names into it.",
        )
    # Local storage is served as /data/local-files/?d=folder/a.jpg
    served = parse_qs(parts.query).get("d", [parts.path])[0]
    return unquote(served).lstrip("/").removeprefix("data/upload/")


def _box(one: Mapping[str, Any], where: str) -> tuple[Shares, bool]:
    value = one.get("value")
    if not isinstance(value, dict):
        raise bad_box(where, repr(value)[:80], "a value with x, y, width and height")
    names = value.get("rectanglelabels") or value.get("labels")
    if not isinstance(names, list) or len(names) != 1 or not str(names[0]).strip():
        raise bad_box(where, f"labels {names!r}"[:80], "one label")
    x, y, width, height = four([value.get(side) for side in _SIDES], where)
    if width < 0 or height < 0:
        raise bad_box(where, f"width {width:g}, height {height:g}", "sides from 0 on")
    if max(x, y, x + width, y + height) > 150 or min(x, y) < -50:
        raise bad_box(where, f"x {x:g}, y {y:g}, {width:g} x {height:g}", "per cent of the picture")
    x0, y0, x1, y1 = x / 100, y / 100, (x + width) / 100, (y + height) / 100
    angle, size = float(value.get("rotation") or 0.0), _size(one)
    if angle % 360:
        x0, y0, x1, y1 = _around(x0, y0, x1, y1, angle, size or (1, 1))
    return Shares(x0, y0, x1, y1, str(names[0]).strip(), where), bool(angle % 360)


def _around(
    x0: float, y0: float, x1: float, y1: float, angle: float, size: tuple[int, int]
) -> tuple[float, float, float, float]:
    """The upright box around one that is turned by degrees about its upper left corner."""
    wide, high = (x1 - x0) * size[0], (y1 - y0) * size[1]
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    xs = [x0 + (a * cos - b * sin) / size[0] for a, b in _corners(wide, high)]
    ys = [y0 + (a * sin + b * cos) / size[1] for a, b in _corners(wide, high)]
    return min(xs), min(ys), max(xs), max(ys)


def _corners(wide: float, high: float) -> list[tuple[float, float]]:
    return [(0.0, 0.0), (wide, 0.0), (0.0, high), (wide, high)]


def _size(one: Mapping[str, Any]) -> tuple[int, int] | None:
    sides = one.get("original_width"), one.get("original_height")
    if all(isinstance(side, int) and side > 0 for side in sides):
        return sides  # type: ignore[return-value]
    return None
