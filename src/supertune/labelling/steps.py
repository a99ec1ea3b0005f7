"""What to type once rows have been labelled, exactly."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

from supertune.labelling.session import Labelling
from supertune.model import Model
from supertune.report.steps import spoken


def named(model: Model | None) -> str | None:
    """The model's folder as a command names it."""
    return None if model is None or model.folder is None else spoken(model.folder)


def fitting(
    begun: Labelling, table: Path, folder: Path | None, labels: Mapping[str, int]
) -> list[str]:
    """Commands to fit from ``table``, or what is missing before that makes sense.

    Args:
        folder: where the model is or is to be; by default it is called after the table.
        labels: how many rows carry each label.
    """
    model, target = begun.model, folder or Path(f"{table.stem}-model")
    if not goes_on(model) and not learnable(labels):
        few = "two labels with two rows each"
        return [f"A fit needs at least {few}: label more rows with the same command."]
    words = ["supertune", "fit", str(table)]
    if goes_on(model):
        words += ["--from", str(target)]
    for name in begun.pool.names:
        words += ["--text", name]
    words += ["--label", begun.column, "-o", str(target)]
    if model is not None or target.exists():
        words.append("--overwrite")
    return [shlex.join(words)]


def learnable(labels: Mapping[str, int]) -> bool:
    """Whether `supertune fit` would take them: two labels or more, each with two rows."""
    return sum(count >= 2 for count in labels.values()) >= 2


def goes_on(model: Model | None) -> bool:
    """Whether a fit can take the model's own rows besides."""
    return model is not None and model.training_rows is not None and model.folder is not None
