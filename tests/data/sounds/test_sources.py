"""Recordings from folders, tables and corpora of speech."""

from __future__ import annotations

import csv
import io
import time
from pathlib import Path

import numpy as np
import pytest
from tests.data.sounds.conftest import RATE, encoded, melody, recording, tone, write

from supertune import registry
from supertune.contracts import Columns, Recording
from supertune.data.sounds import decoding, formats, reading, recognising, sources
from supertune.errors import InputError

A, B, C = (encoded(melody(seed)) for seed in range(3))


def table(*rows: tuple[str, ...]) -> bytes:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(rows)
    return stream.getvalue().encode()


def test_a_recording_that_is_missing_is_told_with_what_may_be_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file") as refused:
        sources.read(tmp_path / "missing.wav")
    assert "WAV" in str(refused.value.allowed)


def test_class_folders_are_labels(tmp_path: Path) -> None:
    write(
        tmp_path, {"cello/1.wav": A, "flute/1.flac": encoded(melody(1), "FLAC"), "notes.txt": b""}
    )
    read, column = sources.read(tmp_path)
    assert [str(one) for one in read.values[column]] == ["cello/1.wav", "flute/1.flac"]
    assert read.values["label"] == ["cello", "flute"]
    assert recognising.recognised(tmp_path) == "2 class folders with 2 recordings"


def test_a_table_names_parts_of_recordings(tmp_path: Path) -> None:
    rows = (("path", "start", "end", "label"), ("a.wav", "0.1", "0.3", "x"), ("a.wav", "", "", "y"))
    write(tmp_path, {"a.wav": A, "rows.csv": table(*rows)})
    read, column = sources.read(tmp_path / "rows.csv")
    part, whole = read.values[column]
    assert (part.start, part.end, whole.start, whole.end) == (0.1, 0.3, None, None)
    assert part != whole
    heard, all_of_it = decoding.waveform(part), decoding.waveform(whole)
    assert np.array_equal(heard, all_of_it[1600:4800])
    assert read.names == ("path", "label")


LAYOUTS = {
    "one file of transcripts": (
        {"a.wav": A, "b.wav": B, "said.txt": b"a: good morning\nb: good night\n"},
        {"text": ["good morning", "good night"]},
    ),
    "LibriSpeech": (
        {"1-2-0.flac": encoded(melody(0), "FLAC"), "1-2-1.flac": encoded(melody(1), "FLAC"),
         "1-2.trans.txt": b"1-2-0 GOOD MORNING\n1-2-1 GOOD NIGHT\n"},
        {"text": ["GOOD MORNING", "GOOD NIGHT"]},
    ),
    "LJSpeech": (
        {"wavs/a.wav": A, "wavs/b.wav": B, "metadata.csv": b"a|Dr. No|Doctor No\nb|1,2|one, two\n"},
        {"text": ["Doctor No", "one, two"]},
    ),
    "Common Voice": (
        {"clips/a.wav": A, "clips/b.wav": B,
         "train.tsv": b"client_id\tpath\tsentence\nu\ta.wav\tgood morning\n",
         "test.tsv": b"client_id\tpath\tsentence\nv\tb.wav\tgood night\n"},
        {"sentence": ["good morning", "good night"], "split": ["train", "test"]},
    ),
    "Kaldi": (
        {"a.wav": A, "b.wav": B, "wav.scp": b"r1 a.wav\nr2 b.wav\n",
         "segments": b"u1 r1 0.1 0.2\nu2 r2 0.0 0.3\n", "text": b"u1 good morning\nu2 good night\n",
         "utt2spk": b"u1 ann\nu2 bob\n"},
        {"text": ["good morning", "good night"], "speaker": ["ann", "bob"]},
    ),
    "a manifest of lines": (
        {"a.wav": A, "b.wav": B,
         "manifest.jsonl": b'{"audio_filepath": "a.wav", "text": "good morning"}\n'
                           b'{"audio_filepath": "b.wav", "text": "good night"}\n'},
        {"text": ["good morning", "good night"]},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYOUTS)
def test_corpora_of_speech_are_read(tmp_path: Path, name: str) -> None:
    files, wanted = LAYOUTS[name]
    write(tmp_path, files)
    read, column = sources.read(tmp_path)
    assert [one.sha256 for one in read.values[column]] == [
        formats.recording(path, "").sha256
        for path in sorted(tmp_path.rglob("*"))
        if formats.is_named_so(path)
    ]
    assert {key: list(read.values[key]) for key in wanted} == wanted
    assert recognising.recognised(tmp_path) is None  # what is said is no label


def test_lists_of_paths_bytes_and_samples_are_the_same_recording(tmp_path: Path) -> None:
    write(tmp_path, {"a.wav": encoded(melody(0), subtype="FLOAT")})
    path = tmp_path / "a.wav"
    given = [
        path,
        path.read_bytes(),
        (melody(0), 16_000),
        {"array": melody(0), "sampling_rate": 16_000},
    ]
    heard = [decoding.waveform(one) for one in reading.given(given)]
    assert all(np.array_equal(heard[0], one) for one in heard)


def test_rows_of_one_speaker_stay_on_one_side(tmp_path: Path) -> None:
    rows: list[tuple[str, ...]] = [("path", "speaker", "label")]
    for place in range(12):
        write(tmp_path, {f"{place}.wav": encoded(melody(place))})
        rows.append((f"{place}.wav", f"s{place % 3}", "ab"[place // 3 % 2]))
    write(tmp_path, {"rows.csv": table(*rows)})
    found = registry.task("audio_classification").read(tmp_path / "rows.csv", Columns())
    assert found.columns.group == "speaker"
    assert found.train.groups is not None
    assert len(set(found.train.groups.tolist())) == 3
    assert any("3" in said and "speakers" in said for said in found.guesses)


def test_test_rows_of_known_speakers_are_named_and_kept(tmp_path: Path) -> None:
    for name, first in (("train", 0), ("test", 20)):
        rows: list[tuple[str, ...]] = [("path", "speaker", "label")]
        for place in range(first, first + 8):
            write(tmp_path, {f"{place}.wav": encoded(melody(place))})
            rows.append((f"{place}.wav", f"s{place % 2}", "ab"[place // 2 % 2]))
        write(tmp_path, {f"{name}.csv": table(*rows)})
    task = registry.task("audio_classification")
    found = task.read(tmp_path / "train.csv", Columns(), test=tmp_path / "test.csv")
    (overlap,) = [one for one in found.findings if one.code == "speaker_overlap"]
    assert len(overlap.rows) == 8
    assert found.test is not None
    assert len(found.test) == 8


def test_a_broken_recording_is_left_out_of_those_learned_from(tmp_path: Path) -> None:
    files = {f"{c}/{i}.wav": encoded(melody(i + 10 * ord(c))) for c in "ab" for i in range(3)}
    write(tmp_path, {**files, "a/9.wav": A[:40]})
    found = registry.task("audio_classification").read(tmp_path, Columns())
    assert len(found.train) == 6
    assert (found.findings[0].code, found.findings[0].rows) == ("broken_recording", (4,))


@pytest.mark.parametrize(
    ("kind", "subtype"),
    [("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III")],
)
@pytest.mark.parametrize("rate", [8_000, 48_000])
def test_formats_rates_and_channels_sound_alike(kind: str, subtype: str, rate: int) -> None:
    plain = tone(400, 0.5, rate)
    stereo = np.stack([plain, plain], axis=1)
    data = encoded(stereo, kind, subtype, rate)
    heard = decoding.waveform(recording(tone()).of(data, f"a.{kind.lower()}"))
    wanted = decoding.resampled(plain, rate)
    length = min(len(heard), len(wanted)) - 800
    assert abs(len(heard) - len(wanted)) <= 1600  # MP3 begins and ends with padding
    likeness = max(
        np.corrcoef(heard[shift : shift + length - 800], wanted[: length - 800])[0, 1]
        for shift in range(0, 800, 1)
    )
    assert likeness > 0.98


def test_the_same_samples_are_the_same_recording_at_any_time_of_day() -> None:
    """libsndfile writes the second of the day into files of floats."""
    first = heard()
    time.sleep(1.1)
    assert heard() == first


def heard() -> tuple[Recording, ...]:
    pairs = [((melody(seed), RATE), "ab"[seed % 2]) for seed in range(8)]
    return registry.task("audio_classification").read(pairs, Columns()).train.inputs
