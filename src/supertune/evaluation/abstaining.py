"""What a model keeps to abstain by, and what abstaining costs, for the report."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from supertune.contracts import Examples, FloatArray, Judged
from supertune.errors import InputError
from supertune.evaluation import novelty
from supertune.evaluation.intervals import Estimate, clopper_pearson
from supertune.evaluation.reliability import answered
from supertune.evaluation.selective import Threshold, threshold

Telling = Callable[[FloatArray, npt.NDArray[Any]], tuple[FloatArray, npt.NDArray[np.bool_]]]
LIMITS = (0.01, 0.02, 0.05, 0.1, 0.2)  # errors that the report shows the price of
ABOUT = (
    "thresholds on out-of-fold confidences, tested in a fixed order by the exact bound of Clopper "
    "and Pearson (1934), after Geifman and El-Yaniv (2017) and Learn then Test (Angelopoulos et "
    "al. 2025)"
)


def kept(
    answers: FloatArray, examples: Examples, costs: FloatArray | None
) -> dict[str, npt.NDArray[Any]]:
    """``confidence`` and ``wrong``, (R, n) of out-of-fold answers (R, n, C), and ``units``: how
    many independent rows these are."""
    targets = examples.targets
    assert targets is not None
    pairs = [answered(one, targets, costs) for one in answers]
    return {
        "confidence": np.stack([confidence for confidence, _ in pairs]),
        "wrong": np.stack([~right for _, right in pairs]),
        "units": np.array([novelty.independent(len(targets), examples.groups)]),
    }


def checked(max_error: float) -> float:
    """A limit above 0 and below 1.

    Raises:
        InputError: ``bad_max_error``.
    """
    if not 0 < max_error < 1:
        raise InputError(
            "bad_max_error",
            "The largest error is a share of the answers that are given.",
            received=f"{max_error:g}",
            allowed="more than 0 and less than 1, or 100 %",
            next="For example --max-error 5%, in Python max_error=0.05.",
        )
    return max_error


def limit(calibration: Mapping[str, npt.NDArray[Any]], max_error: float) -> Threshold:
    """The threshold for a limit, from what was `kept`.

    Raises:
        InputError: ``bad_max_error``; ``no_calibration`` where no row was answered out of fold.
    """
    wanted = checked(max_error)
    if "confidence" not in calibration:
        raise InputError(
            "no_calibration",
            "This model cannot tell how often it would be wrong: no labelled row was answered by a "
            "model that had not seen it.",
            received=f"max_error {wanted:g}",
            allowed="a model that was fitted with cross-validation",
            next="Fit it again without --test, or leave --max-error out.",
        )
    wrong = np.asarray(calibration["wrong"], dtype=bool)
    return threshold(calibration["confidence"], wrong, wanted, int(calibration["units"][0]))


def abstentions(
    confidence: FloatArray, calibration: Mapping[str, npt.NDArray[Any]], max_error: float
) -> npt.NDArray[np.bool_]:
    """(n,) rows of this confidence that are not answered; errors as `limit`."""
    return np.asarray(confidence < limit(calibration, max_error).value)


def section(
    calibration: Mapping[str, npt.NDArray[Any]],
    judged: Judged,
    costs: FloatArray | None,
    wanted: float | None,
    told: Telling | None = None,
) -> dict[str, Any]:
    """``abstaining``: for some limits of errors the share of rows that would be answered, and of
    test rows what came of it. ``wanted`` is the limit that the model was fitted under, ``told``
    how sure answers are and whether they are right, where they are no probabilities of labels."""
    if "confidence" not in calibration:
        return {}
    limits = sorted({*LIMITS, *([] if wanted is None else [checked(wanted)])})
    table = [
        _row(calibration, judged, each, told or partial(answered, costs=costs)) for each in limits
    ]
    rows = int(calibration["units"][0])
    return {
        "abstaining": {
            "rows": rows,
            "max_error": wanted,
            "table": table,
            "text": spoken(table, wanted),
            "about": ABOUT,
        }
    }


def _row(
    calibration: Mapping[str, npt.NDArray[Any]],
    judged: Judged,
    max_error: float,
    told: Telling,
) -> dict[str, Any]:
    found = limit(calibration, max_error)
    row: dict[str, Any] = {
        "max_error": max_error,
        "threshold": found.value if math.isfinite(found.value) else None,
        "answered": found.answered,
        "wrong": found.wrong,
        "needed": found.needed,
        "missing": found.missing,
        "test": None,
    }
    if judged.on_test:
        targets = judged.examples.targets
        assert targets is not None
        confidence, right = told(judged.answers, targets)
        given = confidence >= found.value
        row["test"] = {
            "rows": len(targets),
            "answered": int(given.sum()),
            "error": _error(int((~right[given]).sum()), int(given.sum())),
        }
    return row


def _error(wrong: int, rows: int) -> dict[str, Any] | None:
    if not rows:
        return None
    low, high = clopper_pearson(wrong, rows)
    how = f"{rows} test rows that were answered; exact interval of Clopper and Pearson (1934)"
    return Estimate("error", wrong / rows, low, high, how, rows).as_dict()


def spoken(table: Sequence[Mapping[str, Any]], wanted: float | None) -> str:
    """The limit asked for, or 5 %, in words."""
    told = 0.05 if wanted is None else wanted
    row = next(one for one in table if one["max_error"] == told)
    right = f"To be right {_number(100 * (1 - told))} times in 100"
    if row["missing"]:
        missing = f"{row['missing']} more labelled row" + ("s" if row["missing"] > 1 else "")
        none = (
            f"{right}, it cannot promise any answer yet: that takes at least {row['needed']} "
            f"labelled rows, so {missing}."
        )
    elif not row["answered"]:
        none = (
            f"{right}, it would answer none of the rows: even among its surest answers too many "
            "were wrong, or too few rows show that they are right."
        )
    else:
        return f"{right}, it would answer {_share(row)} of rows like these."
    easier = next((one for one in table if one["max_error"] > told and one["answered"]), None)
    if easier is None:
        return none
    times = _number(100 * (1 - easier["max_error"]))
    return f"{none} To be right {times} times in 100, it would answer {_share(easier)} of them."


def _share(row: Mapping[str, Any]) -> str:
    return f"about {100 * row['answered']:.0f} %"


def _number(value: float) -> str:
    return f"{value:.10g}"
