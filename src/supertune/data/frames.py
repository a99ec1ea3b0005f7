"""Tables of other libraries, recognised only if the person imported those libraries."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from supertune.data.parquet import named
from supertune.data.table import Table
from supertune.data.windows import checked_names, tidy, window_of
from supertune.errors import InputError

_Part = Callable[[int, int], list[Sequence[Any]]]  # columns of the rows from start to stop


def library(source: Any) -> str | None:
    """ "pandas", "polars" or "datasets" when that library made this object."""
    name = type(source).__module__.split(".")[0]
    return name if name in _READERS and name in sys.modules else None


def windows(source: Any, window: int) -> Iterator[Table]:
    """Windows of a frame or data set of `library`.

    Raises:
        InputError: ``unknown_source``, ``dataset_dict``, ``duplicate_column``,
            ``too_many_columns``, and those of `tidy`.
    """
    kind = str(library(source))
    names, count, part = _READERS[kind](source)
    called = f"a {kind} {type(source).__name__} of {count:,} rows"
    checked_names(names, called)
    for start in range(0, max(1, count), window):
        columns = part(start, min(start + window, count))
        tidied = {
            name: tidy(name, cells, start + 1, called)
            for name, cells in zip(names, columns, strict=True)
        }
        yield window_of(tidied, start + 1, called)


def _pandas(source: Any) -> tuple[list[str], int, _Part]:
    if type(source).__name__ == "Series":
        return ["text"], len(source), lambda start, stop: [_listed(source.iloc[start:stop])]
    if type(source).__name__ != "DataFrame":
        raise _unknown(source, "Pass a DataFrame with a text and a label column.")
    names = ["/".join(map(str, n)) if isinstance(n, tuple) else str(n) for n in source.columns]

    def part(start: int, stop: int) -> list[Sequence[Any]]:
        rows = source.iloc[start:stop]
        return [_listed(rows.iloc[:, at]) for at in range(len(names))]

    return names, len(source), part


def _listed(column: Any) -> list[Any]:
    missing = column.isna().tolist()
    return [None if gone else cell for cell, gone in zip(column.tolist(), missing, strict=True)]


def _polars(source: Any) -> tuple[list[str], int, _Part]:
    if type(source).__name__ == "Series":
        return ["text"], len(source), lambda start, stop: [source[start:stop].to_list()]
    if type(source).__name__ != "DataFrame":
        lazy = type(source).__name__ == "LazyFrame"
        step = "Pass frame.collect()." if lazy else "Pass a DataFrame."
        raise _unknown(source, step)

    def part(start: int, stop: int) -> list[Sequence[Any]]:
        return [column.to_list() for column in source.slice(start, stop - start).get_columns()]

    return list(source.columns), source.height, part


def _datasets(source: Any) -> tuple[list[str], int, _Part]:
    kind = type(source).__name__
    if kind.endswith("Dict"):
        splits = ", ".join(map(repr, source))
        raise InputError(
            "dataset_dict",
            "This holds several data sets, one a split.",
            received=f"{kind} with {splits}",
            allowed="one datasets.Dataset",
            next='Pass data["train"], and test=data["test"] where there is one.',
        )
    if kind != "Dataset":
        raise _unknown(source, "Pass datasets.Dataset.from_list(list(data)).")
    source = source.with_format(None)  # Python's own values, not tensors
    for name, feature in source.features.items():
        if type(feature).__name__ == "Image":  # its bytes, which are looked at before decoding
            source = source.cast_column(name, type(feature)(decode=False))
    spelt = {
        name: list(feature.names)
        for name, feature in source.features.items()
        if type(feature).__name__ == "ClassLabel"
    }

    def part(start: int, stop: int) -> list[Sequence[Any]]:
        rows = source[start:stop]
        return [named(rows[name], spelt.get(name)) for name in source.column_names]

    return list(source.column_names), len(source), part


def _unknown(source: Any, step: str) -> InputError:
    kind = type(source)
    return InputError(
        "unknown_source",
        f"A {kind.__name__} cannot be read as rows.",
        received=f"{kind.__module__}.{kind.__qualname__}",
        allowed="a pandas or polars DataFrame, a datasets.Dataset, a path, or a list",
        next=step,
    )


_READERS: dict[str, Callable[[Any], tuple[list[str], int, _Part]]] = {
    "pandas": _pandas,
    "polars": _polars,
    "datasets": _datasets,
}
