"""`supertune.detect`: boxes that a model finds, as COCO JSON and drawn on the pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from supertune.artifact.swap import whole_json
from supertune.contracts import Detections, Picture
from supertune.errors import InputError
from supertune.model import Model

WINDOW = 32  # pictures at a time


def detect(
    model: Model,
    source: Any,
    *,
    coco: str | Path | None = None,
    draw: str | Path | None = None,
    threshold: float | None = None,
    overwrite: bool = False,
    progress: Callable[[str, int, int | None], None] | None = None,
) -> dict[str, Any]:
    """Find things on pictures.

    Args:
        source: a picture, a folder of pictures, or pictures with boxes in any format.
        coco: a .json file to write: ``images``, ``categories``, and ``annotations`` with a
            ``score``, those below the threshold too.
        draw: a folder to write the pictures into, with the boxes from the threshold on.
        threshold: the score from which on a box counts as found; the model's own by default.
        overwrite: whether files may be replaced.

    Returns:
        ``pictures``, ``boxes`` found, by label too (``counts``), ``threshold``, and the places
        that were written.

    Raises:
        InputError: ``no_detector``, ``bad_threshold``, ``output_exists``, ``output_suffix``, and
            what is wrong with the pictures.

    Example:
        >>> supertune.detect(model, "photographs", coco="found.json", draw="drawn")
    """
    _check(model, coco, draw, threshold, overwrite)
    content = _dataset(model.labels)
    counts = dict.fromkeys(model.labels, 0)
    used, number = threshold, 0
    for _, inputs in model.workshop.task.stream(source, model.columns, WINDOW):
        answers = model.predictions(list(inputs))
        assert isinstance(answers, Detections)
        answers = answers if threshold is None else replace(answers, threshold=threshold)
        used = answers.threshold
        for picture, boxes, rows in zip(inputs, answers.found(), answers.boxes, strict=True):
            assert isinstance(picture, Picture)
            number += 1
            for one in boxes:
                counts[one["label"]] += 1
            _add(content, picture, number, rows)
            if draw is not None:
                _draw(Path(draw), picture, boxes, model.labels, number)
        if progress is not None:
            progress("detect", number, None)
    if coco is not None:
        whole_json(Path(coco), content, indent=None)
    return {
        "pictures": number,
        "boxes": sum(counts.values()),
        "counts": counts,
        "threshold": used,
        "coco": None if coco is None else str(coco),
        "drawn": None if draw is None else str(draw),
    }


def _check(
    model: Model,
    coco: str | Path | None,
    draw: str | Path | None,
    threshold: float | None,
    overwrite: bool,
) -> None:
    if not model.head.boxes:
        raise InputError(
            "no_detector",
            "This model does not answer with boxes.",
            received=f"a model of {model.task}",
            allowed="a model of object_detection",
            next="`supertune predict` asks any model.",
        )
    if threshold is not None and not 0 <= threshold <= 1:
        raise InputError(
            "bad_threshold",
            "A threshold is a score.",
            received=f"{threshold:g}",
            allowed="a number from 0 to 1",
            next="For example 0.3.",
        )
    if coco is not None and Path(coco).suffix.lower() != ".json":
        raise InputError(
            "output_suffix",
            "COCO's format is JSON.",
            received=str(coco),
            allowed="a name that ends in .json",
            next=f"For example --coco {Path(coco).with_suffix('.json')}",
        )
    for place in (coco, draw):
        if place is not None and Path(place).exists() and not overwrite:
            raise InputError(
                "output_exists",
                f"{place} is there already.",
                received=str(place),
                allowed="a new name",
                next="Choose another name, or add --overwrite.",
            )


def _dataset(labels: tuple[str, ...]) -> dict[str, Any]:
    names = [{"id": place, "name": name} for place, name in enumerate(labels, 1)]
    return {"images": [], "categories": names, "annotations": []}


def _add(content: dict[str, Any], picture: Picture, number: int, rows: Any) -> None:
    from supertune.data.boxes.sizes import upright

    width, height = upright(picture)
    image = {"id": number, "file_name": picture.name, "width": width, "height": height}
    content["images"].append(image)
    for x0, y0, x1, y1, score, name in rows[rows[:, 5] >= 0].tolist():
        wide, high = x1 - x0, y1 - y0
        content["annotations"].append(
            {
                "id": len(content["annotations"]) + 1,
                "image_id": number,
                "category_id": int(name) + 1,
                "bbox": [round(side, 2) for side in (x0, y0, wide, high)],
                "area": round(wide * high, 2),
                "iscrowd": 0,
                "score": round(score, 5),
            }
        )


def _draw(folder: Path, picture: Picture, boxes: Any, labels: tuple[str, ...], number: int) -> None:
    from supertune.report.boxes import drawn

    folder.mkdir(parents=True, exist_ok=True)
    name = Path(picture.name.replace("\\", "/")).stem or "picture"
    drawn(picture, boxes, labels).save(folder / f"{number:04}-{name}.jpg", "JPEG", quality=90)
