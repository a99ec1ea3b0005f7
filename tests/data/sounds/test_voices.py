"""What is measured of a voice, and what is changed: pitch, vocal tract, tone, alignment."""

from __future__ import annotations

import numpy as np
import pytest

from supertune.data.sounds import aligning, pitch, shifting, tone

RATE = 16_000


def vowel(frequency: float, seconds: float = 1.0, formant: float = 700.0) -> np.ndarray:
    """A pulse train through one resonance."""
    from scipy.signal import lfilter

    count = int(seconds * RATE)
    phase = np.cumsum(np.full(count, frequency / RATE))
    pulses = (np.diff(np.floor(phase), prepend=0) > 0).astype(float)
    angle, radius = 2 * np.pi * formant / RATE, 0.97
    made = lfilter([1.0], [1, -2 * radius * np.cos(angle), radius**2], pulses)
    return (0.3 * made / np.abs(made).max()).astype(np.float32)


@pytest.mark.parametrize("frequency", [80.0, 121.0, 210.0, 330.0])
def test_the_pitch_of_a_vowel_is_found(frequency: float) -> None:
    assert pitch.median(vowel(frequency), RATE) == pytest.approx(frequency, rel=0.01)


def test_noise_and_silence_have_no_pitch() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.1, RATE).astype(np.float32)
    assert np.isfinite(pitch.track(noise, RATE)).mean() < 0.05
    assert np.isnan(pitch.median(np.zeros(RATE, dtype=np.float32), RATE))
    assert np.isnan(pitch.median(np.zeros(1, dtype=np.float32), RATE))


@pytest.mark.parametrize("factor", [0.7, 1.5, 2.2])
def test_a_shift_moves_the_pitch_and_keeps_length_and_vowel(factor: float) -> None:
    given = vowel(110.0)
    made = shifting.shifted(given, RATE, factor)
    assert made.shape == given.shape
    assert pitch.median(made, RATE) == pytest.approx(110 * factor, rel=0.03)
    before, after = (tone.average(tone.bands(one, RATE)) for one in (given, made))
    assert abs(int(before.argmax()) - int(after.argmax())) <= 1


def test_no_shift_changes_nothing() -> None:
    given = vowel(110.0)
    assert shifting.shifted(given, RATE, 1.0) is given
    assert shifting.tract(given, 1.0) is given


def test_a_shorter_tract_moves_vowels_pitch_and_tempo() -> None:
    given = vowel(110.0)
    made = shifting.tract(given, 1.25)
    assert len(made) == pytest.approx(len(given) / 1.25, abs=2)
    assert pitch.median(made, RATE) == pytest.approx(110 * 1.25, rel=0.01)


def test_a_filter_without_gains_keeps_the_samples() -> None:
    given = vowel(110.0)
    made = tone.filtered(given, RATE, np.zeros(tone.BANDS))
    np.testing.assert_allclose(made, given, atol=2e-3)


def test_a_filter_raises_the_band_it_is_told_to() -> None:
    rng = np.random.default_rng(0)
    given = rng.normal(0, 0.05, RATE).astype(np.float32)
    gains = np.zeros(tone.BANDS)
    gains[10] = 9.0
    change = (
        tone.bands(tone.filtered(given, RATE, gains), RATE).mean(axis=0)
        - tone.bands(given, RATE).mean(axis=0)
    )  # fmt: skip
    assert change.argmax() == 10
    assert change[10] > 5
    assert np.abs(change[[2, 20]]).max() < 1


def test_frames_of_a_slower_copy_find_their_own() -> None:
    rng = np.random.default_rng(0)
    given = rng.normal(0, 10, (40, tone.BANDS)).cumsum(axis=0)
    pairs = aligning.aligned(given, np.repeat(given, 2, axis=0))
    assert (pairs[0] == 0).all()
    assert pairs[-1].tolist() == [39, 79]
    assert np.abs(pairs[:, 1] // 2 - pairs[:, 0]).max() <= 1
