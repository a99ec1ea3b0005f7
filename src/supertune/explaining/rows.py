"""The labelled rows behind an answer: those most like it, and those that spoke for and against.

Likeness is the cosine of features, or what the model itself compares by. What a row spoke is the
exact change of the answer were the row left out, where the method knows it (`Influencing`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from supertune import registry
from supertune.config import method_options
from supertune.contracts import (
    Comparing,
    Examples,
    FloatArray,
    Influencing,
    Input,
    Problem,
    as_json,
)
from supertune.explaining.subject import Question, Subject

NEAREST, SPOKEN = 3, 3
FEWEST = 1e-9  # a change this small is rounding


@dataclass(frozen=True)
class LabelledRow:
    """One row that the model learned from; ``weight`` is its likeness or what it spoke."""

    input: Input
    label: Any
    weight: float

    def as_dict(self, name: str) -> dict[str, Any]:
        return {"input": as_json(self.input), "label": self.label, name: self.weight}


def nearest(subject: Subject, value: Input, count: int = NEAREST) -> list[LabelledRow]:
    """The kept rows most like an input; none where there is nothing to compare by."""
    rows = subject.rows
    if rows is None or subject.columns:
        return []
    if isinstance(subject.tuned, Comparing):
        alike = subject.tuned.likeness([value], rows.inputs, subject.lens)[0]
    elif subject.lens is not None and "features" in subject.lens.backbone.offer.capabilities:
        own = subject.lens.features([value], prediction=True)[0]
        others = subject.lens.features(rows.inputs)
        lengths = np.linalg.norm(others, axis=1) * np.linalg.norm(own)
        alike = others @ own / np.maximum(lengths, 1e-12)
    else:
        return []
    chosen = np.argsort(-alike, kind="stable")[:count]
    return [_row(rows, int(i), float(alike[i])) for i in chosen if alike[i] > 0]


def influence(question: Question) -> FloatArray | None:
    """(n,) what each kept row adds to the contrast: positive speaks for the answer. None where
    the method does not know."""
    subject = question.subject
    method = registry.method(subject.workshop.recipe.method)
    if subject.rows is None or not isinstance(method, Influencing):
        return None
    problem: Problem = subject.workshop.problem(subject.rows, subject.backbone)
    options = method_options(subject.workshop.recipe)
    changes = method.influence(problem, options, [question.parts.value])[0]
    return np.asarray(changes @ question.contrast)


def spoke(question: Question, count: int = SPOKEN) -> dict[str, list[LabelledRow]] | None:
    """``for`` and ``against`` the answer, the strongest first; as `influence`."""
    found = influence(question)
    rows = question.subject.rows
    if found is None or rows is None:
        return None
    order = np.argsort(-found, kind="stable")
    strongest = [i for i in order[:count] if found[i] > FEWEST]
    weakest = [i for i in order[::-1][:count] if found[i] < -FEWEST]
    return {
        "for": [_row(rows, int(i), float(found[i])) for i in strongest],
        "against": [_row(rows, int(i), float(found[i])) for i in weakest],
    }


def _row(rows: Examples, place: int, weight: float) -> LabelledRow:
    assert rows.targets is not None
    target = rows.targets[place]
    label: Any
    if rows.valued:
        label = float(target)
    elif rows.multi_label:
        label = [name for name, on in zip(rows.labels, target, strict=True) if on]
    else:
        label = rows.labels[int(target)]
    return LabelledRow(rows.inputs[place], label, weight)
