"""Rows of the catalogue's data sets, as lists and as csv files."""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from pathlib import Path

from supertune.catalogue.corpora import dataset, few_shot
from supertune.catalogue.corpus_formats import rows_of

Row = tuple[str, str]


def mixed(name: str, count: int) -> list[Row]:
    """``count`` labelled rows with as equal a number of each label as there can be."""
    classes = len(labels(name))
    rows, _ = few_shot(name, per_class=-(-count // classes), test_rows=0, seed=0)
    by_label: dict[str, list[Row]] = {}
    for row in rows:
        by_label.setdefault(row[1], []).append(row)
    rounds = zip(*by_label.values(), strict=True)
    return [row for round_ in rounds for row in round_][:count]


def labels(name: str) -> list[str]:
    with (dataset(name) / "train.jsonl").open(encoding="utf-8") as stream:
        return sorted({label for _, label in rows_of(stream)})


def texts(name: str, count: int) -> list[str]:
    """The first texts of a data set, of whatever label."""
    with (dataset(name) / "train.jsonl").open(encoding="utf-8") as stream:
        return [text for text, _ in rows_of(stream)][:count]


def sentences(count: int) -> list[str]:
    """Film review sentences; beyond the first 10,000, the second half of one before another's
    first, so that no text is there twice."""
    whole = texts("pang-lee", sys.maxsize)
    found = whole[:count]
    step = 1
    while len(found) < count:
        for first, second in zip(whole, whole[step:] + whole[:step], strict=True):
            a, b = first.split(), second.split()
            found.append(" ".join(a[: len(a) // 2] + b[len(b) // 2 :]))
        step += 1
    return found[:count]


def write_texts(path: Path, texts: Sequence[str]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["text"])
        writer.writerows([text] for text in texts)
    return path
