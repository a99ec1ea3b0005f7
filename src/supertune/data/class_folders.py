"""A folder of files of one kind: a folder a class, perhaps under train and test; or files alone."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from supertune.contracts import Finding, Medium
from supertune.data import files
from supertune.data.cells import counted, listed
from supertune.data.sides import SPLIT_VALUES
from supertune.data.table import Table
from supertune.data.windows import window_of
from supertune.errors import InputError

LABEL, SPLIT = "label", "split"
_LITTER = frozenset({"thumbs.db", "desktop.ini"})


@dataclass(frozen=True)
class Kind:
    """Which files of a folder are read, and what becomes of one.

    Attributes:
        noun: of one, for a person: "picture".
        column: in which they stand.
        named_so: whether a file is called like one.
        made: one out of its path and its name for a person.
        example: what a folder may hold, for a person.
    """

    noun: str
    column: str
    named_so: Callable[[str], bool]
    made: Callable[[Path, str], Medium]
    example: str


@dataclass(frozen=True)
class Found:
    """One file of a folder: its path inside it, the class folder and the side, if any."""

    path: str
    label: str | None
    side: str | None


@dataclass(frozen=True, eq=False)
class Listing:
    """What a folder holds.

    Attributes:
        kind: of the files that are read.
        folder: the folder itself.
        files: in the order of their paths.
        empty: class folders without any.
        others: how many files there are of each other ending.
    """

    kind: Kind
    folder: Path
    files: tuple[Found, ...]
    empty: tuple[str, ...]
    others: dict[str, int]

    @property
    def source(self) -> str:
        return self.folder.name or str(self.folder)

    @property
    def classes(self) -> Counter[str]:
        return Counter(one.label for one in self.files if one.label is not None)

    def findings(self) -> list[Finding]:
        """What of the folder is not read."""
        found = []
        if self.empty:
            names = listed([f"'{name}'" for name in self.empty])
            verb = ("holds", "is") if len(self.empty) == 1 else ("hold", "are")
            none = f"{verb[0]} no {self.kind.noun} and {verb[1]} no class"
            message = f"{counted(len(self.empty), 'class folder')} {none}: {names}."
            found.append(Finding("class_without_rows", message))
        if self.others:
            count = sum(self.others.values())
            names = listed(sorted(self.others), 5)
            message = (
                f"{counted(count, 'file')} in {self.source} that no {self.kind.noun} is called like"
            )
            found.append(Finding("other_files", f"{message} ({names}) left out.", (), "info"))
        return found


def listing(folder: Path, kind: Kind) -> Listing:
    """Every file of a kind below a folder; hidden files and folders are left out, links to folders are
    not followed.

    Raises:
        InputError: ``no_pictures_in_folder``, or as the kind is called.
        EnvironmentFault: ``permission_denied``.
    """
    sides = _sides(folder)
    found: list[Found] = []
    empty: list[str] = []
    others: Counter[str] = Counter()
    for side in sides or (None,):
        top = folder / side if side else folder
        names = _names(top)
        for name in names:
            if not (top / name).is_dir():
                continue
            inside = [os.path.join(name, one) for one in _below(top / name, kind, others)]
            found += [Found(_joined(side, one), name, side) for one in inside]
            if not inside:
                empty.append(_joined(side, name))
        alone = [name for name in names if not (top / name).is_dir()]
        found += [Found(_joined(side, one), None, side) for one in _read(alone, kind, others)]
    if not found:
        raise _none(folder, kind, others)
    found.sort(key=lambda one: one.path)
    return Listing(kind, folder, tuple(found), tuple(empty), dict(others))


def windows(found: Listing, window: int) -> Iterator[Table]:
    """The column of the files' kind, "label" where there are class folders, and "split" where
    the classes lie below train and test.

    Raises:
        InputError: what is wrong with a file.
    """
    labelled = any(one.label is not None for one in found.files)
    split = any(one.side is not None for one in found.files)
    first, rest = 1, iter(found.files)
    while batch := list(islice(rest, window)):
        columns: dict[str, list[object]] = {found.kind.column: [_made(found, one) for one in batch]}
        if labelled:
            columns[LABEL] = [one.label for one in batch]
        if split:
            columns[SPLIT] = [one.side for one in batch]
        yield window_of(columns, first, found.source)
        first += len(batch)


def _made(found: Listing, one: Found) -> Medium:
    return found.kind.made(found.folder / one.path, Path(one.path).as_posix())


def _sides(folder: Path) -> list[str]:
    """The folders train and test, if the classes lie below such."""
    inside = [name for name in _names(folder) if (folder / name).is_dir()]
    sides = {SPLIT_VALUES.get(name.casefold()) for name in inside}
    deeper = all(
        any((folder / name / one).is_dir() for one in _names(folder / name)) for name in inside
    )
    return inside if {"train", "test"} <= sides and None not in sides and deeper else []


def _below(folder: Path, kind: Kind, others: Counter[str]) -> list[str]:
    """Paths of files relative to ``folder``, in the order of their names."""
    found: list[str] = []
    for name in _names(folder):
        if (folder / name).is_dir():
            if not (folder / name).is_symlink():
                found += [os.path.join(name, one) for one in _below(folder / name, kind, others)]
        else:
            found += _read([name], kind, others)
    return found


def _read(names: list[str], kind: Kind, others: Counter[str]) -> list[str]:
    kept = [name for name in names if kind.named_so(name)]
    left = [name for name in names if not kind.named_so(name)]
    others.update(Path(name).suffix.lower() or name for name in left if name.lower() not in _LITTER)
    return kept


def _names(folder: Path) -> list[str]:
    try:
        return sorted(name for name in os.listdir(folder) if not name.startswith("."))
    except PermissionError:
        raise files.denied(folder) from None


def _joined(side: str | None, path: str) -> str:
    return os.path.join(side, path) if side else path


def _none(folder: Path, kind: Kind, others: Counter[str]) -> InputError:
    held = ", ".join(f"{count} of {ending}" for ending, count in sorted(others.items())[:5])
    return InputError(
        f"no_{kind.noun}s_in_folder",
        f"{folder.name or folder} holds no {kind.noun}s.",
        received=held or "an empty folder",
        allowed=f"a folder a class with {kind.example} ...",
        next="Name another folder, or a table with a column of paths.",
    )
