"""The numbers of a fit, gathered into the one dictionary that report.json holds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from supertune import metrics
from supertune.choose import Decision, mean_answers
from supertune.contracts import Columns, Examples, Finding, FloatArray, Reading
from supertune.evaluation.breakdown import by_slice, per_class_from_folds, per_class_from_test
from supertune.evaluation.intervals import Estimate, from_folds, from_test, paired
from supertune.evaluation.reliability import bins
from supertune.evaluation.suspects import suspects
from supertune.evaluation.verdict import Verdict, verdict
from supertune.pipeline import Workshop

ROWS_SHOWN = 60
TEXT_SHOWN = 400


@dataclass(frozen=True, eq=False)
class Judged:
    """Answers and what they are judged on: a test file (n, C), or folds (R, n, C)."""

    examples: Examples
    probabilities: FloatArray
    on_test: bool
    folds: int | None = None


def scores(workshop: Workshop, judged: Judged, names: Sequence[str]) -> dict[str, Estimate]:
    """The named metrics with their intervals."""
    examples, score = judged.examples, workshop.score(judged.examples.labels)
    shared: dict[str, Any] = {
        "seed": workshop.recipe.seed,
        "groups": examples.groups,
        "weights": examples.weights,
    }
    targets = _targets(examples)
    if judged.on_test:
        return from_test(score, judged.probabilities, targets, names, **shared)
    return from_folds(score, judged.probabilities, targets, names, folds=judged.folds, **shared)


def available(workshop: Workshop, examples: Examples) -> list[str]:
    """The metrics that these rows can be scored by."""
    known = metrics.MULTI_LABEL if examples.multi_label else metrics.CLASSIFICATION
    own = [name for name in workshop.task.metrics if name in known or name == workshop.metric]
    return [name for name in own if name != "cost" or workshop.recipe.cost_matrix is not None]


def breakdown(workshop: Workshop, judged: Judged) -> dict[str, Any]:
    """Everything below the headline: per class, confusion, reliability, slices."""
    examples, targets = judged.examples, _targets(judged.examples)
    costs = workshop.costs(examples.labels)
    shared: dict[str, Any] = {
        "seed": workshop.recipe.seed,
        "groups": examples.groups,
        "weights": examples.weights,
    }
    mean = judged.probabilities if judged.on_test else judged.probabilities.mean(axis=0)
    if judged.on_test:
        each = per_class_from_test(judged.probabilities, targets, costs=costs, **shared)
    else:
        each = per_class_from_folds(
            judged.probabilities, targets, costs=costs, folds=judged.folds, **shared
        )
    score = workshop.score(examples.labels)
    slices = {
        column: [
            {**part, "estimate": part["estimate"].as_dict()}
            for part in by_slice(
                score, judged.probabilities, targets, workshop.metric, values, **shared
            )
        ]
        for column, values in examples.slices.items()
    }
    return {
        "per_class": [
            {
                "label": label,
                "rows": found["recall"].rows,
                **{name: estimate.as_dict() for name, estimate in found.items()},
            }
            for label, found in zip(examples.labels, each, strict=True)
        ],
        "confusion": None
        if examples.multi_label
        else {
            "labels": list(examples.labels),
            "counts": metrics.confusion(mean, targets, costs).tolist(),
        },
        "reliability": bins(mean, targets),
        "slices": slices,
    }


def judgement(
    workshop: Workshop,
    model: Judged,
    baselines: Mapping[str, Judged],
    decision: Decision,
) -> Verdict:
    """Is the model better than the free baseline, on the rows that both were judged on?"""
    name = "bag_of_words" if "bag_of_words" in baselines else "majority"
    kind = "the free baseline" if name == "bag_of_words" else "the majority class"
    base = baselines[name]
    own = scores(workshop, base, [workshop.metric])[workshop.metric]
    larger = workshop.task.metrics[workshop.metric]
    if decision.candidate.method == name:
        return verdict(own, None, name=name, larger=larger, kind=kind)
    if not model.on_test and decision.choice is not None and decision.choice.difference is not None:
        gap = decision.choice.difference
    else:
        gap = paired(
            workshop.score(model.examples.labels),
            model.probabilities,
            base.probabilities,
            _targets(model.examples),
            workshop.metric,
            seed=workshop.recipe.seed,
            groups=model.examples.groups,
            weights=model.examples.weights,
        )
    return verdict(own, gap, name=name, larger=larger, kind=kind)


def rows_to_look_at(
    examples: Examples, decision: Decision, shown: bool
) -> tuple[list[dict[str, Any]], list[Finding]]:
    """Rows answered wrongly out of fold, the suspicious ones first; and the finding about them."""
    if decision.assessed is None:
        return [], []
    targets, mean = _targets(examples), mean_answers(decision.assessed)
    doubted = [one.row for one in suspects(decision.assessed.probabilities, targets)]
    chosen = _labels(mean, examples)
    given = _labels(targets, examples) if targets.ndim == 2 else _named(targets, examples)
    wrong = [i for i in range(len(examples)) if chosen[i] != given[i] and i not in set(doubted)]
    wrong.sort(key=lambda i: -float(mean[i].max()))
    findings = []
    if doubted:
        numbers = tuple(sorted(int(examples.rows[i]) for i in doubted))
        message = (
            f"{len(doubted)} rows have labels that look wrong; check them before trusting either."
        )
        if len(doubted) == 1:
            message = "One row has a label that looks wrong; check it."
        findings.append(Finding("label_looks_wrong", message, numbers))
    if not shown:
        return [], findings
    listed = [(i, "suspicious") for i in doubted] + [(i, "wrong") for i in wrong]
    rows = [
        {
            "row": int(examples.rows[i]),
            "text": _text(examples.inputs[i]),
            "label": _spoken(given[i]),
            "predicted": _spoken(chosen[i]),
            "confidence": float(mean[i].max()),
            "why": why,
        }
        for i, why in listed[:ROWS_SHOWN]
    ]
    return rows, findings


def candidates(decision: Decision) -> list[dict[str, Any]]:
    """Every candidate with its own score, its time, and why it ended as it did."""
    table = {one.name: one for one in decision.choice.table} if decision.choice else {}
    listed = []
    for entry in decision.entries:
        standing = table.get(str(entry.candidate))
        listed.append(
            {
                "backbone": entry.candidate.backbone,
                "method": entry.candidate.method,
                "estimate": None if standing is None else standing.estimate.as_dict(),
                "seconds": None if entry.assessed is None else entry.assessed.seconds,
                "status": entry.status,
                "why": entry.why,
            }
        )
    return listed


def data_section(
    reading: Reading, examples: Examples, *, unlabelled: int, shown: bool
) -> dict[str, Any]:
    """Where the rows came from and how their columns were understood."""
    targets = _targets(examples)
    counts = (
        targets.sum(axis=0)
        if targets.ndim == 2
        else np.bincount(targets, minlength=len(examples.labels))
    )
    return {
        "source": reading.source,
        "rows": len(examples),
        "unlabelled": unlabelled,
        "labels": [
            {"name": name, "rows": int(count)}
            for name, count in zip(examples.labels, counts, strict=True)
        ],
        "columns": columns_section(reading.columns),
        "guesses": list(reading.guesses),
        "samples": [dict(sample) for sample in reading.samples] if shown else [],
        "holds_rows": shown,
    }


def columns_section(columns: Columns) -> dict[str, Any]:
    """The columns that were used, as JSON."""
    return {
        "text": list(columns.text),
        "label": columns.label,
        "split": columns.split,
        "group": columns.group,
        "time": columns.time,
        "weight": columns.weight,
        "slices": list(columns.slices),
        "template": columns.template,
        "pair": columns.pair,
        "separator": columns.separator,
    }


def finite(value: Any) -> Any:
    """The same JSON value with NaN and infinities as None."""
    if isinstance(value, Mapping):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _targets(examples: Examples) -> npt.NDArray[Any]:
    assert examples.targets is not None
    return examples.targets


def _labels(values: npt.NDArray[Any], examples: Examples) -> list[tuple[str, ...]]:
    if examples.multi_label:
        return [
            tuple(name for name, share in zip(examples.labels, row, strict=True) if share >= 0.5)
            for row in values
        ]
    return [(examples.labels[int(index)],) for index in values.argmax(axis=1)]


def _named(targets: npt.NDArray[Any], examples: Examples) -> list[tuple[str, ...]]:
    return [(examples.labels[int(index)],) for index in targets]


def _spoken(labels: tuple[str, ...]) -> str:
    return ", ".join(labels) or "none"


def _text(value: Any) -> str:
    whole = value if isinstance(value, str) else " | ".join(value)
    return whole if len(whole) <= TEXT_SHOWN else whole[: TEXT_SHOWN - 1] + "…"
