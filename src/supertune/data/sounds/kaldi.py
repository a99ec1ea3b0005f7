"""A folder as Kaldi prepares data: ``wav.scp`` names the recordings; ``segments`` parts of them,
``text`` what is said and ``utt2spk`` who speaks, where these files are there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from supertune.data.sounds.folders import AUDIO, SPEAKER, TEXT
from supertune.errors import InputError

_MOST = 200_000_000  # bytes of one of its files


def columns(folder: Path) -> dict[str, list[object]]:
    """One row an utterance: "audio" (a path), and "start", "end", "text", "speaker".

    Raises:
        InputError: ``bad_kaldi``, ``kaldi_pipe``.
    """
    files = dict(_lines(folder / "wav.scp"))
    for key, path in files.items():
        if path.endswith("|"):
            raise InputError(
                "kaldi_pipe",
                "wav.scp names a command instead of a file; commands are never run.",
                received=f"{key} {path[:100]}",
                allowed="paths of recordings",
                next="Run the command yourself and name the file it writes.",
            )
    parts = _segments(folder, files)
    keys = list(parts or files)
    if not keys:
        raise _bad("wav.scp", "no line", "utterance path")
    found: dict[str, list[object]] = {
        AUDIO: [files[parts[key][0]] if parts else files[key] for key in keys]
    }
    if parts:
        found |= {"start": [parts[key][1] for key in keys], "end": [parts[key][2] for key in keys]}
    for name, column in (("text", TEXT), ("utt2spk", SPEAKER)):
        if said := dict(_lines(folder / name)):
            found[column] = [said.get(key) for key in keys]
    return found


def _segments(folder: Path, files: dict[str, str]) -> dict[str, tuple[str, str, str]]:
    """By utterance the recording it is of, and the seconds it begins and ends."""
    found = {}
    for key, rest in _lines(folder / "segments"):
        named = rest.split()
        if len(named) != 3 or named[0] not in files:
            raise _bad("segments", f"{key} {rest}", "utterance recording start end")
        found[key] = (named[0], named[1], named[2])
    return found


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    """The key of each line and the rest of it; none where there is no such file."""
    if not path.is_file():
        return
    if path.stat().st_size > _MOST:
        raise _bad(path.name, f"{path.stat().st_size:,} bytes", f"at most {_MOST:,} bytes")
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise _bad(path.name, str(error), "UTF-8") from error
    for line in filter(str.strip, lines):
        key, *rest = line.strip().split(maxsplit=1)
        if not rest:
            raise _bad(path.name, line, "a name, a blank and what belongs to it")
        yield key, rest[0]


def _bad(name: str, received: str, allowed: str) -> InputError:
    return InputError(
        "bad_kaldi",
        f"{name} is not as Kaldi writes it.",
        received=received[:200],
        allowed=allowed,
        next="Correct the line, or give a table with a column of paths.",
    )
