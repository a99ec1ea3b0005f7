"""Rows to judge by for a method of which each fit is paid for, where no others are given.

Cross-validation would pay for a fit a fold; one fit answers rows that it did not learn from.
"""

from __future__ import annotations

from dataclasses import replace

from supertune import registry
from supertune.config import Recipe, method_options
from supertune.contracts import Finding, Reading
from supertune.errors import InputError
from supertune.evaluation.splits import repeated_folds
from supertune.pipeline import labelled
from supertune.report.wording import count


def judged_apart(settled: Recipe, reading: Reading) -> Reading:
    """The reading with a share of its rows as test rows, where the method named is ``paid``
    (`supertune.contracts.Method`); else as it is.

    Raises:
        InputError: ``max_error_needs_folds``; as `supertune.evaluation.splits.repeated_folds`.
    """
    if settled.method == "auto" or not getattr(registry.method(settled.method), "paid", False):
        return reading
    if settled.max_error is not None:
        raise InputError(
            "max_error_needs_folds",
            f"A largest error is promised from cross-validation, and {settled.method} would pay "
            "for each fold.",
            received=f"--max-error {settled.max_error:g}",
            allowed="a method that is fitted here, or no --max-error",
            next="Leave --max-error out; `supertune evaluate` says how sure answers are.",
        )
    if reading.test is not None:
        return reading
    examples, share = labelled(reading.train), method_options(settled).set_aside
    sides = repeated_folds(
        examples, folds=max(2, round(1 / share)), repeats=1, seed=settled.seed, stratified=True
    )
    learned, judging = sides[0][0]
    message = (
        f"{count(len(judging), 'row')} of {len(examples)} are set aside to judge the model, since "
        f"cross-validation would pay for a fit a fold; it learns from the other {len(learned)}. "
        "Rows of your own to judge by (--test) leave it all of them."
    )
    return replace(
        reading,
        train=examples.take(learned),
        test=examples.take(judging),
        findings=(*reading.findings, Finding("rows_set_aside", message, severity="info")),
    )
