"""Folders, tables and files of recordings that are refused by name, and nothing is written."""

from __future__ import annotations

import csv
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.bad_inputs.conftest import Bad, Make, Refused, both, snapshot
from tests.bad_inputs.test_python import refused as call_refused
from tests.data.sounds.conftest import encoded, melody, noise, tone, write

import supertune

WHOLE = encoded(melody(7))
SOUNDS = ("--task", "audio_classification")


def flac(seconds: int, rate: int = 16_000) -> bytes:
    """A FLAC file that declares so many seconds at such a rate, and holds half a second."""
    data = bytearray(encoded(tone(), "FLAC"))
    # STREAMINFO begins behind "fLaC" and a header of 4 bytes: 20 bits of the rate at byte 10, and
    # the number of samples in the 36 bits that end at byte 18.
    fields = int.from_bytes(data[18:26], "big")
    rest = fields >> 36 & (1 << 8) - 1
    data[18:26] = (rate << 44 | rest << 36 | seconds * rate).to_bytes(8, "big")
    return bytes(data)


def wav(rate: int, channels: int = 1) -> bytes:
    """A WAV file that declares such a rate."""
    data = bytearray(encoded(tone(), "WAV", "PCM_16"))
    data[22:24] = struct.pack("<H", channels)
    data[24:28] = struct.pack("<I", rate)
    return bytes(data)


def folder(**files: bytes) -> Make:
    """``cats_1=...`` is the file cats/1.wav in the folder rows."""

    def make(here: Path) -> None:
        named = {f"{name.replace('_', '/')}.wav": data for name, data in files.items()}
        write(here / "rows", named)

    return make


def classes(*names: str, each: int = 3) -> Make:
    def make(here: Path) -> None:
        for place, name in enumerate(names):
            files = {f"{name}/{i}.wav": encoded(melody(10 * place + i)) for i in range(each)}
            write(here / "rows", files)

    return make


def table(*rows: tuple[str, ...], titles: tuple[str, ...] = ("file", "label")) -> Make:
    def make(here: Path) -> None:
        with (here / "rows.csv").open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows([titles, *rows])

    return make


def kaldi(**files: str) -> Make:
    def make(here: Path) -> None:
        write(here / "rows", {"a.wav": WHOLE, "b.wav": encoded(melody(8))})
        named = {name.replace("_", "."): text.encode() for name, text in files.items()}
        write(here / "rows", named)

    return make


def empty_classes(here: Path) -> None:
    for name in ("cats", "dogs"):
        (here / "rows" / name).mkdir(parents=True)


GOOD = both(classes("cats", "dogs"), classes("birds"))
FOUR = (("rows/cats/0.wav", "a"), ("rows/cats/1.wav", "a"), ("rows/dogs/0.wav", "b"))
PARTS = ("file", "start", "end", "label")
ALL = [f"{c}_{i}" for c in ("cats", "dogs") for i in range(3)]


def with_part(start: str, end: str) -> Make:
    rows = [(name, "0", "0.3", label) for name, label in FOUR]
    return both(GOOD, table(*rows, ("rows/dogs/1.wav", start, end, "b"), titles=PARTS))


FITS = {
    "an empty folder, and recordings are meant": Bad(
        "no_recordings_in_folder", empty_classes, ("rows", *SOUNDS)
    ),
    "recordings without classes": Bad(
        "no_class_folders", folder(a=WHOLE, b=WHOLE), ("rows", *SOUNDS)
    ),
    "one class": Bad("one_class", classes("cats"), ("rows",), "cats"),
    "one recording a class": Bad("one_row_a_class", classes("a", "b", "c", each=1), ("rows",)),
    "texts called wav": Bad(
        "not_a_recording", folder(**dict.fromkeys(ALL, b"no sound")), ("rows",), "cats/0.wav"
    ),
    "pictures called wav": Bad(
        "not_a_recording",
        folder(**dict.fromkeys(ALL, b"\x89PNG\r\n\x1a\n" + bytes(99))),
        ("rows",),
        "PNG",
    ),
    "an M4A called wav": Bad(
        "not_a_recording",
        folder(**dict.fromkeys(ALL, b"\0\0\0\x20ftypM4A " + bytes(99))),
        ("rows",),
        "M4A",
    ),
    "headers alone": Bad("recording_broken", folder(**dict.fromkeys(ALL, WHOLE[:30])), ("rows",)),
    "files of no bytes": Bad("recording_broken", folder(**dict.fromkeys(ALL, b"")), ("rows",)),
    "files of no sample": Bad(
        "recording_broken", folder(**dict.fromkeys(ALL, encoded(tone()[:0]))), ("rows",)
    ),
    "one that declares ten hours": Bad(
        "recording_too_long",
        both(GOOD, folder(cats_9=flac(36_000))),
        ("rows",),
        "cats/9.wav: 10 h 0 min",
    ),
    "one that declares an absurd rate": Bad(
        "bad_sample_rate",
        both(GOOD, folder(cats_9=wav(2_000_000_000))),
        ("rows",),
        "2,000,000,000 Hz",
    ),
    "one that declares a rate of nothing": Bad(
        "bad_sample_rate", both(GOOD, folder(cats_9=wav(7))), ("rows",), "7 Hz"
    ),
    "one that declares a thousand channels": Bad(
        "bad_sample_rate", both(GOOD, folder(cats_9=wav(16_000, 1000))), ("rows",)
    ),
    "a path that is not there": Bad(
        "recording_missing",
        both(GOOD, table(*FOUR, ("rows/dogs/7.wav", "b"))),
        ("rows.csv",),
        "row 4, column 'file': rows/dogs/7.wav",
    ),
    "a path one letter off": Bad(
        "recording_missing",
        both(GOOD, table(*FOUR, ("rows/dogs/O.wav", "b"))),
        ("rows.csv",),
        "Did you mean",
    ),
    "an address": Bad(
        "remote_recording",
        both(GOOD, table(*FOUR, ("https://example.org/1.wav", "b"))),
        ("rows.csv",),
        "row 4",
    ),
    "two columns of recordings": Bad(
        "ambiguous_columns",
        both(GOOD, table(*[(a, a, b) for a, b in FOUR], titles=("left", "right", "label"))),
        ("rows.csv", *SOUNDS),
        "--audio left",
    ),
    "a text column of recordings": Bad(
        "audio_column_missing",
        both(GOOD, table(*FOUR)),
        ("rows.csv", *SOUNDS, "--text", "file"),
        "--audio",
    ),
    "a template for recordings": Bad(
        "audio_column_missing", GOOD, ("rows", "--template", "{audio} is {answer}")
    ),
    "no labels in the table": Bad(
        "no_labels",
        both(GOOD, table(*[(a, "") for a, _ in FOUR])),
        ("rows.csv", "--label", "label", *SOUNDS),
    ),
    "a table without recordings": Bad(
        "no_audio_column",
        table(("good", "a"), ("bad", "b"), titles=("text", "label")),
        ("rows.csv", *SOUNDS),
    ),
    "a part that ends before it begins": Bad("bad_part", with_part("0.3", "0.1"), ("rows.csv",)),
    "a part behind the end": Bad("bad_part", with_part("7", "8"), ("rows.csv",), "of 0.60 s"),
    "a part before the beginning": Bad("bad_part", with_part("-1", "0.1"), ("rows.csv",), "row 4"),
    "a part that is no number": Bad(
        "bad_part", with_part("soon", "0.1"), ("rows.csv",), "row 4, column 'start'"
    ),
    "a command in wav.scp": Bad(
        "kaldi_pipe", kaldi(wav_scp="u1 a.wav\nu2 sox b.wav -t wav - |\n"), ("rows", *SOUNDS), "u2"
    ),
    "a line without a path in wav.scp": Bad(
        "bad_kaldi", kaldi(wav_scp="u1 a.wav\nu2\n"), ("rows", *SOUNDS), "u2"
    ),
    "segments of a recording that is not named": Bad(
        "bad_kaldi",
        kaldi(wav_scp="u1 a.wav\n", segments="s1 u7 0.0 0.2\n"),
        ("rows", *SOUNDS),
        "s1 u7",
    ),
    "the test folder is the training folder": Bad(
        "test_overlap", GOOD, ("rows", "--test", "rows"), "recordings the model has not seen"
    ),
    "a backbone of texts": Bad(
        "method_does_not_fit",
        GOOD,
        ("rows", "--backbone", "minilm", "--method", "linear_probe"),
        "reads text, not audio",
    ),
    "a method of texts": Bad(
        "method_does_not_fit", GOOD, ("rows", "--method", "bag_of_words"), "reads text, not audio"
    ),
}


@pytest.mark.parametrize("name", FITS)
def test_a_bad_source_is_refused(refused: Refused, here: Path, name: str) -> None:
    bad = FITS[name]
    bad.make(here)
    refused("fit", *bad.arguments, code=bad.code, said=bad.said)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Always the commonest of three classes; not to be written to."""
    place = tmp_path_factory.mktemp("recordings")
    GOOD(place)
    supertune.fit(place / "rows", output=place / "m", method="majority", folds=2, repeats=1)
    return place / "m"


ASKED: dict[str, tuple[str, tuple[str, ...], str]] = {
    "predict a folder without recordings": (
        "no_recordings_in_folder",
        ("predict", "void", "-o", "p.csv"),
        "",
    ),
    "predict a broken recording": (
        "recording_broken",
        ("predict", "broken", "-o", "p.csv"),
        "row 2: b.wav",
    ),
    "predict one of ten hours": (
        "recording_too_long",
        ("predict", "bomb", "-o", "p.csv"),
        "row 1: a.wav",
    ),
    "predict texts": ("audio_column_missing", ("predict", "words.csv", "-o", "p.csv"), ""),
    "predict an empty cell": ("recording_missing", ("predict", "gap.csv", "-o", "p.csv"), "row 2"),
    "predict into a recording": ("output_suffix", ("predict", "broken", "-o", "p.wav"), ""),
    "evaluate an unknown class": ("unknown_label", ("evaluate", "fish"), "fish"),
}


def asked(here: Path) -> None:
    GOOD(here)
    (here / "void").mkdir()
    write(here / "broken", {"a.wav": WHOLE, "b.wav": WHOLE[:30]})
    write(here / "bomb", {"a.wav": flac(36_000)})
    write(here / "flat", {"a.wav": WHOLE, "b.wav": encoded(noise(2))})
    write(here / "fish", {"fish/a.wav": WHOLE, "fish/b.wav": encoded(noise(2))})
    write(here, {"words.csv": b"text,label\na,b\n"})
    write(here, {"gap.csv": b"audio,x\nflat/a.wav,1\n,2\n"})


@pytest.mark.parametrize("name", ASKED)
def test_a_bad_question_is_refused(refused: Refused, model: Path, here: Path, name: str) -> None:
    asked(here)
    code, (command, *rest), said = ASKED[name]
    before = snapshot(model)
    refused(command, model, *rest, code=code, said=said)
    assert snapshot(model) == before


CALLS: dict[str, tuple[str, Callable[[], Any]]] = {
    "numbers": ("no_recording", lambda: [(1, "a"), (2, "b")]),
    "samples that are not finite": (
        "bad_array",
        lambda: [((np.full(900, np.nan), 16_000), c) for c in "ab"],
    ),
    "samples of no rate": ("bad_array", lambda: [((np.zeros(900), 0), c) for c in "ab"]),
    "samples in three dimensions": (
        "bad_array",
        lambda: [((np.zeros((3, 9, 9)), 16_000), c) for c in "ab"],
    ),
    "rows of two kinds": ("mixed_rows", lambda: [(WHOLE, "a"), WHOLE]),
    "bytes of nothing": ("recording_broken", lambda: [(b"", "a"), (b"", "b")]),
    "a pickle": ("not_a_recording", lambda: [(b"\x80\x04." + bytes(9), c) for c in "ab"]),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_bad_call_is_refused(unchanged: Callable[[], None], name: str) -> None:
    code, rows = CALLS[name]
    unchanged()
    call_refused(lambda: supertune.fit(rows(), task="audio_classification"), code)
    unchanged()
