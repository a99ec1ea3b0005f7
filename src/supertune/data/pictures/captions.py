"""From a source of pictures to a `Reading` of pictures with what is said of them.

A caption is a cell of its row, a .txt file of the picture's name, or the name of the folder that
the picture lies in; of pictures without any it is the concept that the person names.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from supertune import registry
from supertune.contracts import Columns, Examples, Finding, Input, Picture, Reading
from supertune.data import checks, grouping, overlap, sides, text_rows
from supertune.data.cells import counted, is_empty, listed, shown
from supertune.data.columns import check_named
from supertune.data.pictures import choosing, glimpses, reading, sources
from supertune.data.pictures.decoding import opened
from supertune.data.table import Table
from supertune.data.text_rows import TextRows
from supertune.errors import InputError

NAMES = ("caption", "captions", "prompt", "prompts", "text", "description", "title", "label")
ANSWER = ("denoising_loss",)  # what is measured of each picture
LEAST = 8  # pixels of the shorter side, below which there is nothing to learn
MOST = 1000  # characters of a caption
PART = " part "  # between the name of a picture and the number of a part of it
_SHOWN = 3
_NO_CAPTIONS = frozenset({*sides.SPLIT_VALUES, "images", "jpegimages", "pictures", "photos"})


def learned(source: Any, wanted: Columns, test: Any = None) -> Reading:
    """Pictures to learn from, and pictures to judge by where ``test`` or a split gives such. A
    single picture is learned from in quarters, so that some can be judged by.

    Raises:
        InputError: whatever is wrong with files, columns, pictures, captions, weights or sides.
    """
    held = _read(source, _checked(wanted))
    rows, apart = held.rows, None
    findings = [*held.findings]
    split = held.columns.split
    if split is not None:
        side = np.array(sides.sides(held.table, split))
        rows, apart = (rows.take(np.flatnonzero(side == name)) for name in ("train", "test"))
        rows = held.rows.take(np.flatnonzero(side != "test"))
        apart = apart if len(apart) else None
    if test is not None:
        if apart is not None:
            raise _two_tests(str(split))
        other = _read(test, _as_there(test, held.columns))
        apart = other.rows
        findings += other.findings
    if not len(rows):
        raise _none_to_learn(held.table.source)
    if len(rows) == 1 and apart is None:
        rows, said = quartered(rows)
        findings.append(said)
    if apart is not None:
        option = "--test" if test is not None else "--split"
        apart, shared = overlap.without_overlap(rows, apart, option)
        findings += [*shared, *overlap.near_overlap(rows.inputs, apart)]
    train, noticed = prepared(examples(rows), rows.named)
    return Reading(
        train,
        None if apart is None else text_rows.weighed(examples(apart)),
        held.columns,
        held.guesses,
        tuple(_sample(one) for one in rows.inputs[:_SHOWN]),
        (*findings, *noticed),
        held.table.source,
    )


def judged(source: Any, wanted: Columns) -> Reading:
    """Pictures that a model is judged by; where there is a split column, its test rows."""
    held = _read(source, _as_there(source, wanted))
    rows = held.rows
    if held.columns.split is not None and held.columns.split in held.table.values:
        side = np.array(sides.sides(held.table, held.columns.split))
        rows = rows.take(np.flatnonzero(side == "test")) if (side == "test").any() else rows
    train = text_rows.weighed(examples(rows))
    return Reading(
        train, None, held.columns, held.guesses, tuple(_sample(one) for one in rows.inputs[:3]),
        tuple(held.findings), held.table.source,
    )  # fmt: skip


def stream(source: Any, wanted: Columns, window: int) -> Iterator[tuple[Table, tuple[Input, ...]]]:
    """Windows of rows and the captioned pictures in them."""
    columns = Columns(picture=wanted.picture)
    for table, inputs in reading.stream(source, columns, window):
        column = _column(table, str(wanted.picture), wanted.label)
        cells = [None] * len(table) if column is None else table.values[column]
        yield (
            table,
            tuple(
                _said(one, cell, int(row), str(column), wanted.concept or "")
                for one, cell, row in zip(inputs, cells, table.rows, strict=True)
                if isinstance(one, Picture)
            ),
        )


def examples(rows: TextRows) -> Examples:
    """Rows whose answer is one loss each, none of which is known beforehand."""
    none = np.zeros(len(rows), dtype=np.int64)
    return Examples(rows.inputs, none, ANSWER, rows.rows, None, rows.weights, dict(rows.slices))


# --- reading ----------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Held:
    table: Table
    rows: TextRows
    columns: Columns
    guesses: tuple[str, ...]
    findings: tuple[Finding, ...]


def _checked(wanted: Columns) -> Columns:
    if wanted.concept is not None and not wanted.concept.strip():
        raise InputError(
            "empty_concept",
            "The concept is empty.",
            received=repr(wanted.concept),
            allowed="a text such as 'a wug clock'",
            next="Say what the pictures show: --concept 'a wug clock'.",
        )
    return wanted


def _as_there(source: Any, columns: Columns) -> Columns:
    """What a second source need not have is left to be found again."""
    if sources.nameless(source):
        return replace(columns, picture=None, label=None, split=None)
    return replace(columns, split=None)


def _read(source: Any, wanted: Columns) -> _Held:
    table, columns, found = reading.rows(source, replace(wanted, label=None))
    picture = str(columns.picture)
    check_named(table, replace(columns, label=wanted.label))
    column = _column(table, picture, wanted.label)
    cells = [None] * len(table) if column is None else list(table.values[column])
    beside = 0
    pictures = []
    for one, cell, row in zip(table.values[picture], cells, table.rows, strict=True):
        if one is None:
            raise _missing_picture(int(row), picture)
        text = _beside(one)
        beside += text is not None
        said = cell if text is None else text
        pictures.append(_said(one, said, int(row), str(column), wanted.concept or ""))
    _check_all(pictures, table)
    if columns.split is None and "split" in table.values:
        columns = replace(columns, split="split")
    settled = replace(columns, label=column, concept=wanted.concept)
    rows = TextRows(
        tuple(pictures),
        ((),) * len(pictures),
        table.rows,
        None if columns.group is None else sides.groups(table, columns.group),
        None if columns.weight is None else sides.weights(table, columns.weight),
        sides.slices(table, columns.slices),
    )
    kept = [one for one in found if not (beside and one.code == "other_files")]
    guesses = (choosing.proof(table, picture), _told(pictures, column, beside, wanted.concept))
    return _Held(table, rows, settled, guesses, tuple(kept))


def _column(table: Table, picture: str, named: str | None) -> str | None:
    """The column of captions: as named, or called like one, or, of a folder, its class folders."""
    if named is not None and named in table.values:
        return named
    there = {name.casefold(): name for name in table.names if name != picture}
    return next((there[name] for name in NAMES if name in there), None)


def _beside(picture: Picture) -> str | None:
    """What a .txt file of the picture's name says; None where there is none."""
    if picture.path is None:
        return None
    path = picture.path.with_suffix(".txt")
    if not path.is_file():
        return None
    try:
        return path.read_text("utf-8-sig").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            "caption_unreadable",
            f"The caption beside {picture} cannot be read.",
            received=f"{path.name}: {type(error).__name__}",
            allowed="a text in UTF-8",
            next="Save it again as UTF-8, or delete it.",
        ) from None


def _said(picture: Picture, cell: Any, row: int, column: str, concept: str) -> Picture:
    """The picture with its caption."""
    if not is_empty(cell) and not isinstance(cell, str):
        raise InputError(
            "bad_caption",
            "A caption is no text.",
            received=f"row {row}, column '{column}': {type(cell).__name__} {shown(cell)}",
            allowed="what the picture shows, in words",
            next="Correct the cell, or name another column with --label NAME.",
        )
    text = "" if is_empty(cell) else " ".join(str(cell).split())
    if text.casefold() in _NO_CAPTIONS:
        text = ""
    if len(text) > MOST:
        raise InputError(
            "caption_too_long",
            "A caption is too long to be one.",
            received=f"row {row}: {len(text):,} characters",
            allowed=f"at most {MOST:,} characters; some 10 words are read",
            next="Shorten it, or name another column with --label NAME.",
        )
    return replace(picture, caption=text or picture.caption or concept.strip())


def _check_all(pictures: Sequence[Picture], table: Table) -> None:
    bare = [int(row) for row, one in zip(table.rows, pictures, strict=True) if not one.caption]
    if bare:
        raise InputError(
            "no_caption",
            f"Nothing says what is on {counted(len(bare), 'picture')} of {table.source}.",
            received=f"rows {listed([str(row) for row in bare], 5)} without a caption",
            allowed="a column of captions, a .txt file beside each picture, or one concept for all",
            next="Say what they show: --concept 'a wug clock'.",
        )
    seen = glimpses.of(pictures)
    for row, one, glimpse in zip(table.rows, pictures, seen, strict=True):
        if min(glimpse.width, glimpse.height) < LEAST:
            raise InputError(
                "picture_too_small",
                f"{one} is too small to learn from.",
                received=f"row {row}: {glimpse.width} x {glimpse.height} pixels",
                allowed=f"at least {LEAST} pixels a side",
                next="Take a larger copy of it, or leave it out.",
            )


def _told(pictures: Sequence[Picture], column: str | None, beside: int, concept: str | None) -> str:
    """How captions were found, in a sentence."""
    kinds = dict.fromkeys(one.caption for one in pictures)
    some = listed([f"'{text}'" for text in kinds], _SHOWN)
    where = f"column '{column}'" if column is not None else "the concept"
    if beside:
        where = f"{counted(beside, 'file')} beside the pictures"
    elif column is None and concept is None:
        where = "the pictures themselves"
    return f"caption: {where} ({some})"


# --- checking ---------------------------------------------------------------------------------


def prepared(made: Examples, named: Sequence[str | None] | None) -> tuple[Examples, list[Finding]]:
    """Rows without copies; those nearly the same stay together where there are others."""
    kept, findings = checks.duplicates(made, named)
    made = made.take(kept)
    named = None if named is None else [named[i] for i in kept]
    clusters = registry.modality("image").alike(made.inputs)
    grouped = grouping.kept_together(made, named, clusters)
    if clusters and grouped.groups is not None and len(set(grouped.groups.tolist())) < 2:
        together = grouping.kept_together(made, named, ())
        message = (
            "The pictures are nearly the same, so that none can be judged by that is unlike those "
            "learned from: the score is too good."
        )
        numbers = tuple(int(row) for row in made.rows)
        return text_rows.weighed(together), [*findings, Finding("near_copies", message, numbers)]
    return text_rows.weighed(grouped), [*findings, *checks.alike(made, clusters)]


def quartered(rows: TextRows) -> tuple[TextRows, Finding]:
    """The quarters of the one picture, as rows."""
    (picture,) = (one for one in rows.inputs if isinstance(one, Picture))
    parts = quarters(picture)
    message = (
        f"{picture} is the only picture: it is learned from in quarters, each judged by a model "
        "of the others. Give others to judge by with --test."
    )
    finding = Finding("one_picture", message, (int(rows.rows[0]),), "info")
    numbers = np.repeat(rows.rows, len(parts))
    return TextRows(tuple(parts), ((),) * len(parts), numbers, None, None, {}), finding


def quarters(picture: Picture) -> list[Picture]:
    """Four pictures, saved without loss."""
    image = opened(picture)
    wide, high = image.size
    found = []
    for number in range(4):
        left, top = number % 2 * wide // 2, number // 2 * high // 2
        stream = io.BytesIO()
        image.crop((left, top, left + wide // 2, top + high // 2)).save(stream, "PNG")
        name = f"{picture.name}{PART}{number + 1}"
        found.append(Picture.of(stream.getvalue(), name, caption=picture.caption))
    return found


def _sample(value: Input) -> dict[str, str]:
    assert isinstance(value, Picture)
    return {"picture": value.name, "caption": value.caption}


def _missing_picture(row: int, column: str) -> InputError:
    return InputError(
        "picture_missing",
        "A row has no picture.",
        received=f"row {row}, column '{column}': an empty cell",
        allowed="a picture in each row",
        next="Fill it in, or take the row out.",
    )


def _two_tests(split: str) -> InputError:
    return InputError(
        "two_test_sets",
        "There are test rows in the split column and a test source as well.",
        received=f"column '{split}' and --test",
        allowed="one of them",
        next="Leave --test out, or take the test rows out.",
    )


def _none_to_learn(source: str) -> InputError:
    return InputError(
        "no_training_rows",
        f"All pictures of {source} are to be judged by.",
        received="test rows alone",
        allowed="pictures to learn from as well",
        next="Mark some as train.",
    )
