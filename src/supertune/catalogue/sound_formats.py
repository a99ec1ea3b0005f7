"""How packages hold recordings, and as what the cache keeps them: an archive with a folder a
label, as of pictures, or a folder of recordings with a table of what is said in them."""

from __future__ import annotations

import csv
import gzip
import io
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from supertune.catalogue.archives import members
from supertune.catalogue.data_sets import DatasetEntry
from supertune.contracts import Recording

Heard = tuple[Recording, str]
TABLE = "metadata.csv"
_LEAST = 8  # recordings of a family of instruments
_MAKERS = frozenset({"mehackit"})  # first parts of names that say who made a sound
# What is in brackets is no speech: a beep, or how something is to be said.
_NO_SPEECH = re.compile(r"[\[(]")


def read(entry: DatasetEntry, packages: Sequence[Path]) -> dict[str, list[Heard]]:
    """All labelled recordings, in the order of their labels and names.

    Raises:
        InputError: ``archive_unsafe``, ``archive_damaged``.
    """
    rows = _LABELLED[entry.layout](packages[0])
    return {"train": sorted(rows, key=lambda row: (row[1], row[0].name))}


def spoken(entry: DatasetEntry, packages: Sequence[Path]) -> Iterator[tuple[str, bytes]]:
    """Recordings file by file, and last the table of their names and what is said.

    Raises:
        InputError: ``archive_unsafe``, ``archive_damaged``.
    """
    sounds, texts = packages
    said = _transcripts(texts)
    written = io.StringIO(newline="")
    table = csv.writer(written, lineterminator="\n")
    table.writerow(("audio", "text"))
    for name, data in sorted(members(sounds, lambda name: name.endswith(".wav"))):
        key = name.split("/", 5)[-1].removesuffix(".wav")
        if key in said:
            file = key.replace("/", "-") + ".wav"
            table.writerow((file, said[key]))
            yield file, data
    yield TABLE, written.getvalue().encode("utf-8")


def _transcripts(package: Path) -> dict[str, str]:
    """Of lines ``name: text``, those that are speech and nothing else."""
    held = [data for _, data in members(package, lambda name: "/core-sounds-" in name)]
    lines = gzip.decompress(held[0]).decode("utf-8").splitlines()
    parted = (line.partition(":") for line in lines if not line.startswith(";"))
    return {
        key.strip(): " ".join(text.split())
        for key, _, text in parted
        if text.strip() and not _NO_SPEECH.search(text)
    }


def _letters(package: Path) -> Iterator[Heard]:
    """Letters a to z, in languages that have most of them; a file a letter, named by a list."""
    start = "usr/share/klettres/"
    held = dict(members(package, lambda name: name.startswith(start)))
    for listed, data in held.items():
        if not listed.endswith("/sounds.xml"):
            continue
        language = listed.split("/")[-2]
        alphabet = data.decode("utf-8").partition("<alphabet>")[2].partition("</alphabet>")[0]
        named = re.findall(r'<sound name="([A-Za-z])" file="([^"]+)"', alphabet)
        there = [(name.lower(), start + file) for name, file in named if start + file in held]
        if len({name for name, _ in there}) < 20:
            continue
        for name, file in there:
            yield Recording.of(held[file], f"{language}-{Path(file).name}"), name


def _families(package: Path) -> Iterator[Heard]:
    """Sounds named after what makes them: ``drum_cowbell.flac`` is of the family "drum"."""
    found = [
        (name.rsplit("/", 1)[-1], data)
        for name, data in members(package, lambda name: name.endswith(".flac"))
    ]
    families = Counter(name.split("_")[0] for name, _ in found)
    for name, data in found:
        family = name.split("_")[0]
        if families[family] >= _LEAST and family not in _MAKERS:
            yield Recording.of(data, name), family


_LABELLED: dict[str, Callable[[Path], Iterator[Heard]]] = {
    "letters": _letters,
    "families": _families,
}
