"""Answers and proposals as files: tables that `supertune fit` reads, and Label Studio's tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from supertune.artifact.swap import whole_json
from supertune.data.media_cells import written
from supertune.data.pictures.formats import is_named_so
from supertune.data.sounds import formats as sounds
from supertune.data.table import Table
from supertune.data.writers import SUFFIXES, RowWriter, check_target
from supertune.errors import InputError
from supertune.labelling.journal import Answer
from supertune.labelling.proposing import Proposal

TASKS = ".json"  # the suffix by which Label Studio's tasks are meant
_NAME = "label"
_SHOWN = {
    "text": "Text",
    "image": "Image",
    "audio": "Audio",
}  # Label Studio's tags by the key of its data


def check(target: Path, *, overwrite: bool, source: object = None) -> None:
    """Refuse a place where proposals cannot or must not be written.

    Raises:
        InputError: ``output_suffix``, or as `supertune.data.writers.check_target`.
    """
    suffix = target.suffix.lower()
    if suffix not in (*SUFFIXES, TASKS):
        raise InputError(
            "output_suffix",
            "The output's suffix says no format that can be written.",
            received=str(target),
            allowed=", ".join((*SUFFIXES, f"{TASKS} (Label Studio)")),
            next=f"For example -o {target.with_suffix('.csv')}",
        )
    as_rows = target.with_suffix(".jsonl") if suffix == TASKS else target
    check_target(as_rows, source=source, overwrite=True)
    if target.exists() and not overwrite:
        check_target(target.with_suffix(".csv") if suffix == TASKS else target)
        raise InputError(
            "output_exists",
            f"{target} exists already.",
            received=str(target),
            allowed="a new name, or --overwrite",
            next="Add --overwrite to replace it, or choose another -o.",
        )


def proposals(
    target: Path, rows: Sequence[Proposal], label: str, *, model: str, overwrite: bool
) -> None:
    """What to label next: a table with an empty column ``label``, or Label Studio's tasks."""
    if target.suffix.lower() == TASKS:
        whole_json(target, [task(row, model=model, folder=target.parent) for row in rows])
        return
    extra: dict[str, Sequence[Any]] = {label: [None] * len(rows)}
    extra["why"] = ["; ".join(row.why) for row in rows]
    if any(row.prediction is not None for row in rows):
        extra["prediction"] = [row.prediction for row in rows]
        extra["confidence"] = [
            None if row.confidence is None else round(row.confidence, 4) for row in rows
        ]
    cells = [
        {name: written(cell, target.parent) for name, cell in row.cells.items()} for row in rows
    ]
    _table(target, cells, [row.row for row in rows], extra, overwrite)


def answered(target: Path, answers: Sequence[Answer], label: str) -> None:
    """The rows that have a label, as `supertune fit` reads them."""
    extra = {label: [one.label for one in answers]}
    _table(target, [one.cells for one in answers], [one.row for one in answers], extra, True)


def answered_tasks(target: Path, answers: Sequence[Answer]) -> None:
    """The rows that have a label, as Label Studio's tasks with an annotation each."""
    whole_json(
        target,
        [
            {
                "data": _data(one.cells, one.row),
                "annotations": [{"result": [_choice(one.label, one.key, _kind(one.cells))]}],
            }
            for one in answers
            if one.label is not None
        ],
    )


def task(row: Proposal, *, model: str, folder: Path = Path()) -> dict[str, Any]:
    """A row as a task of Label Studio, with a prediction where a model gave one; a picture by its
    path from ``folder``, whose files Label Studio must be told to serve."""
    cells = {name: written(cell, folder) for name, cell in row.cells.items()}
    found: dict[str, Any] = {"data": {**_data(cells, row.row), "why": "; ".join(row.why)}}
    if row.prediction is not None and row.confidence is not None:
        score = round(row.confidence, 4)
        choice = {**_choice(row.prediction, row.key, _kind(cells)), "score": score}
        found["predictions"] = [{"model_version": model, "score": score, "result": [choice]}]
    return found


def interface(labels: Sequence[str], cells: Mapping[str, Any]) -> str:
    """Label Studio's labelling interface that tasks of such rows are written for."""
    from xml.sax.saxutils import quoteattr

    kind = _kind(cells)
    choices = "".join(f"<Choice value={quoteattr(name)}/>" for name in labels)
    return (
        f'<View><{_SHOWN[kind]} name="{kind}" value="${kind}"/>'
        f'<Choices name="{_NAME}" toName="{kind}">{choices}</Choices></View>'
    )


def _data(cells: Mapping[str, Any], row: int) -> dict[str, Any]:
    texts = [str(cell) for cell in cells.values() if cell is not None]
    return {_kind(cells): "\n".join(texts), "row": row}


def _kind(cells: Mapping[str, Any]) -> str:
    """What is labelled, by the only cell there is: an image or a sound, or the path of one."""
    only = str(next(iter(cells.values()), "")) if len(cells) == 1 else ""
    if "\n" in only:
        return "text"
    return "image" if is_named_so(only) else "audio" if sounds.is_named_so(only) else "text"


def _choice(label: str | None, key: str, kind: str) -> dict[str, Any]:
    value = {"choices": [label]}
    return {"id": key[:10], "from_name": _NAME, "to_name": kind, "type": "choices", "value": value}


def _table(
    target: Path,
    cells: Sequence[Mapping[str, Any]],
    rows: Sequence[int],
    extra: Mapping[str, Sequence[Any]],
    overwrite: bool,
) -> None:
    names = list(dict.fromkeys(name for row in cells for name in row))
    columns = {name: [row.get(name) for row in cells] for name in names}
    table = Table(columns, np.asarray(rows, dtype=np.int64), target.name)
    with RowWriter(target, overwrite=overwrite) as writer:
        writer.write(table, extra)
