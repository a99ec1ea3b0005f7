"""Scores of labels and of values, for one weighting of the rows or for thousands at once.

Every metric here is a function of sums over rows (`_rows`), so that one matrix product with
the weights (B, n) gives the sums of a whole bootstrap. Shapes: n rows, C labels, B weightings.

Conventions follow scikit-learn: 0 / 0 counts as 0, and macro averages run over the labels that
occur among the true or predicted labels *of that weighting*. A resample is thus scored as if it
had been written out row by row.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from supertune.contracts import FIGURES, FloatArray, IntArray
from supertune.contracts.voices import UNVOICED
from supertune.errors import InputError

CLASSIFICATION: dict[str, bool] = {
    "accuracy": True,
    "balanced_accuracy": True,
    "macro_precision": True,
    "macro_recall": True,
    "macro_f1": True,
    "weighted_precision": True,
    "weighted_recall": True,
    "weighted_f1": True,
    "log_loss": False,
    "brier": False,
    "calibration_error": False,
    "cost": False,
}
"""Metric -> larger is better. ``cost`` is there only when a cost matrix is given."""

MULTI_LABEL: dict[str, bool] = {
    "accuracy": True,
    "micro_precision": True,
    "micro_recall": True,
    "micro_f1": True,
    "macro_precision": True,
    "macro_recall": True,
    "macro_f1": True,
    "weighted_precision": True,
    "weighted_recall": True,
    "weighted_f1": True,
    "log_loss": False,
    "brier": False,
    "calibration_error": False,
}
"""Metric -> larger is better. ``accuracy`` counts rows whose whole set of labels is right."""

REGRESSION: dict[str, bool] = {"mae": False, "rmse": False, "r2": True}
"""Metric -> larger is better. ``mae`` and ``rmse`` are in the units of what is measured."""

DETECTION: dict[str, bool] = {"map": True, "map50": True, "map75": True, "ar": True}
"""Metric -> larger is better. See `supertune.average_precision`."""

DENOISING: dict[str, bool] = {"skill": True, "denoising_loss": False}
"""Metric -> larger is better. ``skill`` is the share of the untuned model's loss that is saved."""

STYLIZING: dict[str, bool] = {"skill": True, "style_loss": False, "content_loss": False}
"""Metric -> larger is better. ``skill`` is the share of the style loss of the nearest published
style that is saved."""

VOICING: dict[str, bool] = {"similarity": True, "wer": False, "pitch_gap": False}
"""Metric -> larger is better. ``similarity`` of a spoken sentence to the voice that is learned
lies between -1 and 1; ``wer`` is of what a recogniser writes down of it; ``pitch_gap`` is how many
semitones its pitch lies from the recordings'."""

SPELLED = {"map": "mAP", "map50": "mAP50", "map75": "mAP75", "ar": "AR"}
SPELLED |= {"mae": "MAE", "rmse": "RMSE", "r2": "R²", "wer": "WER", "cer": "CER"}
SPELLED |= {"ndcg@10": "NDCG@10", "mrr": "MRR"}
SPELLED |= {"chrf": "chrF++", "bleu": "BLEU", "ter": "TER", "rouge_l": "ROUGE-L"}
"""How metrics are written where their name is not a word."""

RATES = frozenset(
    name for name, larger in {**CLASSIFICATION, **MULTI_LABEL, **DETECTION}.items() if larger
)
"""Metrics that are a share of right answers, between 0 and 1."""

LOSSES = frozenset(
    name
    for kind in (CLASSIFICATION, MULTI_LABEL, REGRESSION, DENOISING, STYLIZING, VOICING)
    for name, larger in kind.items()
    if not larger
)
"""Metrics that are 0 at best and have no upper end, or one far away."""

HIGHEST = {"chrf": 100.0, "bleu": 100.0, "exact": 1.0, "placeholders": 1.0}
"""Metrics between 0 and this whose interval is none of a share of rows, and is cut there."""

BINS = 10
THRESHOLD = 0.5


def decide(probabilities: FloatArray, costs: FloatArray | None = None) -> IntArray:
    """(n,) most probable label, or with ``costs`` (C, C) the one of least expected cost."""
    if costs is None:
        return np.asarray(probabilities.argmax(axis=1))
    return np.asarray((probabilities @ np.asarray(costs)).argmin(axis=1))


def classification(
    probabilities: FloatArray,
    targets: npt.NDArray[Any],
    weights: FloatArray | None = None,
    costs: FloatArray | None = None,
) -> dict[str, FloatArray]:
    """All metrics of `CLASSIFICATION`, B values each.

    Args:
        probabilities: (n, C), rows sum to 1.
        targets: (n,) label indices, none of them negative.
        weights: (B, n) non-negative, or None for one weighting of all ones.
        costs: (C, C) cost of answering column j when row i is true. Moves the decision to the
            least expected cost and adds the metric ``cost``, the mean cost of a row.

    ``brier`` is half the sum over labels of the squared difference (Brier 1950), so it lies in
    [0, 1]; ``calibration_error`` is the expected calibration error over 10 equal bins of the
    predicted label's probability (Naeini et al. 2015). A weighting of all zeros means nothing.

    Raises:
        InputError: ``probabilities_not_finite`` when training diverged.
    """
    chances = _finite(probabilities)
    n = len(chances)
    predicted = decide(chances, costs)
    truth = _one_hot(targets, chances.shape[1])
    correct = predicted == targets
    true_chance = chances[np.arange(n), targets]
    columns = [
        np.ones(n),
        correct,
        _surprise(true_chance),
        0.5 * ((chances - truth) ** 2).sum(axis=1),
    ]
    if costs is not None:
        columns.append(np.asarray(costs, dtype=np.float64)[targets, predicted])
    gaps = _bin_gaps(chances[np.arange(n), predicted], correct)
    sums = _sums(weights, *columns, gaps)
    size = sums[:, :1]
    counts = _counts(truth, _one_hot(predicted, chances.shape[1]), weights)
    means = _divide(sums, size, np.nan)
    scores = {"accuracy": means[:, 1], **_averages(*counts)}
    scores["log_loss"], scores["brier"] = means[:, 2], means[:, 3]
    scores["calibration_error"] = np.abs(means[:, -BINS:]).sum(axis=1)
    if costs is not None:
        scores["cost"] = means[:, 4]
    return scores


def multi_label(
    probabilities: FloatArray,
    targets: npt.NDArray[Any],
    weights: FloatArray | None = None,
) -> dict[str, FloatArray]:
    """All metrics of `MULTI_LABEL`, B values each; a label is predicted from 0.5 on.

    Args:
        probabilities: (n, C), each between 0 and 1.
        targets: (n, C) zeros and ones.
        weights: (B, n) or None.

    ``log_loss`` and ``brier`` are means over the C yes/no questions, and ``calibration_error``
    takes each of these as one answer with confidence max(p, 1 - p).

    Raises:
        InputError: ``probabilities_not_finite`` when training diverged.
    """
    chances = _finite(probabilities)
    truth = np.asarray(targets, dtype=np.float64)
    predicted = (chances >= THRESHOLD).astype(np.float64)
    correct = predicted == truth
    true_chance = np.where(truth > 0, chances, 1.0 - chances)
    confidence = np.where(predicted > 0, chances, 1.0 - chances)
    n, labels = chances.shape
    gaps = _bin_gaps(confidence.ravel(), correct.ravel()).reshape(n, labels, BINS).mean(axis=1)
    sums = _sums(
        weights,
        np.ones(n),
        correct.all(axis=1),
        _surprise(true_chance).mean(axis=1),
        ((chances - truth) ** 2).mean(axis=1),
        gaps,
    )
    means = _divide(sums, sums[:, :1], np.nan)
    hits, support, answered = _counts(truth, predicted, weights)
    pooled = [part.sum(axis=1) for part in (hits, support, answered)]
    scores = {
        "accuracy": means[:, 1],
        "micro_precision": _divide(pooled[0], pooled[2], 0.0),
        "micro_recall": _divide(pooled[0], pooled[1], 0.0),
        "micro_f1": _divide(2 * pooled[0], pooled[1] + pooled[2], 0.0),
        **_averages(hits, support, answered),
    }
    del scores["balanced_accuracy"]
    scores["log_loss"], scores["brier"] = means[:, 2], means[:, 3]
    scores["calibration_error"] = np.abs(means[:, -BINS:]).sum(axis=1)
    return scores


def regression(
    answers: FloatArray,
    targets: npt.NDArray[Any],
    weights: FloatArray | None = None,
) -> dict[str, FloatArray]:
    """All metrics of `REGRESSION`, B values each.

    Args:
        answers: (n, 1) values.
        targets: (n,) values, all finite.
        weights: (B, n) or None.

    ``r2`` is one minus the squared error's share of the variance of the targets *of that
    weighting*; where these are all equal it is 0. It is below 0 for what is worse than their
    mean.

    Raises:
        InputError: ``values_not_finite`` when training diverged.
    """
    values = np.asarray(answers, dtype=np.float64)[:, 0]
    truth = np.asarray(targets, dtype=np.float64)
    bad = int((~np.isfinite(values)).sum())
    if bad:
        raise InputError(
            "values_not_finite",
            "Some answers are not numbers: training diverged.",
            received=f"{bad} of {len(values)} rows",
            allowed="finite values",
            next="Lower the learning rate, or choose another method.",
        )
    off = values - truth
    centred = truth - truth.mean() if len(truth) else truth  # squares of large numbers lose digits
    sums = _sums(weights, np.ones(len(off)), np.abs(off), off**2, centred, centred**2)
    size = sums[:, 0]
    total = sums[:, 4] - _divide(sums[:, 3] ** 2, size, 0.0)
    # What rounding leaves of targets that are all equal is no variance.
    total = np.where(total > 1e-12 * sums[:, 4], total, 0.0)
    return {
        "mae": _divide(sums[:, 1], size, np.nan),
        "rmse": np.sqrt(_divide(sums[:, 2], size, np.nan)),
        "r2": np.where(total > 0, 1.0 - _divide(sums[:, 2], total, 0.0), 0.0),
    }


def denoising(answers: FloatArray, weights: FloatArray | None = None) -> dict[str, FloatArray]:
    """All metrics of `DENOISING`, B values each.

    Args:
        answers: (n, 2 T) losses of a tuned denoiser and, behind them, of the untuned one.
        weights: (B, n) or None.

    Raises:
        InputError: ``values_not_finite`` when training diverged.
    """
    losses = _finite_losses(answers)
    half = losses.shape[1] // 2
    own, untuned = losses[:, :half].mean(axis=1), losses[:, half:].mean(axis=1)
    sums = _sums(weights, np.ones(len(own)), own, untuned)
    return {
        "skill": 1.0 - _divide(sums[:, 1], sums[:, 2], 1.0),
        "denoising_loss": _divide(sums[:, 1], sums[:, 0], np.nan),
    }


def stylizing(answers: FloatArray, weights: FloatArray | None = None) -> dict[str, FloatArray]:
    """All metrics of `STYLIZING`, B values each.

    Args:
        answers: (n, 4) as `supertune.contracts.STYLE_LOSSES` names them.
        weights: (B, n) or None.

    Raises:
        InputError: ``values_not_finite`` when training diverged.
    """
    losses = _finite_losses(answers)
    sums = _sums(weights, np.ones(len(losses)), losses)
    return {
        "skill": 1.0 - _divide(sums[:, 1], sums[:, 2], 1.0),
        "style_loss": _divide(sums[:, 1], sums[:, 0], np.nan),
        "content_loss": _divide(sums[:, 3], sums[:, 0], np.nan),
    }


def voicing(answers: FloatArray, weights: FloatArray | None = None) -> dict[str, FloatArray]:
    """All metrics of `VOICING`, B values each.

    Args:
        answers: (n, 10) as `supertune.contracts.FIGURES` names them. A sentence in which
            nothing is voiced has no part in the gap.
        weights: (B, n) or None.
    """
    told = dict(zip(FIGURES, np.asarray(answers, dtype=np.float64).T, strict=True))
    gap = told["pitch"] - told["own_pitch"]
    known = np.minimum(told["pitch"], told["own_pitch"]) > UNVOICED
    columns = (told["errors"], told["words"], told["similarity"], np.where(known, gap, 0.0), known)
    sums = _sums(weights, np.ones(len(gap)), np.column_stack(columns).astype(np.float64))
    return {
        "similarity": _divide(sums[:, 3], sums[:, 0], np.nan),
        "wer": _divide(sums[:, 1], sums[:, 2], np.nan),
        "pitch_gap": np.abs(_divide(sums[:, 4], sums[:, 5], np.nan)),
    }


def _finite_losses(answers: FloatArray) -> FloatArray:
    losses = np.asarray(answers, dtype=np.float64)
    bad = int((~np.isfinite(losses)).any(axis=1).sum())
    if bad:
        raise InputError(
            "values_not_finite",
            "Some losses are not numbers: training diverged.",
            received=f"{bad} of {len(losses)} pictures",
            allowed="finite losses",
            next="Lower the learning rate, or choose another method.",
        )
    return losses


def per_class(
    probabilities: FloatArray,
    targets: npt.NDArray[Any],
    weights: FloatArray | None = None,
    costs: FloatArray | None = None,
    *,
    undefined: float = 0.0,
) -> dict[str, FloatArray]:
    """``precision``, ``recall`` and ``f1`` of each label, (B, C) each.

    ``targets`` is (n,), or (n, C) when a row may have several labels. ``undefined`` is what
    0 / 0 gives: a bootstrap asks for nan, so that resamples without the label are left out.
    """
    hits, support, answered = label_counts(probabilities, targets, weights, costs)
    return {
        "precision": _divide(hits, answered, undefined),
        "recall": _divide(hits, support, undefined),
        "f1": _divide(2 * hits, support + answered, undefined),
    }


def label_counts(
    probabilities: FloatArray,
    targets: npt.NDArray[Any],
    weights: FloatArray | None = None,
    costs: FloatArray | None = None,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Weight of the rows answered rightly, truly so, and answered so, per label: (B, C) each."""
    truth, predicted = _indicators(probabilities, targets, costs)
    return _counts(truth, predicted, weights)


def confusion(
    probabilities: FloatArray, targets: npt.NDArray[Any], costs: FloatArray | None = None
) -> IntArray:
    """(C, C) counts; rows are true labels, columns predicted ones.

    Raises:
        ValueError: when rows may have several labels; no such table exists then.
    """
    if np.ndim(targets) != 1:
        raise ValueError("a confusion matrix needs one label a row")
    labels = probabilities.shape[1]
    cells = np.asarray(targets) * labels + decide(probabilities, costs)
    return np.bincount(cells, minlength=labels * labels).reshape(labels, labels)


def _indicators(
    probabilities: FloatArray, targets: npt.NDArray[Any], costs: FloatArray | None
) -> tuple[FloatArray, FloatArray]:
    if np.ndim(targets) == 2:
        return np.asarray(targets, np.float64), (probabilities >= THRESHOLD).astype(np.float64)
    labels = probabilities.shape[1]
    return _one_hot(targets, labels), _one_hot(decide(probabilities, costs), labels)


def _finite(probabilities: FloatArray) -> FloatArray:
    chances = np.asarray(probabilities, dtype=np.float64)
    bad = int((~np.isfinite(chances)).any(axis=1).sum())
    if bad:
        raise InputError(
            "probabilities_not_finite",
            "Some probabilities are not numbers: training diverged.",
            received=f"{bad} of {len(chances)} rows",
            allowed="finite probabilities",
            next="Lower the learning rate, or choose another method.",
        )
    return chances


def _one_hot(index: npt.NDArray[Any], labels: int) -> FloatArray:
    hot = np.zeros((len(index), labels))
    hot[np.arange(len(index)), index] = 1.0
    return hot


def _surprise(chance: FloatArray) -> FloatArray:
    floor = np.finfo(np.float64).eps
    return np.asarray(-np.log(np.clip(chance, floor, 1.0)))


def _bin_gaps(confidence: FloatArray, correct: npt.NDArray[Any]) -> FloatArray:
    """(n, BINS): right minus confident, in the column of the row's bin."""
    hot = _one_hot(confidence_bin(confidence), BINS)
    return np.asarray(hot * (correct - confidence)[:, None])


def confidence_bin(confidence: FloatArray) -> IntArray:
    """(n,) which of the 10 equal bins of [0, 1] a confidence falls in; the last holds 1."""
    return np.minimum((np.asarray(confidence) * BINS).astype(np.int64), BINS - 1)


def _sums(weights: FloatArray | None, *columns: npt.NDArray[Any]) -> FloatArray:
    """(B, K) weighted sums over rows of columns (n,) or (n, k)."""
    table = np.column_stack([np.asarray(column, np.float64) for column in columns])
    return table.sum(axis=0, keepdims=True) if weights is None else np.asarray(weights @ table)


def _counts(
    truth: FloatArray, predicted: FloatArray, weights: FloatArray | None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Right, true and answered weight of each label, (B, C) each."""
    sums = _sums(weights, truth * predicted, truth, predicted)
    hits, support, answered = np.split(sums, 3, axis=1)
    return hits, support, answered


def _averages(hits: FloatArray, support: FloatArray, answered: FloatArray) -> dict[str, FloatArray]:
    precision = _divide(hits, answered, 0.0)
    recall = _divide(hits, support, 0.0)
    f1 = _divide(2 * hits, support + answered, 0.0)
    occurs = (support + answered) > 0
    scores = {"balanced_accuracy": _mean(recall, support > 0)}
    for kind, mass in (("macro", occurs), ("weighted", support)):
        for name, values in (("precision", precision), ("recall", recall), ("f1", f1)):
            scores[f"{kind}_{name}"] = _mean(values, mass)
    return scores


def _mean(values: FloatArray, mass: npt.NDArray[Any]) -> FloatArray:
    return _divide((values * mass).sum(axis=1), mass.sum(axis=1), 0.0)


def _divide(top: FloatArray, bottom: npt.NDArray[Any], undefined: float) -> FloatArray:
    held = np.asarray(bottom, dtype=np.float64)
    safe = np.where(held > 0, held, 1.0)
    return np.asarray(np.where(held > 0, top / safe, undefined))
