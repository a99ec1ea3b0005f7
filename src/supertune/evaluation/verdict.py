"""The answer in plain words: is this better than what costs nothing?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from supertune.evaluation.intervals import Estimate
from supertune.metrics import RATES, SPELLED

Answer = Literal["yes", "no", "cannot_tell"]


@dataclass(frozen=True)
class Verdict:
    """``answer``, the sentence that says it, and the paired difference it rests on."""

    answer: Answer
    text: str
    difference: Estimate | None

    def as_dict(self) -> dict[str, Any]:
        gap = self.difference
        return {
            "answer": self.answer,
            "text": self.text,
            "difference": None if gap is None else gap.as_dict(),
        }


def verdict(
    baseline: Estimate,
    difference: Estimate | None,
    *,
    name: str = "bag_of_words",
    larger: bool = True,
    kind: str = "the free baseline",
) -> Verdict:
    """Judge a model by its paired difference (model minus baseline) on the same rows.

    Args:
        baseline: the baseline's own score, shown in the sentence.
        difference: None when the model *is* the baseline.
        name: what the baseline is called.
        larger: whether more of the metric is better.
        kind: what the baseline is, e.g. ``"the majority class"``.

    "yes" only when the whole 95 % interval is on the better side of 0, "no" when it is on the
    worse side, or ends at 0 exactly there; otherwise these rows can't tell.
    """
    known = f"{kind} ({name} {_score(baseline)})"
    if difference is None:
        return Verdict("no", f"The model is {known} itself: nothing tried was better.", None)
    sign = 1.0 if larger else -1.0
    worst = min(sign * difference.low, sign * difference.high)
    best = max(sign * difference.low, sign * difference.high)
    answer: Answer = "yes" if worst > 0 else "no" if best <= 0 else "cannot_tell"
    said = {"yes": "yes", "no": "no", "cannot_tell": "cannot tell"}[answer]
    text = (
        f"Better than {known}: {said} with {difference.rows} rows; "
        f"the difference is {_gap(difference.value, difference, unit=True)}, "
        f"between {_gap(difference.low, difference)} and {_gap(difference.high, difference)}"
    )
    text += "." if larger else " (less is better)."
    return Verdict(answer, text, difference)


def _score(estimate: Estimate) -> str:
    """``.71`` for a rate, as many digits as carry meaning for anything else."""
    if estimate.metric in RATES:
        text = f"{estimate.value:.2f}"
        return text.removeprefix("0")
    return f"{SPELLED.get(estimate.metric, estimate.metric)} {estimate.value:.3g}"


def _gap(value: float, estimate: Estimate, *, unit: bool = False) -> str:
    """``+4 points`` for a rate; one decimal where rounding would hide the sign."""
    if estimate.metric not in RATES:
        metric = SPELLED.get(estimate.metric, estimate.metric)
        return f"{value:+.3g}" + (f" in {metric}" if unit else "")
    points = 100 * value
    digits = 1 if 0 < abs(points) < 0.995 else 0
    text = f"{points:+.{digits}f}"
    if float(text) == 0:
        text = "0"
    if not unit:
        return text
    return f"{text} {'point' if abs(float(text)) == 1 else 'points'}"
