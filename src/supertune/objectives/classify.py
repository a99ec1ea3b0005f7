"""Labels: how classes weigh and cost, and where a classifier's answers are wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from supertune import metrics
from supertune.contracts import (
    Answers,
    Asked,
    ClassWeights,
    Examples,
    Finding,
    FloatArray,
    HeadSpec,
    Input,
    IntArray,
    Judged,
    Predictions,
    fields_of,
)
from supertune.data import label_checks
from supertune.errors import InputError, unknown_name
from supertune.evaluation import abstaining, shift, temperature
from supertune.evaluation.breakdown import per_class_from_folds, per_class_from_test
from supertune.evaluation.reliability import bins
from supertune.evaluation.suspects import suspects

ROWS_SHOWN = 60
TEXT_SHOWN = 400


class Classify:
    """See `supertune.contracts.Judge`."""

    name = "classify"
    summary = "one label of several, or any number of them"
    baselines = ("majority", "label_names", "bag_of_words")
    rivals = (("bag_of_words", "the free baseline"), ("majority", "the majority class"))
    tolerance = 2.0
    decider: str | None = "log_loss"  # it sees how sure answers are, so few rows say more

    def tried(self, rows: str) -> tuple[str, ...]:
        return (
            *("bag_of_words", "label_names", "named_probe", "linear_probe", "layered_probe"),
            "contrastive",
        )

    def noticed(self, examples: Examples, folds: int) -> list[Finding]:
        return label_checks.small_classes(examples, folds)

    def row_weights(self, examples: Examples, classes: ClassWeights) -> FloatArray | None:
        """Row weights times class weights.

        Raises:
            InputError: ``unknown_label``, ``bad_class_weight``.
        """
        targets = examples.targets
        if classes is None or targets is None or examples.multi_label:
            return examples.weights
        if isinstance(classes, str):  # "balanced"
            counts = np.maximum(np.bincount(targets, minlength=len(examples.labels)), 1)
            by_class = len(targets) / (len(examples.labels) * counts)
        else:
            odd = sorted(set(classes) - set(examples.labels))
            if odd:
                raise unknown_name("label", odd[0], examples.labels)
            by_class = np.array([float(classes.get(label, 1.0)) for label in examples.labels])
            if not (np.isfinite(by_class).all() and (by_class > 0).all()):
                raise _bad_class_weight(classes)
        weights = by_class[targets] * (1.0 if examples.weights is None else examples.weights)
        return np.asarray(weights / weights.mean())

    def costs(
        self, labels: Sequence[str], matrix: Sequence[Sequence[float]] | None
    ) -> FloatArray | None:
        """As an array.

        Raises:
            InputError: ``bad_cost_matrix``.
        """
        if matrix is None:
            return None
        widths = [len(row) for row in matrix]
        if widths != [len(labels)] * len(labels):
            shape = f"{len(widths)} rows of {', '.join(map(str, sorted(set(widths)))) or 0} costs"
            raise InputError(
                "bad_cost_matrix",
                "The cost matrix does not fit the labels.",
                received=shape,
                allowed=f"{len(labels)} x {len(labels)}, rows and columns in the order "
                + ", ".join(labels),
                next="Give one row of costs for each true label.",
            )
        return np.asarray(matrix, dtype=np.float64)

    def unknowing(self, examples: Examples) -> FloatArray:
        count = len(examples.labels)
        return np.full((len(examples), count), 1 / count)

    def breakdown(
        self, judged: Judged, *, seed: int, costs: FloatArray | None, shown: bool
    ) -> dict[str, Any]:
        """Per class, confusion, reliability."""
        examples, targets = judged.examples, _targets(judged.examples)
        shared: dict[str, Any] = {
            "seed": seed,
            "groups": examples.groups,
            "weights": examples.weights,
            "costs": costs,
        }
        if judged.on_test:
            each = per_class_from_test(judged.answers, targets, **shared)
        else:
            each = per_class_from_folds(judged.answers, targets, folds=judged.folds, **shared)
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
                "counts": metrics.confusion(judged.mean, targets, costs).tolist(),
            },
            "reliability": bins(judged.mean, targets),
        }

    def doubt(self, answers: FloatArray, head: HeadSpec) -> FloatArray:
        """One minus the margin of the likeliest label (Scheffer et al. 2001); of several labels
        a row, of the one nearest to one half."""
        if head.multi_label:
            return np.asarray(1 - np.abs(2 * answers - 1).min(axis=1))
        if answers.shape[1] < 2:
            return np.ones(len(answers))
        ordered = np.sort(answers, axis=1)
        return np.asarray(1 - (ordered[:, -1] - ordered[:, -2]))

    def rows_to_look_at(
        self, examples: Examples, answers: FloatArray, shown: bool
    ) -> tuple[list[dict[str, Any]], list[Finding]]:
        """Rows answered wrongly out of fold, the suspicious ones first."""
        targets, mean = _targets(examples), np.asarray(answers.mean(axis=0))
        doubted = [one.row for one in suspects(answers, targets)]
        chosen = _labels(mean, examples)
        given = _labels(targets, examples) if targets.ndim == 2 else _named(targets, examples)
        wrong = [i for i in range(len(examples)) if chosen[i] != given[i] and i not in set(doubted)]
        wrong.sort(key=lambda i: -float(mean[i].max()))
        findings = _look_wrong(examples, doubted)
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

    def answers_given(self, examples: Examples) -> dict[str, Any]:
        """How many rows carry each label."""
        targets = _targets(examples)
        counts = (
            targets.sum(axis=0)
            if targets.ndim == 2
            else np.bincount(targets, minlength=len(examples.labels))
        )
        return {
            "labels": [
                {"name": name, "rows": int(count)}
                for name, count in zip(examples.labels, counts, strict=True)
            ]
        }

    def floor(self, examples: Examples) -> dict[str, Any]:
        """``class_shares``: the share of the rows that carry each label."""
        targets = _targets(examples)
        if examples.multi_label:
            return {"class_shares": targets.mean(axis=0).tolist()}
        counts = np.bincount(targets, minlength=len(examples.labels))
        return {"class_shares": (counts / len(targets)).tolist()}

    def from_floor(self, kept: Mapping[str, Any], rows: int) -> dict[str, FloatArray]:
        if "class_shares" not in kept:  # fitted elsewhere
            return {}
        shares = np.asarray(kept["class_shares"], dtype=np.float64)
        return {"majority": np.tile(shares, (rows, 1))}

    def calibrated(
        self,
        answers: FloatArray,
        examples: Examples,
        folds: Sequence[Sequence[tuple[IntArray, IntArray]]],
    ) -> tuple[FloatArray, dict[str, Any]]:
        """One temperature, where it lowers the log loss; see `supertune.evaluation.temperature`."""
        scaling, found = temperature.calibrated(
            answers, _targets(examples), folds, examples.weights
        )
        return found, scaling.as_dict()

    def calibration(
        self, answers: FloatArray, examples: Examples, costs: FloatArray | None
    ) -> dict[str, npt.NDArray[Any]]:
        """How sure out-of-fold answers were, and whether they were wrong."""
        return abstaining.kept(answers, examples, costs)

    def check(self, asked: Asked) -> None:
        if asked.coverage is not None:
            raise InputError(
                "no_intervals",
                "Labels have probabilities and no intervals.",
                received=f"coverage {asked.coverage:g}",
                allowed="a coverage for models that answer with values",
                next="Leave the coverage out; --max-error 5% is the like of it for labels.",
            )
        if asked.max_error is not None:
            abstaining.checked(asked.max_error)

    def bounded(
        self,
        answers: Answers,
        calibration: Mapping[str, npt.NDArray[Any]],
        asked: Asked,
    ) -> Answers:
        """The answers, without those that a limit of errors forbids.

        Raises:
            InputError: ``no_intervals``, ``bad_max_error``, ``no_calibration``.
        """
        self.check(asked)
        if asked.max_error is None:
            return answers
        assert isinstance(answers, Predictions)
        left = abstaining.abstentions(answers.confidence, calibration, asked.max_error)
        return replace(answers, abstained=left)

    def bounds(
        self,
        calibration: Mapping[str, npt.NDArray[Any]],
        judged: Judged,
        costs: FloatArray | None,
        asked: Asked,
    ) -> dict[str, Any]:
        """``abstaining``: which share of rows is answered under which limit of errors."""
        return abstaining.section(calibration, judged, costs, asked.max_error)

    def profile(self, examples: Examples) -> dict[str, tuple[float, float, float]]:
        """The share of each label."""
        given = self.answers_given(examples)["labels"]
        counts = np.array([one["rows"] for one in given], dtype=np.float64)
        return shift.counted(examples.labels, counts, len(examples))

    def profile_unlabelled(
        self, answers: FloatArray, prior: Mapping[str, float], seed: int
    ) -> dict[str, tuple[float, float, float]]:
        """By EM; labels that may come together have no shares that add up."""
        shares = np.array(list(prior.values()))
        if len(shares) < 2 or not np.allclose(answers.sum(axis=1), 1.0):
            return {}
        return shift.estimated(list(prior), answers, shares / shares.sum(), seed=seed)

    def output(self, logits: FloatArray, head: HeadSpec) -> int:
        """The likeliest label."""
        return int(np.argmax(logits))

    def contrast(
        self, logits: FloatArray, blank: FloatArray, output: int, head: HeadSpec
    ) -> FloatArray:
        """The label's score less the mean of the others, each as likely as it is among them."""
        found = np.zeros(len(logits))
        if not head.multi_label and len(logits) > 1:
            others = np.delete(np.arange(len(logits)), output)
            raised = np.exp(logits[others] - logits[others].max())
            found[others] = -raised / raised.sum()
        found[output] = 1.0
        return found

    def strength(
        self, logits: FloatArray, output: int, contrast: FloatArray, head: HeadSpec
    ) -> FloatArray:
        """The label's probability."""
        over = (
            0.0
            if head.multi_label
            else np.logaddexp.reduce(np.delete(logits, output, axis=1), axis=1)
        )
        return np.asarray(np.exp(-np.logaddexp(0.0, over - logits[:, output])))

    def decisions(self, answers: Answers) -> tuple[Any, ...] | None:
        assert isinstance(answers, Predictions)
        return answers.labels

    def array(self, answers: Answers, head: HeadSpec) -> npt.NDArray[Any]:
        """(n,) strings, or (n,) tuples for several labels; None where the model abstains."""
        assert isinstance(answers, Predictions)
        if not head.multi_label and answers.abstained is None:
            return np.asarray(answers.labels, dtype=np.str_)
        found = np.empty(len(answers), dtype=object)
        found[:] = list(answers.given)
        return found

    def table(self, answers: Answers) -> FloatArray:
        return answers.scored


OBJECTIVE = Classify()


def _bad_class_weight(wanted: Mapping[str, float]) -> InputError:
    return InputError(
        "bad_class_weight",
        "A class weight is not a number above zero.",
        received=", ".join(f"{label}: {weight}" for label, weight in sorted(wanted.items())),
        allowed="numbers above zero; a class that is not named weighs 1",
        next="Correct the weight, or leave rows of a class that should not count out of the file.",
    )


def _look_wrong(examples: Examples, doubted: Sequence[int]) -> list[Finding]:
    if not doubted:
        return []
    numbers = tuple(sorted(int(examples.rows[i]) for i in doubted))
    message = f"{len(doubted)} rows have labels that look wrong; check them before trusting either."
    if len(doubted) == 1:
        message = "One row has a label that looks wrong; check it."
    return [Finding("label_looks_wrong", message, numbers)]


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


def _text(value: Input) -> str:
    whole = " | ".join(map(str, fields_of(value)))
    return whole if len(whole) <= TEXT_SHOWN else whole[: TEXT_SHOWN - 1] + "…"
