"""What every format of boxes is read into: pictures by path, and boxes in their pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from supertune.contracts import Finding
from supertune.errors import InputError

PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif")
FORMATS = "COCO (.json), Label Studio (.json), Pascal VOC (.xml), YOLO (data.yaml or classes.txt)"


@dataclass(frozen=True)
class Box:
    """Corners in pixels from the upper left, a label, and where it was read, for a person."""

    x0: float
    y0: float
    x1: float
    y1: float
    label: str
    where: str

    @property
    def corners(self) -> tuple[float, float, float, float]:
        return self.x0, self.y0, self.x1, self.y1


@dataclass(frozen=True)
class Shares:
    """As `Box`, in shares of the picture's width and height."""

    x0: float
    y0: float
    x1: float
    y1: float
    label: str
    where: str

    def on(self, width: int, height: int) -> Box:
        """In pixels of a picture of that size."""
        return Box(
            self.x0 * width,
            self.y0 * height,
            self.x1 * width,
            self.y1 * height,
            self.label,
            self.where,
        )


@dataclass(frozen=True)
class Annotated:
    """A picture and its boxes; ``size`` is (width, height) as the format has it, if it does."""

    path: Path
    name: str
    boxes: tuple[Box | Shares, ...]
    size: tuple[int, int] | None = None


@dataclass(frozen=True)
class Annotations:
    """One source: pictures to learn from, some to judge by where the source says so, the names
    that it declares, and what was noticed."""

    pictures: tuple[Annotated, ...]
    labels: tuple[str, ...]
    source: str
    kind: str
    held_out: tuple[Annotated, ...] = ()
    findings: tuple[Finding, ...] = ()


def located(name: str, folders: Sequence[Path]) -> Path:
    """Where a picture is, by the name that a file gives it; the first place where it is not."""
    bare = name.replace("\\", "/")
    tries = [folder / bare for folder in folders]
    tries += [folder / Path(bare).name for folder in folders]
    return next((path for path in tries if path.is_file()), tries[0])


def four(values: Any, where: str) -> tuple[float, float, float, float]:
    """Four finite numbers.

    Raises:
        InputError: ``bad_box``.
    """
    try:
        a, b, c, d = (float(value) for value in values)
    except (TypeError, ValueError):
        raise bad_box(where, repr(values)[:80], "four numbers") from None
    if not all(map(math.isfinite, (a, b, c, d))):
        raise bad_box(where, repr(values)[:80], "four finite numbers")
    return a, b, c, d


def bad_box(where: str, received: str, allowed: str) -> InputError:
    return InputError(
        "bad_box",
        f"A box cannot be read: {where}.",
        received=received,
        allowed=allowed,
        next="Correct or remove this box.",
    )


def unknown_class(where: str, received: str, known: Sequence[str]) -> InputError:
    return InputError(
        "unknown_class",
        f"A box has a class that is not declared: {where}.",
        received=received,
        allowed=", ".join(known[:20]) + (" ..." if len(known) > 20 else "") or "none is declared",
        next="Declare the class, or correct the box.",
    )


def not_boxes(source: str, received: str, next: str = "") -> InputError:
    return InputError(
        "no_box_format",
        f"{source} holds no boxes in a format that is known.",
        received=received,
        allowed=FORMATS,
        next=next or "Export the boxes from the labelling tool as COCO JSON.",
    )
