"""Photographs painted again by a fitted model of a style: checked, of bounded size, painted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from supertune import limits
from supertune.contracts import Lens, Painting, Picture, Tuned
from supertune.contracts.styling import Array
from supertune.data.boxes.sizes import upright
from supertune.data.pictures import reading, sources, styles
from supertune.errors import InputError

LARGEST = 1024  # pixels of the longer side, by default
BOUNDS = 16, 4096  # of a side: the network halves a picture twice; memory grows with its area
WINDOW = 256  # pictures of a file read at once
FARTHEST = 4.0  # of a strength, either way


def painter(
    tuned: Tuned, strength: float = 1.0, others: Sequence[tuple[Tuned, float]] = ()
) -> Painting:
    """What paints: the model, or its style blended with others.

    Raises:
        InputError: ``no_stylizer``, ``bad_strength``, ``styles_differ``.
    """
    for one in (tuned, *(other for other, _ in others)):
        if not isinstance(one, Painting):
            raise InputError(
                "no_stylizer",
                "This model does not paint pictures again.",
                received="a model of another task",
                allowed="a model of image_stylization",
                next="Fit one: supertune fit painting.png --task image_stylization",
            )
    assert isinstance(tuned, Painting)
    for weight in (strength, *(weight for _, weight in others)):
        if not -FARTHEST <= weight <= FARTHEST:
            raise InputError(
                "bad_strength",
                "A style is not gone so far to.",
                received=f"{weight:g}",
                allowed=f"{-FARTHEST:g} to {FARTHEST:g}; 0 is the published style, 1 as learned",
                next="For example --strength 0.7.",
            )
    return tuned if strength == 1.0 and not others else tuned.blended(others, strength)


def painted(
    by: Painting,
    lens: Lens,
    pictures: Sequence[Picture],
    *,
    size: int = LARGEST,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[tuple[Picture, tuple[int, int], Array]]:
    """Each picture, its size in pixels (width, height) as it was given, and it painted (h, w, 3),
    the longer side no more than ``size``; one at a time.

    Raises:
        InputError: ``bad_size``, ``picture_too_small``, and what is wrong with files.
    """
    if type(size) is not int or not BOUNDS[0] <= size <= BOUNDS[1]:
        raise InputError(
            "bad_size",
            "Pictures are not painted in that size.",
            received=f"{size} pixels",
            allowed=f"{BOUNDS[0]} to {BOUNDS[1]} pixels for the longer side",
            next=f"For example --size {LARGEST}.",
        )
    for number, picture in enumerate(pictures):
        limits.check()
        pixels = styles.pixels(picture, size)
        if min(pixels.shape[:2]) < BOUNDS[0]:
            raise InputError(
                "picture_too_small",
                f"{picture} is too small to be painted.",
                received=f"{pixels.shape[1]} x {pixels.shape[0]} pixels",
                allowed=f"at least {BOUNDS[0]} pixels a side",
                next="Take a larger copy of it, or leave it out.",
            )
        yield picture, upright(picture), by.painted(pixels, lens)
        if progress is not None:
            progress(number + 1, len(pictures))


def given(source: Any) -> list[Picture]:
    """Photographs of a path, a folder, a table, or a list of anything that is a picture.

    Raises:
        InputError: ``no_photograph`` where there are none, and what is wrong with them.
    """
    if isinstance(source, str | Path):
        windows = sources.stream(source, None, WINDOW)
        found = [one for table, column in windows for one in table.values[column]]
    elif isinstance(source, list | tuple) and len(source) != 1:
        found = [one for part in source for one in given([part])]
    elif isinstance(source, list | tuple) and isinstance(source[0], str | Path):
        return given(source[0])
    else:
        found = list(reading.given(source if isinstance(source, list | tuple) else [source]))
    pictures = [one for one in found if isinstance(one, Picture)]
    if not pictures:
        raise InputError(
            "no_photograph",
            "There is no photograph to paint.",
            received="nothing" if not found else f"{len(found)} empty cells",
            allowed="a picture, a folder of pictures, or a list of them",
            next="For example --picture photo.jpg.",
        )
    return pictures
