"""What is special about recordings, between reading them and learning from them."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import numpy as np
import soundfile
from tests.data.sounds.conftest import melody, recording

from supertune.contracts import Recording
from supertune.data.sounds import decoding
from supertune.modalities.audio import KEPT_BYTES, MODALITY


def test_the_same_bytes_are_the_same_recording_whatever_their_name() -> None:
    one, other = Recording.of(b"x", "a"), Recording.of(b"x", "b")
    assert MODALITY.same(one) == MODALITY.same(other) != MODALITY.same(Recording.of(b"y", "a"))
    assert MODALITY.same(one) != MODALITY.same(replace(one, start=0.5))
    assert not MODALITY.blank(one)
    assert MODALITY.blank("")


def test_a_small_recording_is_kept_as_it_is_and_a_part_as_what_is_heard() -> None:
    one = recording(melody(0), "a.wav")
    assert MODALITY.from_json(json.loads(json.dumps(MODALITY.to_json(one)))) == one
    part = replace(one, start=0.1, end=0.2)
    kept = MODALITY.from_json(MODALITY.to_json(part))
    assert isinstance(kept, Recording)
    assert str(kept) == "a.wav [0.1-0.2 s]"
    assert np.allclose(decoding.waveform(kept), decoding.waveform(part), atol=1e-4)


def test_a_large_recording_is_kept_smaller() -> None:
    large = recording(np.tile(melody(0), 20), rate=48_000)
    assert len(large.read()) > KEPT_BYTES
    kept = MODALITY.from_json(MODALITY.to_json(large))
    assert isinstance(kept, Recording)
    assert len(kept.read()) < len(large.read())
    assert np.allclose(decoding.waveform(kept), decoding.waveform(large), atol=1e-4)


def test_a_recording_is_shown_and_played() -> None:
    long = recording(np.tile(melody(0), 30))
    assert MODALITY.thumbnail(long).startswith(b"\x89PNG")
    heard, rate = soundfile.read(io.BytesIO(MODALITY.played(long)))
    assert rate == decoding.RATE
    assert 5.5 <= len(heard) / rate <= 6.5
    assert MODALITY.described(long) == "a.wav (18.00 s, 16,000 Hz)"
    assert MODALITY.form([long]).shape == (1, 11)
