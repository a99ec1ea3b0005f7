"""Longer recordings out of short ones."""

from __future__ import annotations

import numpy as np
import pytest

from supertune.catalogue.corpora import dataset
from supertune.contracts import Recording
from supertune.data.sounds import decoding
from supertune.data.sounds.joining import PAUSE, chosen, together


def test_each_fits_and_every_recording_is_used_about_as_often() -> None:
    seconds = [2.0, 4.0, 6.0, 3.0, 5.0] * 4
    found = chosen(seconds, 12, 20.0, np.random.default_rng(0))
    assert len(found) == 12
    assert all(len(parts) > 1 for parts in found)
    assert max(sum(seconds[i] + PAUSE for i in parts) for parts in found) <= 20.0
    times = np.bincount([i for parts in found for i in parts], minlength=len(seconds))
    assert np.ptp(times) <= 3
    assert all(len(set(parts)) == len(parts) for parts in found)


@pytest.mark.parametrize("seconds", [[], [3.0], [40.0, 50.0], [18.0, 18.0]])
def test_none_are_made_of_what_no_window_holds_twice(seconds: list[float]) -> None:
    assert all(
        sum(seconds[i] + PAUSE for i in parts) <= 20.0
        for parts in chosen(seconds, 5, 20.0, np.random.default_rng(0))
    )


def test_samples_stand_one_after_another() -> None:
    folder = dataset("prompts-en")
    names = ("vm-goodbye.wav", "agent-loginok.wav")
    both = [Recording.of((folder / name).read_bytes(), name) for name in names]
    waves = [decoding.waveform(one) for one in both]
    found = decoding.waveform(together(both))
    gap = round(PAUSE * decoding.RATE)
    assert len(found) == len(waves[0]) + len(waves[1]) + 2 * gap
    np.testing.assert_allclose(found[: len(waves[0])], waves[0], atol=1e-4)
    assert np.abs(found[len(waves[0]) :][:gap]).max() == 0
    np.testing.assert_allclose(found[len(waves[0]) + gap :][: len(waves[1])], waves[1], atol=1e-4)
