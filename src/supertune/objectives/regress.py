"""Values on a scale: errors and residuals, and intervals that new rows fall into.

The intervals are conformal: how wide they are is read off the errors that models made on rows
which they had not seen.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from supertune.contracts import (
    Answers,
    Asked,
    ClassWeights,
    Examples,
    Finding,
    FloatArray,
    HeadSpec,
    Input,
    Judged,
    Values,
    fields_of,
)
from supertune.errors import InputError
from supertune.evaluation.intervals import Z95, Estimate, clopper_pearson

COVERAGE = 0.9  # share of new rows that an interval is meant to hold
ROWS_SHOWN = 60
POINTS_SHOWN = 1000  # rows drawn in a report
TEXT_SHOWN = 400
BARS = 21
FAR = 4.0  # residuals beyond so many robust standard deviations are looked at first


class Regress:
    """See `supertune.contracts.Judge`."""

    name = "regress"
    summary = "a value on a scale"
    baselines = ("mean",)
    rivals = (("mean", "the mean of the rows learned from"),)
    tolerance = 1.0  # for a hair's breadth no one gives up coefficients that can be read
    decider: str | None = None

    def tried(self, rows: str) -> tuple[str, ...]:
        """On features of a backbone, of which there are more than rows, a penalty is needed."""
        if rows == "numbers":
            return ("mean", "linear_regression", "linear_probe")
        return ("mean", "linear_probe", "layered_probe")

    def noticed(self, examples: Examples, folds: int) -> list[Finding]:
        return []

    def row_weights(self, examples: Examples, classes: ClassWeights) -> FloatArray | None:
        """The rows' own weights.

        Raises:
            InputError: ``no_classes`` when classes are to be weighted.
        """
        if classes is not None:
            raise _no_classes("class_weights")
        return examples.weights

    def costs(
        self, labels: Sequence[str], matrix: Sequence[Sequence[float]] | None
    ) -> FloatArray | None:
        """None.

        Raises:
            InputError: ``no_classes`` when classes are to have costs.
        """
        if matrix is not None:
            raise _no_classes("cost_matrix")
        return None

    def unknowing(self, examples: Examples) -> FloatArray:
        return np.zeros((len(examples), 1))

    def breakdown(
        self, judged: Judged, *, seed: int, costs: FloatArray | None, shown: bool
    ) -> dict[str, Any]:
        """``residuals``: how far the answers are off, in figures, as a histogram and, where rows
        may be shown, as (true, predicted) points."""
        targets = _targets(judged.examples)
        predicted = judged.mean[:, 0]
        off = targets - predicted
        low, middle, high = np.quantile(off, (0.05, 0.5, 0.95))
        counts, edges = np.histogram(off, bins=min(BARS, max(3, round(math.sqrt(len(off))))))
        chosen = np.arange(len(off))
        if len(off) > POINTS_SHOWN:
            drawn = np.random.default_rng(seed).choice(len(off), POINTS_SHOWN, replace=False)
            chosen = np.sort(drawn)
        points = np.column_stack([targets, predicted])[chosen] if shown else np.zeros((0, 2))
        return {
            "residuals": {
                "name": judged.examples.labels[0],
                "rows": len(off),
                "mean": float(off.mean()),
                "low": float(low),
                "median": float(middle),
                "high": float(high),
                "edges": edges.tolist(),
                "counts": counts.tolist(),
                "points": points.tolist(),
            }
        }

    def doubt(self, answers: FloatArray, head: HeadSpec) -> FloatArray:
        return np.ones(len(answers))  # a value says nothing of its own error

    def rows_to_look_at(
        self, examples: Examples, answers: FloatArray, shown: bool
    ) -> tuple[list[dict[str, Any]], list[Finding]]:
        """The rows that are furthest off out of fold."""
        targets, mean = _targets(examples), answers.mean(axis=0)[:, 0]
        off = np.abs(targets - mean)
        spread = 1.4826 * float(np.median(off))  # of a normal distribution, its deviation
        order = sorted(range(len(off)), key=lambda i: (-off[i], examples.rows[i]))
        far = [i for i in order if spread > 0 and off[i] > FAR * spread]
        findings = []
        if far:
            numbers = tuple(sorted(int(examples.rows[i]) for i in far))
            message = (
                f"{len(far)} rows have values far from what the others say of them; check them."
                if len(far) > 1
                else "One row has a value far from what the others say of it; check it."
            )
            findings.append(Finding("value_looks_wrong", message, numbers))
        if not shown:
            return [], findings
        rows = [
            {
                "row": int(examples.rows[i]),
                "text": _spoken(examples.inputs[i], examples.columns),
                "label": float(targets[i]),
                "predicted": float(mean[i]),
                "off": float(targets[i] - mean[i]),
                "why": "suspicious" if i in set(far) else "far off",
            }
            for i in order[:ROWS_SHOWN]
        ]
        return rows, findings

    def answers_given(self, examples: Examples) -> dict[str, Any]:
        """The target in figures; ``labels`` is empty."""
        targets = _targets(examples)
        low, first, middle, third, high = np.quantile(targets, (0, 0.25, 0.5, 0.75, 1))
        return {
            "labels": [],
            "target": {
                "name": examples.labels[0],
                "mean": float(targets.mean()),
                "deviation": float(targets.std()),
                "lowest": float(low),
                "quarter": float(first),
                "median": float(middle),
                "three_quarters": float(third),
                "highest": float(high),
            },
        }

    def floor(self, examples: Examples) -> dict[str, Any]:
        """``target_mean``: the mean of the rows."""
        return {"target_mean": float(np.average(_targets(examples), weights=examples.weights))}

    def from_floor(self, kept: Mapping[str, Any], rows: int) -> dict[str, FloatArray]:
        return {"mean": np.full((rows, 1), float(kept["target_mean"]))}

    def calibration(
        self, answers: FloatArray, examples: Examples, costs: FloatArray | None
    ) -> dict[str, npt.NDArray[Any]]:
        """``residuals``: the R n absolute out-of-fold errors, ascending, and ``rows``: n.

        Repeats answer the same n rows, so that they steady the quantile without making it of
        more rows than there are.
        """
        off = np.abs(_targets(examples)[None] - answers[..., 0])
        return {"residuals": np.sort(off, axis=None), "rows": np.array([len(examples)])}

    def check(self, asked: Asked) -> None:
        if asked.max_error is not None:
            raise InputError(
                "no_max_error",
                "Values are off by more or less and not right or wrong, so none is left out.",
                received=f"max_error {asked.max_error:g}",
                allowed="a coverage, for the interval around each value",
                next="Leave the largest error out; `supertune predict --coverage 0.95` widens the "
                "intervals.",
            )
        if asked.coverage is not None and not 0 < asked.coverage < 1:
            raise InputError(
                "bad_coverage",
                "A coverage is a share of new rows.",
                received=f"{asked.coverage:g}",
                allowed="a number above 0 and below 1",
                next="For example 0.9.",
            )

    def bounded(
        self,
        answers: Answers,
        calibration: Mapping[str, npt.NDArray[Any]],
        asked: Asked,
    ) -> Answers:
        """Values plus and minus a quantile of the out-of-fold errors.

        The form of the jackknife+ and CV+ (Barber, Candès, Ramdas and Tibshirani 2021) that is
        centred on the one model that is kept. CV+ itself keeps the model of every fold and then
        holds at least 1 − 2α of new rows whatever they are; this form holds about 1 − α where
        leaving out a fold moves the model little, and promises nothing where it moves it much.
        Rows of one group count as independent. With fewer than about 1 / α rows nothing bounds
        a new one, and the ends are infinite.

        Raises:
            InputError: ``bad_coverage``, ``no_max_error``.
        """
        self.check(asked)
        wanted = COVERAGE if asked.coverage is None else asked.coverage
        assert isinstance(answers, Values)
        if "residuals" not in calibration:
            return answers
        half = half_width(calibration["residuals"], int(calibration["rows"][0]), wanted)
        values = answers.values
        return replace(answers, low=values - half, high=values + half, coverage=wanted)

    def bounds(
        self,
        calibration: Mapping[str, npt.NDArray[Any]],
        judged: Judged,
        costs: FloatArray | None,
        asked: Asked,
    ) -> dict[str, Any]:
        """``intervals``: the half width at the default coverage, and the share ``held`` of test
        rows, with its 95 % interval; None where folds judged, whose errors the width is read off.
        """
        if "residuals" not in calibration:
            return {}
        half = half_width(calibration["residuals"], int(calibration["rows"][0]), COVERAGE)
        held = None
        if judged.on_test:
            off = np.abs(_targets(judged.examples) - judged.answers[:, 0])
            rows, inside = len(off), int((off <= half).sum())
            low, high = clopper_pearson(inside, rows)
            how = f"{rows} test rows; exact interval of Clopper and Pearson (1934)"
            held = Estimate("coverage", inside / rows, low, high, how, rows).as_dict()
        how = (
            "conformal, from the errors out of fold around the model that is kept "
            "(after Barber et al. 2021)"
        )
        return {"intervals": {"coverage": COVERAGE, "half_width": half, "held": held, "about": how}}

    def profile(self, examples: Examples) -> dict[str, tuple[float, float, float]]:
        """The mean, with its normal interval."""
        targets = _targets(examples)
        mean = float(targets.mean())
        half = Z95 * float(targets.std(ddof=1)) / math.sqrt(len(targets)) if len(targets) > 1 else 0
        return {f"mean of {examples.labels[0]}": (mean, mean - half, mean + half)}

    def profile_unlabelled(
        self, answers: FloatArray, prior: Mapping[str, float], seed: int
    ) -> dict[str, tuple[float, float, float]]:
        return {}

    def output(self, logits: FloatArray, head: HeadSpec) -> int:
        return 0

    def contrast(
        self, logits: FloatArray, blank: FloatArray, output: int, head: HeadSpec
    ) -> FloatArray:
        """Towards the side of an input without content that the answer is on."""
        return np.array([-1.0 if logits[0] < blank[0] else 1.0])

    def strength(
        self, logits: FloatArray, output: int, contrast: FloatArray, head: HeadSpec
    ) -> FloatArray:
        return np.asarray(logits @ contrast)

    def decisions(self, answers: Answers) -> tuple[Any, ...] | None:
        return None

    def array(self, answers: Answers, head: HeadSpec) -> npt.NDArray[Any]:
        """(n,) values."""
        return answers.scored[:, 0]

    def table(self, answers: Answers) -> FloatArray:
        raise InputError(
            "no_probabilities",
            "A model that answers with values has no probabilities.",
            received="predict_proba",
            allowed="predict, or predictions for intervals",
            next="Call model.predictions(inputs, coverage=0.9), which has low and high.",
        )


def half_width(residuals: FloatArray, rows: int, coverage: float) -> float:
    """The ⌈coverage (n + 1)⌉-th smallest of n errors; of repeats, the same share of all of
    them. Infinite where that is beyond the last."""
    rank = math.ceil(round(coverage * (rows + 1), 9))  # 0.9 * 10 is 9.000000000000002 elsewhere
    if rank > rows:
        return math.inf
    return float(residuals[math.ceil(rank * len(residuals) / rows) - 1])


OBJECTIVE = Regress()


def _no_classes(key: str) -> InputError:
    return InputError(
        "no_classes",
        f"Values have no classes, so there is nothing for {key} to weigh.",
        received=key,
        allowed="a column of row weights with --weight",
        next=f"Leave {key} out, or choose a task that answers with labels.",
    )


def _targets(examples: Examples) -> FloatArray:
    assert examples.targets is not None
    return examples.targets


def _spoken(value: Input, columns: Sequence[str]) -> str:
    fields = fields_of(value)
    if columns:
        whole = ", ".join(f"{name} {number:.4g}" for name, number in zip(columns, fields))
    else:
        whole = " | ".join(map(str, fields))
    return whole if len(whole) <= TEXT_SHOWN else whole[: TEXT_SHOWN - 1] + "…"
