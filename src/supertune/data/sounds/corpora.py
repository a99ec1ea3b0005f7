"""Folders of recordings as corpora of speech lay them out: with a table or a transcript beside.

- a table of the files: metadata or manifest, .csv, .jsonl or .parquet, as the Hugging Face hub and
  NeMo have it;
- Common Voice: ``validated.tsv``, or ``train.tsv`` and ``test.tsv``, beside ``clips/``;
- Kaldi: ``wav.scp``, see `kaldi`;
- one file of transcripts that names a recording in each line, as LibriSpeech (``name text``),
  LJSpeech (``name|text|text``) and lists like ``name: text`` do.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from supertune.data import readers
from supertune.data.sounds import formats, kaldi
from supertune.data.sounds.folders import AUDIO, TEXT
from supertune.data.table import Table
from supertune.data.windows import window_of

_STEMS, _ENDINGS = ("metadata", "manifest"), ("csv", "jsonl", "parquet")
MANIFESTS = tuple(f"{stem}.{ending}" for stem in _STEMS for ending in _ENDINGS)
_SEPARATORS = ("\t", "|", ": ", ",", " ")
_INSIDE = ("wavs", "wav", "clips", "audio")
_MOST = 200_000_000  # bytes of a file of transcripts
_SHARE = 0.9  # of its lines name a recording


def windows(folder: Path, window: int) -> Iterator[tuple[Table, Path]] | None:
    """Tables of a folder in one of these layouts, and the folder their paths begin in; None where
    it has none of them.

    Raises:
        InputError: as `kaldi.columns` and `supertune.data.readers.stream`.
    """
    if not folder.is_dir():
        return None
    if (path := manifest(folder)) is not None:
        return ((table, folder) for table in readers.stream(path, window))
    if (folder / "wav.scp").is_file():
        return _sliced(kaldi.columns(folder), folder, window)
    if (folder / "clips").is_dir() and (named := _common_voice(folder)):
        return _tables(named, folder, window)
    found = _transcribed(folder)
    return None if found is None else _sliced(found, folder, window)


def manifest(folder: Path) -> Path | None:
    """The table of a folder's files, if there is one."""
    found = (folder / name for name in MANIFESTS)
    return next((path for path in found if path.is_file() and not _pipes(path)), None)


def _pipes(path: Path) -> bool:
    """Whether it is LJSpeech's metadata.csv, which has neither a header nor commas."""
    if path.suffix != ".csv":
        return False
    with path.open("rb") as stream:
        return b"|" in stream.readline(65_536).split(b",")[0]


def _common_voice(folder: Path) -> dict[str, str | None]:
    """Which tables are read, and what a split column is to say of their rows."""
    there = {path.name for path in folder.glob("*.tsv")}
    if {"train.tsv", "test.tsv"} <= there:
        return {"train.tsv": "train", "test.tsv": "test"}
    return {"validated.tsv": None} if "validated.tsv" in there else {}


def _tables(
    named: dict[str, str | None], folder: Path, window: int
) -> Iterator[tuple[Table, Path]]:
    for name, side in named.items():
        for table in readers.stream(folder / name, window):
            split = {} if side is None else {"split": [side] * len(table)}
            yield replace(table, values={**table.values, **split}), folder


def _sliced(
    columns: dict[str, list[object]], folder: Path, window: int
) -> Iterator[tuple[Table, Path]]:
    for start in range(0, len(columns[AUDIO]), window):
        part = {name: cells[start : start + window] for name, cells in columns.items()}
        yield window_of(part, start + 1, folder.name), folder


def _transcribed(folder: Path) -> dict[str, list[object]] | None:
    """Recordings and what one file of transcripts says of them, in its order."""
    names = sorted(os.listdir(folder))
    texts = [name for name in names if Path(name).suffix.lower() in (".txt", ".tsv", ".csv")]
    below = next((one for one in _INSIDE if (folder / one).is_dir()), "")
    if len(texts) != 1 or (folder / texts[0]).stat().st_size > _MOST:
        return None
    stems = {
        key: Path(below, name).as_posix()
        for name in (sorted(os.listdir(folder / below)) if below else names)
        if formats.is_named_so(name)
        for key in (name, Path(name).stem)
    }
    try:
        whole = (folder / texts[0]).read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return None
    lines = [line for line in whole.splitlines() if line.strip()]
    for separator in _SEPARATORS:
        parted = [line.partition(separator) for line in lines]
        found = [(stems[key.strip()], rest) for key, _, rest in parted if key.strip() in stems]
        if found and len(found) >= _SHARE * len(lines):
            said = [rest.split("|")[-1] if separator == "|" else rest for _, rest in found]
            return {
                AUDIO: [name for name, _ in found],
                TEXT: [text.strip().strip('"') for text in said],
            }
    return None
