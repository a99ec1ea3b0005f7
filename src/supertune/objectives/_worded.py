"""Answers that are texts: what transcripts and translations share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from supertune.contracts import Examples, FloatArray, Judged

ROWS_SHOWN = 60


def targets(examples: Examples) -> npt.NDArray[Any]:
    assert examples.targets is not None
    return examples.targets


def wanted(examples: Examples) -> list[str]:
    return [str(text) for text in targets(examples)]


def first(judged: Judged) -> FloatArray:
    """(n, W) the answers, of the first repeat where there are several."""
    return judged.answers if judged.on_test else judged.answers[0]


def array(texts: Sequence[str | None]) -> npt.NDArray[Any]:
    """(n,) objects."""
    found = np.empty(len(texts), dtype=object)
    found[:] = texts
    return found


def furthest(
    examples: Examples, written: Sequence[str], worth: FloatArray, why: Sequence[str]
) -> list[dict[str, Any]]:
    """Rows whose answer is not what was to be written, those of least worth first.

    Args:
        written: (n,) answers.
        worth: (n,) the higher, the nearer.
        why: (n,) what a person is told of it; of rows where it is "" nothing.
    """
    order = sorted(range(len(worth)), key=lambda i: (worth[i], examples.rows[i]))
    texts = wanted(examples)
    return [
        {
            "row": int(examples.rows[i]),
            "text": str(examples.inputs[i]),
            "label": texts[i],
            "predicted": written[i],
            "why": why[i],
        }
        for i in order[:ROWS_SHOWN]
        if why[i]
    ]
