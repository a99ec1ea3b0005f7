"""Which column holds pictures, or recordings: as the person says, otherwise found with the proof
beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from supertune.contracts import Columns
from supertune.data import column_names
from supertune.data.cells import counted, is_empty, listed
from supertune.data.nearest import missing_column
from supertune.data.table import Table
from supertune.errors import InputError


@dataclass(frozen=True)
class Sort:
    """What is looked for.

    Attributes:
        noun: of one, for a person: "picture".
        role: of the column, and the option that names it: "picture".
        usual: names that such a column often has.
        is_one: whether a cell is one by itself.
        named_so: whether a file is called like one.
        foreign: endings of files that are something else.
    """

    noun: str
    role: str
    usual: frozenset[str]
    is_one: Callable[[Any], bool]
    named_so: Callable[[str], bool]
    foreign: frozenset[str]


_SHARE = 0.9  # of the cells must be called like pictures
_LOOKED_AT = 200  # cells


def column(sort: Sort, table: Table, folder: Path | None, named: str | None = None) -> str:
    """The name of the column.

    Raises:
        InputError: ``picture_column_missing``, ``ambiguous_columns``, ``no_picture_column``, or as
            the sort is called.
    """
    if named is not None and named in table.values:
        return named
    there = candidates(sort, table, folder)
    # A list, a folder and a table of the same pictures call the column differently.
    if named is not None and len(there) != 1:
        raise missing_column(table, named, sort.role, next_step=f"--{sort.role} {{name}}")
    if not there:
        raise InputError(
            f"no_{sort.role}_column",
            f"No column of {table.source} holds {sort.noun}s.",
            received=f"columns {listed(table.names, 30)}",
            allowed=f"a column of paths of {sort.noun}s, relative to the file, or of their bytes",
            next=f"Name it with --{sort.role} NAME.",
        )
    if len(there) == 1:
        return there[0]
    called = [name for name in there if column_names.is_exactly(name, sort.usual)]
    if len(called) == 1:
        return called[0]
    raise InputError(
        "ambiguous_columns",
        f"Several columns of {table.source} hold {sort.noun}s.",
        received=listed(there, 30),
        allowed="one of them",
        next=f"Name it with --{sort.role} NAME, for example --{sort.role} {there[0]}.",
    )


def candidates(sort: Sort, table: Table, folder: Path | None) -> list[str]:
    """Columns whose cells are such themselves, or else those whose cells are called like some."""
    held = {
        name: [cell for cell in column_cells[:_LOOKED_AT] if not is_empty(cell)]
        for name, column_cells in table.values.items()
    }
    themselves = [name for name, some in held.items() if some and all(map(sort.is_one, some))]
    if themselves:
        return themselves
    return [name for name, some in held.items() if some and _paths(sort, some, folder)]


def _paths(sort: Sort, some: Sequence[Any], folder: Path | None) -> bool:
    named = [cell for cell in some if isinstance(cell, str | Path) and len(str(cell)) < 1000]
    like = sum(sort.named_so(str(cell)) for cell in named)
    if like >= _SHARE * len(some):
        return True
    # Files without a telling ending are meant where they are there.
    return len(named) == len(some) and all(
        Path(str(cell)).suffix.lower() not in sort.foreign
        and (folder or Path()).joinpath(str(cell)).is_file()
        for cell in named[:5]
    )


def proof(sort: Sort, table: Table, name: str) -> str:
    """How the column was recognised, in a sentence; it goes into reports, so it names no file."""
    held = sum(cell is not None for cell in table.values[name])
    return f"{sort.role}: column '{name}' ({counted(held, sort.noun)})"


def no_texts(sort: Sort, wanted: Columns) -> InputError:
    """That texts were asked for where files are read."""
    return InputError(
        f"{sort.role}_column_missing",
        f"{sort.noun.capitalize()}s are read here, not texts.",
        received=f"text {', '.join(wanted.text)}" if wanted.text else f"template {wanted.template}",
        allowed=f"a column of {sort.noun}s",
        next=f"Name it with --{sort.role} NAME, or choose another --task.",
    )


def no_labels(sort: Sort, table: Table, example: str) -> InputError:
    """That files have no labels; ``example`` is of class folders."""
    return InputError(
        "no_class_folders",
        f"{table.source} has {sort.noun}s, and nothing says what they are.",
        received=f"{counted(len(table), sort.noun)} without a label",
        allowed=f"a folder a class: {example} ...; or a table with a column of paths and one of "
        "labels",
        next="Put each class into a folder of its own, or label them: supertune label.",
    )
