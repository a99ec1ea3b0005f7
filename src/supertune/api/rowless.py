"""Models that can be kept without any row (`--no-rows`), and those that cannot."""

from __future__ import annotations

from collections.abc import Sequence

from supertune import registry
from supertune.choose import Entry
from supertune.config import Recipe, method_options
from supertune.errors import InputError


def check_method(settled: Recipe) -> None:
    """Raises:
    InputError: ``method_holds_rows``.
    """
    method = settled.method
    if method == "auto":
        return
    said_by = registry.method(method), method_options(settled, method)
    if any(getattr(one, "holds_rows", False) for one in said_by):
        raise InputError(
            "method_holds_rows",
            f"A model of {method} is made of labelled rows, so none can be left out.",
            received="no rows may be kept",
            allowed="a method that keeps numbers alone, such as zero_shot_prompt or linear_probe",
            next="Leave --no-rows out, or choose another --method.",
        )


def check_unlabelled(entries: Sequence[Entry]) -> None:
    """Raises:
    InputError: ``method_holds_rows``.
    """
    holding = [
        entry.candidate.method
        for entry in entries
        if getattr(registry.method(entry.candidate.method), "holds_unlabelled", False)
    ]
    if holding:
        raise InputError(
            "method_holds_rows",
            f"A model of {holding[0]} keeps some of the rows without an answer, to be judged by.",
            received="no rows may be kept, and rows without an answer",
            allowed="one of both",
            next="Leave --no-rows or --unlabeled out.",
        )
