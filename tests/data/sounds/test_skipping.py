"""Too little that is written of a long recording."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from supertune.contracts import Clip, Recording, Segment, Written
from supertune.data.sounds import decoding, playing
from supertune.data.sounds.skipping import PART, fuller, parts, sounding, suspicious

RATE = decoding.RATE
SHORT = Written("press eight", "en", (Segment(0.0, 21.0, "press eight"),), -0.2)


@pytest.fixture(scope="module")
def clip() -> Clip:
    """Three sentences of six seconds of noise, a second and a half of silence behind each."""
    draw = np.random.default_rng(0)
    sentence = np.concatenate([draw.normal(0, 0.1, 6 * RATE), np.zeros(3 * RATE // 2)])
    wave = np.tile(sentence, 3).astype(np.float32)
    recording = Recording.of(playing.flac(wave), "calls.flac")
    return Clip(recording, 0.0, len(wave) / RATE, 30.0)


def test_sound_is_told_from_pauses(clip: Clip) -> None:
    assert sounding(decoding.waveform(clip.recording)) == pytest.approx(18.0, abs=0.3)


def test_little_text_of_much_sound_is_suspicious(clip: Clip) -> None:
    assert suspicious(clip, SHORT)
    assert not suspicious(clip, replace(SHORT, text="press one to hear it again, " * 7))
    assert not suspicious(clip, replace(SHORT, text=""))  # silence is another matter
    assert not suspicious(replace(clip, seconds=PART), SHORT)


def test_parts_lie_end_to_end_and_are_cut_at_pauses(clip: Clip) -> None:
    later = replace(clip, start=7.5, seconds=15.0)
    found = parts(later)
    assert found[0].start == 7.5
    assert found[-1].end == pytest.approx(22.5)
    assert all(one.seconds <= PART for one in found)
    assert [one.end for one in found[:-1]] == [two.start for two in found[1:]]
    assert 13.5 <= found[0].end <= 15.0


def test_parts_are_believed_where_they_say_clearly_more() -> None:
    more = [replace(SHORT, text="press one to hear it"), replace(SHORT, text=""), SHORT]
    found = fuller(SHORT, more)
    assert found.text == "press one to hear it press eight"
    assert found.doubts == ("skipped",)
    assert len(found.segments) == 2
    assert fuller(SHORT, [replace(SHORT, text="press eighty")]) == SHORT
