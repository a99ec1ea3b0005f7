"""A folder of pictures: a folder a class, perhaps under train and test; or pictures alone."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from supertune.contracts import Finding, Picture
from supertune.data import files
from supertune.data.cells import counted, listed
from supertune.data.pictures import formats
from supertune.data.sides import SPLIT_VALUES
from supertune.data.table import Table
from supertune.data.windows import window_of
from supertune.errors import InputError

IMAGE, LABEL, SPLIT = "image", "label", "split"
_LITTER = frozenset({"thumbs.db", "desktop.ini"})


@dataclass(frozen=True)
class Found:
    """One picture of a folder: its path inside it, the class folder and the side, if any."""

    path: str
    label: str | None
    side: str | None


@dataclass(frozen=True, eq=False)
class Listing:
    """What a folder holds.

    Attributes:
        folder: the folder itself.
        pictures: in the order of their paths.
        empty: class folders without a picture.
        others: how many files there are of each other ending.
    """

    folder: Path
    pictures: tuple[Found, ...]
    empty: tuple[str, ...]
    others: dict[str, int]

    @property
    def source(self) -> str:
        return self.folder.name or str(self.folder)

    @property
    def classes(self) -> Counter[str]:
        return Counter(one.label for one in self.pictures if one.label is not None)

    def findings(self) -> list[Finding]:
        """What of the folder is not read."""
        found = []
        if self.empty:
            names = listed([f"'{name}'" for name in self.empty])
            verb = "holds no picture and is" if len(self.empty) == 1 else "hold no picture and are"
            message = f"{counted(len(self.empty), 'class folder')} {verb} no class: {names}."
            found.append(Finding("class_without_rows", message))
        if self.others:
            count = sum(self.others.values())
            names = listed(sorted(self.others), 5)
            message = f"{counted(count, 'file')} in {self.source} that no picture is called like"
            found.append(Finding("other_files", f"{message} ({names}) left out.", (), "info"))
        return found


def listing(folder: Path) -> Listing:
    """Every picture below a folder; hidden files and folders are left out, links to folders are
    not followed.

    Raises:
        InputError: ``no_pictures_in_folder``.
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
            inside = [os.path.join(name, one) for one in _below(top / name, others)]
            found += [Found(_joined(side, one), name, side) for one in inside]
            if not inside:
                empty.append(_joined(side, name))
        alone = [name for name in names if not (top / name).is_dir()]
        found += [Found(_joined(side, one), None, side) for one in _pictures(alone, others)]
    if not found:
        raise _none(folder, others)
    found.sort(key=lambda one: one.path)
    return Listing(folder, tuple(found), tuple(empty), dict(others))


def windows(found: Listing, window: int) -> Iterator[Table]:
    """The columns "image" (`Picture`), "label" where there are class folders, and "split" where
    the classes lie below train and test.

    Raises:
        InputError: as `formats.content`.
    """
    labelled = any(one.label is not None for one in found.pictures)
    split = any(one.side is not None for one in found.pictures)
    first, rest = 1, iter(found.pictures)
    while batch := list(islice(rest, window)):
        columns: dict[str, list[object]] = {IMAGE: [_picture(found.folder, one) for one in batch]}
        if labelled:
            columns[LABEL] = [one.label for one in batch]
        if split:
            columns[SPLIT] = [one.side for one in batch]
        yield window_of(columns, first, found.source)
        first += len(batch)


def _picture(folder: Path, one: Found) -> Picture:
    path, name = folder / one.path, Path(one.path).as_posix()
    return Picture.of(formats.contents_of(path, name), name, path)


def _sides(folder: Path) -> list[str]:
    """The folders train and test, if the classes lie below such."""
    inside = [name for name in _names(folder) if (folder / name).is_dir()]
    sides = {SPLIT_VALUES.get(name.casefold()) for name in inside}
    deeper = all(
        any((folder / name / one).is_dir() for one in _names(folder / name)) for name in inside
    )
    return inside if {"train", "test"} <= sides and None not in sides and deeper else []


def _below(folder: Path, others: Counter[str]) -> list[str]:
    """Paths of pictures relative to ``folder``, in the order of their names."""
    found: list[str] = []
    for name in _names(folder):
        if (folder / name).is_dir():
            if not (folder / name).is_symlink():
                found += [os.path.join(name, one) for one in _below(folder / name, others)]
        else:
            found += _pictures([name], others)
    return found


def _pictures(names: list[str], others: Counter[str]) -> list[str]:
    kept = [name for name in names if formats.is_named_so(name)]
    left = [name for name in names if not formats.is_named_so(name)]
    others.update(Path(name).suffix.lower() or name for name in left if name.lower() not in _LITTER)
    return kept


def _names(folder: Path) -> list[str]:
    try:
        return sorted(name for name in os.listdir(folder) if not name.startswith("."))
    except PermissionError:
        raise files.denied(folder) from None


def _joined(side: str | None, path: str) -> str:
    return os.path.join(side, path) if side else path


def _none(folder: Path, others: Counter[str]) -> InputError:
    held = ", ".join(f"{count} of {ending}" for ending, count in sorted(others.items())[:5])
    return InputError(
        "no_pictures_in_folder",
        f"{folder.name or folder} holds no pictures.",
        received=held or "an empty folder",
        allowed=f"a folder a class with {formats.READABLE} files: cats/1.png, dogs/1.png ...",
        next="Name another folder, or a table with a column of paths.",
    )
