"""Annotated pictures as rows: boxes checked against the pictures that they lie on.

Targets are (n, M, 5): x0, y0, x1, y1 in pixels of the upright picture and the class; rows of
boxes that are not there are -1 throughout.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from supertune.contracts import Examples, Finding, FloatArray, Picture
from supertune.data.boxes.annotated import Annotated, Annotations, Box, Shares
from supertune.errors import InputError

SLACK = 1.0  # pixels that a box may reach beyond its picture before it is worth a word
MISFITS = 0.2  # share of boxes wholly or partly outside from which the whole source is refused
Sizes = Callable[[Picture], tuple[int, int]]  # (width, height), upright


@dataclass(eq=False)
class _Noted:
    """Rows with something to be said about their boxes."""

    clipped: list[int] = field(default_factory=list)
    empty: list[int] = field(default_factory=list)
    twice: list[int] = field(default_factory=list)
    bare: list[int] = field(default_factory=list)


def examples(
    annotations: Annotations,
    pictures: Sequence[Annotated],
    sizes: Sizes,
    labels: tuple[str, ...] | None = None,
) -> tuple[Examples, list[Finding]]:
    """Rows of these pictures, and what a person should know about their boxes.

    Args:
        sizes: of a picture, from its header.
        labels: those of a model that exists; None takes the classes that have boxes, by name.

    Raises:
        InputError: ``picture_missing``, ``picture_twice``, ``picture_size_differs``,
            ``box_outside``, ``boxes_do_not_fit``, ``unknown_label``, ``no_boxes``.
    """
    inputs = opened(pictures, annotations.source)
    noted = _Noted()
    boxes: list[list[Box]] = []
    for row, (one, picture) in enumerate(zip(pictures, inputs, strict=True), start=1):
        size = sizes(picture)
        _check_size(one, size)
        boxes.append(_settled(one, size, row, noted))
    count = sum(map(len, boxes))
    if not count:
        raise _no_boxes(annotations.source, len(pictures))
    if len(noted.clipped) > max(1, MISFITS * count):
        raise _misfits(annotations.source, len(noted.clipped), count)
    names = labels or tuple(sorted({box.label for found in boxes for box in found}))
    _check_labels(boxes, names)
    table = targets(boxes, names)
    rows = np.arange(1, len(inputs) + 1)
    declared = () if labels is not None else annotations.labels
    return Examples(inputs, table, names, rows), _findings(noted, declared, names)


def targets(boxes: Sequence[Sequence[Box]], labels: Sequence[str]) -> FloatArray:
    """(n, M, 5), M being the most boxes of one picture and at least 1."""
    most = max(1, max(map(len, boxes), default=0))
    table = np.full((len(boxes), most, 5), -1.0)
    place = {name: number for number, name in enumerate(labels)}
    for row, found in enumerate(boxes):
        ordered = sorted((*box.corners, place[box.label]) for box in found)
        table[row, : len(found)] = np.array(ordered).reshape(-1, 5)
    return table


def opened(pictures: Sequence[Annotated], source: str) -> tuple[Picture, ...]:
    """The pictures themselves.

    Raises:
        InputError: ``picture_missing``, ``picture_twice``.
    """
    missing = [one.name for one in pictures if not one.path.is_file()]
    if missing:
        shown = ", ".join(missing[:3]) + (f" and {len(missing) - 3} more" if missing[3:] else "")
        raise InputError(
            "picture_missing",
            f"Pictures that {source} names are not there.",
            received=f"{len(missing)} of {len(pictures)}: {shown}",
            allowed=f"pictures beside the boxes, such as {pictures[0].path.parent / missing[0]}",
            next="Put the pictures into the folder of the file with the boxes, or in 'images'.",
        )
    seen: dict[Path, str] = {}
    for one in pictures:
        if one.path in seen:
            raise InputError(
                "picture_twice",
                f"{source} has one picture twice.",
                received=f"{seen[one.path]} and {one.name}",
                allowed="each picture once, with all of its boxes",
                next="Put its boxes together.",
            )
        seen[one.path] = one.name
    return tuple(Picture.of(one.path.read_bytes(), one.name, one.path) for one in pictures)


def _check_size(one: Annotated, size: tuple[int, int]) -> None:
    if one.size is None or one.size == size:
        return
    turned = one.size == size[::-1]
    raise InputError(
        "picture_size_differs",
        f"{one.name} is not of the size that its boxes were drawn on.",
        received=f"a picture of {size[0]} x {size[1]} pixels"
        + (", upright by its EXIF orientation" if turned else ""),
        allowed=f"{one.size[0]} x {one.size[1]} pixels",
        next="Put the picture back that was labelled"
        + (", or save it turned, without an orientation." if turned else ", or export again."),
    )


def _settled(one: Annotated, size: tuple[int, int], row: int, noted: _Noted) -> list[Box]:
    """The boxes of one picture, inside it, each once."""
    width, height = size
    found: dict[tuple[float, float, float, float, str], Box] = {}
    for given in one.boxes:
        box = given.on(width, height) if isinstance(given, Shares) else given
        if box.x1 <= 0 or box.y1 <= 0 or box.x0 >= width or box.y0 >= height:
            raise _outside(box, size)
        beyond = max(-box.x0, -box.y0, box.x1 - width, box.y1 - height)
        if beyond > SLACK:
            noted.clipped.append(row)
        kept = Box(
            max(0.0, box.x0), max(0.0, box.y0), min(float(width), box.x1),
            min(float(height), box.y1), box.label, box.where,
        )  # fmt: skip
        key = (*kept.corners, kept.label)
        if kept.x1 - kept.x0 < 1e-6 or kept.y1 - kept.y0 < 1e-6:
            noted.empty.append(row)
        elif key in found:
            noted.twice.append(row)
        else:
            found[key] = kept
    if not found:
        noted.bare.append(row)
    return [*found.values()]


def _check_labels(boxes: Sequence[Sequence[Box]], labels: Sequence[str]) -> None:
    known = set(labels)
    for found in boxes:
        for box in found:
            if box.label not in known:
                raise InputError(
                    "unknown_label",
                    f"A box has a class that the model does not know: {box.where}.",
                    received=repr(box.label),
                    allowed=", ".join(labels[:20]),
                    next="Correct the class, or fit again with boxes of it among the rows.",
                )


def _findings(noted: _Noted, declared: Sequence[str], labels: Sequence[str]) -> list[Finding]:
    def said(code: str, rows: list[int], text: str, severity: str = "warning") -> list[Finding]:
        where = tuple(sorted(set(rows)))
        return [Finding(code, f"{len(rows)} {text}", where, severity)] if rows else []  # type: ignore[arg-type]

    found = [
        *said("box_clipped", noted.clipped, "boxes reach beyond their picture and were cut there."),
        *said("box_empty", noted.empty, "boxes without area were left out."),
        *said("box_twice", noted.twice, "boxes are there twice; one of each was kept."),
        *said(
            "picture_without_boxes",
            noted.bare,
            "pictures have no boxes; what is found on them will count as a false alarm.",
            "info",
        ),
    ]
    unused = [name for name in declared if name not in labels]
    if unused:
        message = f"Classes without a single box are not learned: {', '.join(unused[:10])}."
        found.append(Finding("class_without_boxes", message))
    return found


def _outside(box: Box, size: tuple[int, int]) -> InputError:
    corners = ", ".join(f"{side:g}" for side in box.corners)
    return InputError(
        "box_outside",
        f"A box lies outside its picture: {box.where}.",
        received=f"corners {corners}",
        allowed=f"inside {size[0]} x {size[1]} pixels",
        next="Correct or remove the box; if there are many, the pictures were resized after "
        "they were labelled.",
    )


def _misfits(source: str, clipped: int, count: int) -> InputError:
    return InputError(
        "boxes_do_not_fit",
        f"Many boxes of {source} reach beyond their pictures.",
        received=f"{clipped} of {count} boxes",
        allowed="boxes drawn on pictures of these sizes",
        next="Put the pictures back that were labelled, or export the boxes again.",
    )


def _no_boxes(source: str, pictures: int) -> InputError:
    return InputError(
        "no_boxes",
        f"{source} has no boxes to learn from.",
        received=f"{pictures} pictures, no box with an area",
        allowed="one box or more",
        next="Draw boxes first, or name another file.",
    )
