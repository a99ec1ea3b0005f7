"""A recording as it might have been made as well: a little earlier, louder, with some noise.

What a view sounds like depends on the recording and the view's number alone, and only what a
label survives nearly always: nothing is played faster or at another pitch.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from supertune.contracts import Input, Recording

Samples = npt.NDArray[np.float32]
SHIFT = 0.1  # most seconds of silence put in front, or cut off where nothing is heard
GAIN = 6.0  # most decibels louder or quieter
NOISE = (20.0, 40.0)  # decibels that added noise lies below the recording
_QUIET = 0.02  # of the largest sample, below which nothing is heard


def varied(value: Input, number: int) -> Input:
    """The view of that number, from 1 on."""
    assert isinstance(value, Recording)
    return replace(value, view=number)


def drawn(recording: Recording) -> np.random.Generator:
    """What a recording's view is drawn with."""
    return np.random.default_rng([int(recording.sha256[:16], 16), recording.view])


def heard(samples: Samples, recording: Recording, rate: int) -> Samples:
    """(t,) what a recording that was decoded sounds like under its number: shifted, with another
    gain, and with noise under it."""
    if not recording.view:
        return samples
    chance = drawn(recording)
    shift = int(chance.uniform(-SHIFT, SHIFT) * rate)
    if shift >= 0:
        found = np.concatenate([np.zeros(shift, dtype=np.float32), samples])
    else:
        loud = np.flatnonzero(np.abs(samples) > _QUIET * np.abs(samples).max(initial=0.0))
        begins = int(loud[0]) if len(loud) else 0
        found = samples[min(-shift, begins) :]
    gain = np.float32(10 ** (chance.uniform(-GAIN, GAIN) / 20))
    below = 10 ** (-chance.uniform(*NOISE) / 20)
    level = float(np.sqrt(np.mean(samples.astype(np.float64) ** 2))) if len(samples) else 0.0
    noise = chance.standard_normal(len(found), dtype=np.float32) * np.float32(level * below)
    return np.asarray(np.clip((found + noise) * gain, -1.0, 1.0), dtype=np.float32)
