"""YOLO: a .txt a picture, a line a box: class, middle and sides in shares of the picture.

Names of classes stand in ``data.yaml`` (``names``) or ``classes.txt``. Where a path holds
``images``, the labels lie in ``labels`` beside it; otherwise beside the pictures.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from supertune.data.boxes.annotated import (
    PICTURES,
    Annotated,
    Annotations,
    Shares,
    bad_box,
    not_boxes,
    unknown_class,
)
from supertune.errors import InputError

SLACK = 1e-3  # beyond the picture, from rounding
_LISTS = ("classes.txt", "obj.names", "labels.txt", "_darknet.labels")


def names_file(folder: Path) -> Path | None:
    """The file in ``folder`` that names the classes."""
    found = [folder / name for name in ("data.yaml", "data.yml", "dataset.yaml", *_LISTS)]
    return next((path for path in found if path.is_file()), None)


def from_yaml(path: Path) -> Annotations:
    """The pictures under ``train``, and under ``test`` or ``val`` those to judge by.

    Raises:
        InputError: ``bad_yaml``, ``no_class_names``, ``split_missing``, and as `from_folder`.
    """
    content = _loaded(path)
    labels = _names(content, path)
    root = path.parent / str(content.get("path") or "")
    root = root if root.is_dir() else path.parent
    train = _split(content, "train", root, path)
    held = _split(content, "test", root, path) or _split(content, "val", root, path)
    learned = _pictures(train or _files(root), labels)
    if not learned:
        raise not_boxes(path.name, "no picture under 'train'", "Check the paths in the file.")
    train_set = {one.path.resolve() for one in learned}
    judged = [one for one in _pictures(held, labels) if one.path.resolve() not in train_set]
    return Annotations(tuple(learned), labels, path.name, "YOLO", tuple(judged))


def from_folder(folder: Path, names: Path | None) -> Annotations:
    """All pictures below ``folder``.

    Raises:
        InputError: ``no_class_names``, ``bad_box``, ``unknown_class``, ``not_normalised``.
    """
    if names is None:
        raise InputError(
            "no_class_names",
            f"Nothing in {folder.name} names the classes.",
            received=".txt files with numbers",
            allowed="classes.txt, one name a line, or data.yaml",
            next="Write classes.txt with a name for each number, the first for 0.",
        )
    listed = names.read_text("utf-8-sig", "replace").splitlines()
    labels = tuple(line.strip() for line in listed if line.strip())
    pictures = _pictures(_files(folder), labels)
    return Annotations(tuple(pictures), labels, folder.name or str(folder), "YOLO")


def _loaded(path: Path) -> Mapping[str, Any]:
    try:
        content = yaml.safe_load(path.read_text("utf-8-sig"))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise _bad_yaml(path, str(error).splitlines()[0]) from None
    if not isinstance(content, dict):
        raise _bad_yaml(path, f"a {type(content).__name__}")
    return content


def _bad_yaml(path: Path, received: str) -> InputError:
    return InputError(
        "bad_yaml",
        f"{path.name} cannot be read as YAML of a data set.",
        received=received,
        allowed="keys such as train, val and names, without tags",
        next="Export the data set again.",
    )


def _names(content: Mapping[str, Any], path: Path) -> tuple[str, ...]:
    given = content.get("names")
    if isinstance(given, dict):
        try:
            keys = sorted(given, key=int)
        except (TypeError, ValueError):
            keys = []
        given = (
            [given[key] for key in keys] if [int(k) for k in keys] == [*range(len(keys))] else None
        )
    if not isinstance(given, list) or not given or not all(str(one).strip() for one in given):
        raise InputError(
            "no_class_names",
            f"{path.name} names no classes.",
            received=f"names: {content.get('names')!r}"[:80],
            allowed="names: [tree, house], or numbers from 0 on with names",
            next="Add names to the file.",
        )
    return tuple(str(one).strip() for one in given)


def _split(content: Mapping[str, Any], key: str, root: Path, path: Path) -> list[Path]:
    """The pictures that one key names: folders, or lists of paths in a .txt file."""
    given = content.get(key) or []
    found: list[Path] = []
    for one in given if isinstance(given, list) else [given]:
        places = [root / str(one), path.parent / str(one)]
        # Exports of one well-known tool write ../train/images for what lies beside the file.
        places.append(path.parent / str(one).removeprefix("../"))
        place = next((p for p in places if p.exists()), None)
        if place is None:
            raise InputError(
                "split_missing",
                f"'{key}' of {path.name} names a place that is not there.",
                received=str(one),
                allowed="a folder of pictures, or a .txt file with their paths",
                next="Correct the path; it is taken from the file's own folder.",
            )
        if place.is_dir():
            found += _files(place)
        else:
            lines = place.read_text("utf-8-sig", "replace").splitlines()
            found += [place.parent / line.strip() for line in lines if line.strip()]
    return found


def _files(folder: Path) -> list[Path]:
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [Path(place, name) for name in sorted(names) if not name.startswith(".")]
    return [path for path in found if path.suffix.lower() in PICTURES]


def _pictures(paths: Sequence[Path], labels: tuple[str, ...]) -> list[Annotated]:
    return [Annotated(path, path.name, _boxes(_labels_of(path), labels)) for path in paths]


def _labels_of(path: Path) -> Path:
    parts = list(path.parts)
    for place in range(len(parts) - 2, -1, -1):
        if parts[place] == "images":
            moved = Path(*parts[:place], "labels", *parts[place + 1 :]).with_suffix(".txt")
            if moved.is_file():
                return moved
            break
    return path.with_suffix(".txt")


def _boxes(path: Path, labels: tuple[str, ...]) -> tuple[Shares, ...]:
    if not path.is_file():
        return ()
    lines = path.read_text("utf-8-sig", "replace").splitlines()
    return tuple(
        _box(line.split(), f"{path.name}, line {number}", labels)
        for number, line in enumerate(lines, start=1)
        if line.strip()
    )


def _box(cells: list[str], where: str, labels: tuple[str, ...]) -> Shares:
    try:
        number, values = int(cells[0]), [float(cell) for cell in cells[1:]]
    except ValueError:
        raise bad_box(where, " ".join(cells)[:80], "a class number and four shares") from None
    outline = len(values) >= 6 and len(values) % 2 == 0
    if len(values) != 4 and not outline:
        raise bad_box(where, f"{len(cells)} numbers", "a class number and four shares")
    if not 0 <= number < len(labels):
        raise unknown_class(where, f"class {number}", labels)
    if not all(-1.0 <= value <= 2.0 for value in values):  # NaN fails too
        raise InputError(
            "not_normalised",
            f"A box is not in shares of its picture: {where}.",
            received=" ".join(cells)[:80],
            allowed="middle and sides from 0 to 1",
            next="Divide x and width by the picture's width, y and height by its height.",
        )
    if outline:
        xs, ys = values[::2], values[1::2]
        return Shares(min(xs), min(ys), max(xs), max(ys), labels[number], where)
    x, y, width, height = values
    if width < 0 or height < 0:
        raise bad_box(where, f"width {width:g}, height {height:g}", "sides from 0 to 1")
    corners = x - width / 2, y - height / 2, x + width / 2, y + height / 2
    return Shares(*corners, labels[number], where)
