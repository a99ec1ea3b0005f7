"""Answers that are texts: what transcripts, translations and answers to requests share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from supertune.contracts import ClassWeights, Examples, FloatArray, HeadSpec, Judged
from supertune.contracts.speech import numbered, room_of, texts_of
from supertune.objectives._refusals import own_weights, refuse_costs
from supertune.translations import marked

ROWS_SHOWN = 60
ALIGNED = 40  # rows that the report shows side by side


class Worded:
    """What judges of texts have in common; see `supertune.contracts.Judge`.

    Attributes:
        unweighable: said where classes are to be weighed.
        allowed: the metrics that there are instead, in words.
    """

    unweighable: str
    allowed: str

    def row_weights(self, examples: Examples, classes: ClassWeights) -> FloatArray | None:
        return own_weights(examples, classes, self.unweighable, allowed=self.allowed)

    def costs(
        self, labels: Sequence[str], matrix: Sequence[Sequence[float]] | None
    ) -> FloatArray | None:
        refuse_costs(matrix, "A word has no cost of its own.", allowed=self.allowed)
        return None

    def unknowing(self, examples: Examples) -> FloatArray:
        """(n, W): nothing is written."""
        return numbered([""] * len(examples), room_of(targets(examples)))

    def doubt(self, answers: FloatArray, head: HeadSpec) -> FloatArray:
        return np.ones(len(answers))  # a text says nothing of its own errors


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


def side_by_side(
    judged: Judged,
    before: Judged | None,
    shown: bool,
    worth: Callable[[FloatArray, npt.NDArray[Any]], FloatArray],
) -> dict[str, Any] | None:
    """Source, reference, what the untuned model wrote and what this one writes; first those that
    tuning changed most, for the better and for the worse. None without the untuned model on the
    same rows.

    Args:
        worth: of answers (n, W) and targets (n,), how good each is (n,).
    """
    if before is None or len(before.examples) != len(judged.examples):
        return None
    examples, said = judged.examples, wanted(judged.examples)
    pair = [texts_of(first(one)) for one in (before, judged)]
    start, end = (worth(first(one), targets(examples)) for one in (before, judged))
    gain = end - start
    changed = [i for i in range(len(said)) if pair[0][i] != pair[1][i]]
    order = sorted(changed, key=lambda i: (-gain[i], examples.rows[i]))
    half = ALIGNED // 2
    chosen = order if len(order) <= ALIGNED else [*order[:half], *order[-half:]]
    return {
        "changed": len(changed),
        "better": int((gain[changed] > 0).sum()) if changed else 0,
        "worse": int((gain[changed] < 0).sum()) if changed else 0,
        "rows": len(said),
        "pairs": [
            {
                "row": int(examples.rows[i]),
                "source": str(examples.inputs[i]),
                "reference": said[i],
                "before": marked(said[i], pair[0][i]),
                "after": marked(said[i], pair[1][i]),
                "gain": round(float(gain[i]), 1),
            }
            for i in (chosen if shown else ())
        ],
    }


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
