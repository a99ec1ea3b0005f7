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
    """The command to fit from ``table``, or what is missing before that makes sense.

    Args:
        folder: where the model is or is to be; by default it is called after the table.
        labels: how many rows carry each label.
    """
    if not goes_on(begun.model) and not learnable(labels):
        few = "two labels with two rows each"
        return [f"A fit needs at least {few}: label more rows with the same command."]
    target = folder or Path(f"{table.stem}-model")
    replaces = begun.model is not None or target.exists()
    return [command(table, target, options(begun), goes_on(begun.model), replaces)]


def command(table: Path, target: Path, how: list[str], onwards: bool, replaces: bool) -> str:
    """``supertune fit`` of a table, going on from the model in ``target`` or replacing it."""
    words = ["supertune", "fit", str(table), *(["--from", str(target)] if onwards else []), *how]
    return shlex.join([*words, "-o", str(target), *(["--overwrite"] if replaces else [])])


def options(begun: Labelling) -> list[str]:
    """How a fit is to read a table of these rows; nothing where its model says so already."""
    model, names = begun.model, begun.pool.names
    columns = None if model is None else model.columns
    if columns is not None and goes_on(model):
        own = (columns.numbers or columns.text, columns.label)
        if own == (names, begun.column):
            return []
    words = [] if model is None else ["--task", model.task]
    each = "--text" if columns is None or not columns.numbers else "--column"
    for name in names:
        words += [each, name]
    return [*words, "--label", begun.column]


def learnable(labels: Mapping[str, int]) -> bool:
    """Whether `supertune fit` would take them: two labels or more, each with two rows."""
    return sum(count >= 2 for count in labels.values()) >= 2


def goes_on(model: Model | None) -> bool:
    """Whether a fit can take the model's own rows besides."""
    return model is not None and model.training_rows is not None and model.folder is not None
