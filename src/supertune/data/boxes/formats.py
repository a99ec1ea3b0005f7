"""Which format a file or folder of boxes has, and its pictures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from supertune.data import files
from supertune.data.boxes import coco, label_studio, voc, yolo
from supertune.data.boxes.annotated import (
    PICTURES,
    Annotated,
    Annotations,
    Box,
    four,
    not_boxes,
)
from supertune.errors import InputError

LARGEST = 1 << 30  # bytes of one JSON file


def read(source: Any) -> Annotations:
    """Pictures and boxes of a file, a folder, or pairs of a path and (x0, y0, x1, y1, label).

    Raises:
        InputError: ``no_such_file``, ``no_box_format``, ``bad_json``, ``several_box_files``,
            ``unknown_source``, and what is wrong in the format that it has.
        EnvironmentFault: ``permission_denied``.
    """
    if isinstance(source, list | tuple):
        return _given(source)
    if not isinstance(source, str | Path):
        raise InputError(
            "unknown_source",
            f"A {type(source).__name__} cannot be read as pictures with boxes.",
            received=f"{type(source).__module__}.{type(source).__qualname__}",
            allowed="a file, a folder, or a list of (path, [(x0, y0, x1, y1, label), ...])",
            next="Name the file that holds the boxes.",
        )
    path = files.checked(Path(source))
    if path.is_dir():
        return _folder(path)
    suffix = path.suffix.lower()
    if suffix == ".json":
        return _json(path)
    if suffix == ".xml":
        return voc.read([path], path.parent)
    if suffix in (".yaml", ".yml"):
        return yolo.from_yaml(path)
    raise not_boxes(path.name, f"a {suffix or 'nameless'} file", _hint(path))


def _hint(path: Path) -> str:
    other = yolo.names_file(path.parent)
    if path.suffix.lower() == ".txt" and other is not None:
        return f"Name the folder '{path.parent}', where {other.name} is."
    return f"Name the folder '{path.parent}', or export the boxes as COCO JSON."


def _folder(folder: Path) -> Annotations:
    """Formats in the order in which they are told apart without reading everything."""
    names = yolo.names_file(folder)
    if names is not None and names.suffix in (".yaml", ".yml"):
        return yolo.from_yaml(names)
    found = _json_files(folder)
    if len(found) > 1:
        raise InputError(
            "several_box_files",
            f"{folder.name or folder} has several files of boxes.",
            received=", ".join(path.name for path in found[:8]),
            allowed="one of them",
            next=f"Name one: '{found[0]}'; another may be given with --test.",
        )
    if found:
        return _json(found[0])
    written = sorted(path for path in _around(folder) if path.suffix.lower() == ".xml")
    if written:
        return voc.read(written, folder)
    texts = [p for p in _around(folder, "labels") if p.suffix == ".txt" and p != names]
    if names is not None or any(_has_picture(path) for path in texts):
        return yolo.from_folder(folder, names)
    raise not_boxes(folder.name or str(folder), _held(folder))


def _has_picture(path: Path) -> bool:
    beside = {path.parent, path.parent.parent / "images"}
    return any((place / (path.stem + end)).is_file() for place in beside for end in PICTURES)


def _json_files(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in _around(folder)
        if path.suffix.lower() == ".json" and _recognised(path) is not None
    )


def _around(folder: Path, *more: str) -> list[Path]:
    """Files in a folder and in those in it that formats put boxes into."""
    places = [folder, *(folder / name for name in ("annotations", "Annotations", *more))]
    return [p for place in places if place.is_dir() for p in sorted(place.iterdir()) if p.is_file()]


def _held(folder: Path) -> str:
    names = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    shown = ", ".join(names[:5])
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown or "an empty folder"


def _recognised(path: Path) -> Any:
    """The reader that a JSON file is for; None where it is something else."""
    content = _loaded(path)
    if coco.recognised(content):
        return coco.read
    return label_studio.read if label_studio.recognised(content) else None


def _json(path: Path) -> Annotations:
    content = _loaded(path)
    if coco.recognised(content):
        return coco.read(content, path)
    if label_studio.recognised(content):
        return label_studio.read(content, path)
    kind = (
        f"an object with {', '.join(map(str, list(content)[:6]))}"
        if isinstance(content, dict)
        else ""
    )
    raise not_boxes(path.name, kind or f"a {type(content).__name__}")


def _loaded(path: Path) -> Any:
    size = path.stat().st_size
    if size > LARGEST:
        raise _bad_json(path, f"{size:,} bytes")
    try:
        return json.loads(path.read_bytes().decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise _bad_json(path, str(error)[:200]) from None


def _bad_json(path: Path, received: str) -> InputError:
    return InputError(
        "bad_json",
        f"{path.name} cannot be read as JSON.",
        received=received,
        allowed="JSON in UTF-8, below one gigabyte",
        next="Export the file again.",
    )


def _given(pairs: Sequence[Any]) -> Annotations:
    """A list of (path, [(x0, y0, x1, y1, label), ...])."""
    pictures = []
    for number, pair in enumerate(pairs, start=1):
        try:
            place, boxes = pair
            path, cells = Path(place), [tuple(box) for box in boxes]
        except (TypeError, ValueError):
            raise _not_pair(number, pair) from None
        if any(len(box) != 5 or not isinstance(box[4], str) for box in cells):
            raise _not_pair(number, pair)
        read = tuple(
            Box(*four(box[:4], f"picture {number}, box {i}"), box[4], f"picture {number}, box {i}")
            for i, box in enumerate(cells, start=1)
        )
        pictures.append(Annotated(path, path.name, read))
    labels = dict.fromkeys(box.label for one in pictures for box in one.boxes)
    return Annotations(tuple(pictures), tuple(labels), "the list given", "a list")


def _not_pair(number: int, pair: Any) -> InputError:
    text = repr(pair)
    return InputError(
        "not_boxes",
        f"Picture {number} of the list is no pair of a path and its boxes.",
        received=text if len(text) <= 80 else text[:79] + "…",
        allowed="(path, [(x0, y0, x1, y1, label), ...]) in pixels",
        next="Give each picture as such a pair; a picture without boxes has an empty list.",
    )


def recognised(source: Any) -> str | None:
    """Which format of boxes a file or folder is in, in words; None where it is in none, or where
    that cannot be told without an error."""
    if not isinstance(source, str | Path) or str(source) == "-":
        return None
    path = Path(source)
    try:
        if path.is_dir():
            return _folder_recognised(path)
        if path.suffix.lower() == ".json" and path.is_file() and _recognised(path) is not None:
            return f"boxes in {path.name}"
        if path.suffix.lower() == ".xml" and path.is_file():
            return f"boxes in {path.name} (Pascal VOC)"
        named = path.suffix.lower() in (".yaml", ".yml") and path.is_file()
        return f"{path.name} of a YOLO data set" if named else None
    except (OSError, InputError):
        return None


def _folder_recognised(folder: Path) -> str | None:
    names = yolo.names_file(folder)
    if names is not None:
        return f"a YOLO data set with {names.name}"
    if found := _json_files(folder):
        return f"boxes in {found[0].name}"
    written = sum(path.suffix.lower() == ".xml" for path in _around(folder))
    return f"{written} files of boxes (Pascal VOC)" if written else None


def pictures_only(source: Any) -> list[Annotated] | None:
    """Pictures of a folder or a single file without boxes, to predict on; None where the source
    is something else."""
    if not isinstance(source, str | Path):
        return None
    path = files.checked(Path(source))
    if path.is_file() and path.suffix.lower() in PICTURES:
        return [Annotated(path, path.name, ())]
    if not path.is_dir():
        return None
    found = sorted(p for p in path.rglob("*") if p.suffix.lower() in PICTURES and p.is_file())
    return [Annotated(one, one.relative_to(path).as_posix(), ()) for one in found] or None
