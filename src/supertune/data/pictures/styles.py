"""From a source of pictures to a `Reading` of pictures of one style; and photographs to paint.

Rows are the pictures of a style. Photographs are no rows of it: they are given as rows without an
answer, or are the two that scikit-learn brings.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from supertune.contracts import (
    STYLE_LOSSES,
    Columns,
    Examples,
    Finding,
    Input,
    Picture,
    Reading,
)
from supertune.contracts.styling import Array
from supertune.data import overlap, sides, text_rows
from supertune.data.cells import counted, listed
from supertune.data.pictures import captions, choosing, glimpses, reading, sources
from supertune.data.pictures.decoding import opened
from supertune.data.table import Table
from supertune.data.text_rows import TextRows
from supertune.errors import EnvironmentFault, InputError

LEAST = 32  # pixels of the shorter side, below which there is no style to see
FLAT = 4  # levels of 256, that the colours of a picture must differ by at least
MOST = 8  # photographs to tune on, and as many to judge by
SAMPLES = ("china.jpg", "flower.jpg")  # to tune on, to judge by
_SHOWN = 3


# --- pictures of a style ------------------------------------------------------------------------


def learned(source: Any, wanted: Columns, test: Any = None) -> Reading:
    """Pictures of a style to learn from and, with ``test``, others of it to judge by. A single
    picture is learned from in quarters, so that some can be judged by.

    Raises:
        InputError: whatever is wrong with files, columns, pictures or weights.
    """
    table, columns, findings = _read(source, wanted)
    rows, apart = _rows(table, columns), None
    if test is not None:
        other, there, more = _read(test, _as_there(test, columns))
        apart, findings = _rows(other, there), [*findings, *more]
    if len(rows) == 1 and apart is None:
        rows, said = captions.quartered(rows)
        findings.append(said)
    if apart is not None:
        apart, shared = overlap.without_overlap(rows, apart, "--test")
        findings += [*shared, *overlap.near_overlap(rows.inputs, apart)]
    train, noticed = captions.prepared(_examples(rows), rows.named)
    return Reading(
        train,
        None if apart is None else text_rows.weighed(_examples(apart)),
        columns,
        (choosing.proof(table, str(columns.picture)),),
        tuple({"picture": str(one)} for one in rows.inputs[:_SHOWN]),
        (*findings, *noticed),
        table.source,
    )


def judged(source: Any, wanted: Columns) -> Reading:
    """Pictures of a style that a model is judged by."""
    table, columns, findings = _read(source, _as_there(source, wanted))
    rows = text_rows.weighed(_examples(_rows(table, columns)))
    samples = tuple({"picture": str(one)} for one in rows.inputs[:_SHOWN])
    return Reading(rows, None, columns, (), samples, tuple(findings), table.source)


def _examples(rows: TextRows) -> Examples:
    """Rows whose answers are losses, none of which is known beforehand."""
    none = np.zeros(len(rows), dtype=np.int64)
    return Examples(rows.inputs, none, STYLE_LOSSES, rows.rows, None, rows.weights)


def _as_there(source: Any, columns: Columns) -> Columns:
    """What a second source need not have is found again."""
    return replace(columns, picture=None if sources.nameless(source) else columns.picture)


def _read(source: Any, wanted: Columns) -> tuple[Table, Columns, list[Finding]]:
    table, columns, findings = reading.rows(source, replace(wanted, label=None, concept=None))
    picture = str(columns.picture)
    for row, one in zip(table.rows, table.values[picture], strict=True):
        if one is None:
            raise InputError(
                "picture_missing",
                "A row has no picture.",
                received=f"row {row}, column '{picture}': an empty cell",
                allowed="a picture in each row",
                next="Fill it in, or take the row out.",
            )
    check(table.values[picture], LEAST, "a picture of a style")
    return table, columns, list(findings)


def _rows(table: Table, columns: Columns) -> TextRows:
    return TextRows(
        tuple(table.values[str(columns.picture)]),
        ((),) * len(table),
        table.rows,
        None if columns.group is None else sides.groups(table, columns.group),
        None if columns.weight is None else sides.weights(table, columns.weight),
        {},
    )


def check(pictures: Sequence[Input], least: int, what: str) -> None:
    """Raises: InputError ``picture_too_small``, ``flat_picture``, and what is wrong with files."""
    given = [one for one in pictures if isinstance(one, Picture)]
    for one, seen in zip(given, glimpses.of(given), strict=True):
        if seen.broken is not None:
            raise seen.broken
        if min(seen.width, seen.height) < least:
            raise InputError(
                "picture_too_small",
                f"{one} is too small for {what}.",
                received=f"{seen.width} x {seen.height} pixels",
                allowed=f"at least {least} pixels a side",
                next="Take a larger copy of it, or leave it out.",
            )
        if int(np.ptp(seen.small, axis=(0, 1)).max()) < FLAT:
            raise InputError(
                "flat_picture",
                f"{one} is of one colour all over, so nothing can be learned from it.",
                received=f"{seen.width} x {seen.height} pixels of nearly one colour",
                allowed="a picture on which something can be seen",
                next="Take another picture.",
            )


# --- photographs --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Photographs:
    """To tune on and to judge by, never the same; ``own`` where a person gave those judged by."""

    tuned: tuple[Picture, ...]
    judged: tuple[Picture, ...]
    own: bool


def photographs(given: Sequence[Input]) -> Photographs:
    """Every other one of those given, in the order of their content, is judged by; of fewer than
    two, scikit-learn's two stand in.

    Raises:
        InputError: as `check`.
        EnvironmentFault: ``samples_missing``.
    """
    own = sorted((one for one in given if isinstance(one, Picture)), key=lambda one: one.sha256)
    check(own, LEAST, "a photograph")
    if len(own) > 1:
        return Photographs(tuple(own[::2][:MOST]), tuple(own[1::2][:MOST]), True)
    first, second = (sample(name) for name in SAMPLES)
    return Photographs((own[0] if own else first,), (second,), False)


def sample(name: str) -> Picture:
    """One of scikit-learn's photographs; the package is not imported.

    Raises:
        EnvironmentFault: ``samples_missing``.
    """
    found = importlib.util.find_spec("sklearn")
    for place in (found.submodule_search_locations or ()) if found is not None else ():
        path = Path(place) / "datasets" / "images" / name
        if path.is_file():
            return Picture.of(path.read_bytes(), name, path)
    raise EnvironmentFault(
        "samples_missing",
        "The photographs that scikit-learn brings are not there.",
        received=f"no {name} in the package scikit-learn",
        allowed="photographs of your own",
        next="Name a folder of some: --unlabeled PHOTOGRAPHS",
    )


def pixels(picture: Picture, largest: int) -> Array:
    """(h, w, 3), the longer side no more than ``largest``.

    Raises:
        InputError: as `decoding.opened`.
    """
    from PIL import Image

    image = opened(picture)
    factor = largest / max(image.size)
    if factor < 1:
        wide, high = (max(1, round(side * factor)) for side in image.size)
        image = image.resize((wide, high), Image.Resampling.BICUBIC)
    return np.asarray(image)


def told(found: Photographs) -> str:
    """Which they are, in a sentence."""
    names = [str(one) for one in found.judged]
    many = len(names) > 1
    return (
        f"Losses are means over {counted(len(names), 'photograph')} that tuning did not see "
        f"({listed(names, _SHOWN)}); it was tuned on {counted(len(found.tuned), 'other one')}. "
        "Intervals are about pictures of the style"
        + ("." if many else ", not about photographs: one tells of no others. ")
        + ("" if found.own and many else " Give photographs of your own with --unlabeled.").lstrip()
    )
