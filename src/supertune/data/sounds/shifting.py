"""A voice made higher or lower, by periods that are put closer together or farther apart.

Pitch-synchronous overlap and add (Moulines & Charpentier 1990, Speech Communication 9): what is
voiced is cut into grains of two periods around its peaks, and these are laid down again at another
distance. The sound of a grain, and so the vowel, stays as it is. `tract` moves that as well, by
sampling otherwise, as a shorter or longer vocal tract does.
"""

from __future__ import annotations

import numpy as np

from supertune.contracts import FloatArray
from supertune.data.sounds import pitch
from supertune.data.sounds.varying import Samples

UNVOICED = 0.008  # seconds between the marks of what has no period
SEARCH = 0.25  # of a period, that the next peak may come early or late
FACTORS = 0.25, 4.0  # that a pitch is moved by


def shifted(samples: Samples, rate: int, factor: float) -> Samples:
    """(t,) the same speech with its pitch times ``factor``."""
    if abs(factor - 1) < 1e-3 or len(samples) < rate // 20:
        return samples
    factor = float(np.clip(factor, *FACTORS))
    marks, periods, voiced = _marks(samples, rate)
    made = np.zeros(len(samples) + rate, dtype=np.float64)
    weight = np.zeros_like(made)
    source = np.pad(samples.astype(np.float64), rate // 2)
    at = float(marks[0])
    while at < len(samples):
        near = int(np.abs(marks - at).argmin()) if len(marks) < 8 else _nearest(marks, at)
        period = periods[near]
        size = int(period)
        window = np.hanning(2 * size + 1)
        center = int(marks[near]) + rate // 2
        grain = source[center - size : center + size + 1] * window
        first = round(at) - size + rate // 2
        made[first : first + len(grain)] += grain
        weight[first : first + len(grain)] += window
        at += period / factor if voiced[near] else period
    found = made / np.maximum(weight, 0.5)
    return np.asarray(found[rate // 2 : rate // 2 + len(samples)], dtype=np.float32)


def _nearest(marks: FloatArray, at: float) -> int:
    place = int(np.searchsorted(marks, at))
    if place == 0:
        return 0
    if place == len(marks):
        return place - 1
    return place if marks[place] - at < at - marks[place - 1] else place - 1


def _marks(samples: Samples, rate: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Places of peaks, the period at each, and whether it is voiced."""
    tracked = pitch.track(samples, rate)
    hop = pitch.HOP * rate
    plain = UNVOICED * rate
    marks: list[float] = []
    periods: list[float] = []
    voiced: list[bool] = []
    at = 0.0
    while at < len(samples):
        frequency = tracked[min(len(tracked) - 1, round(at / hop))]
        is_voiced = bool(np.isfinite(frequency))
        period = rate / frequency if is_voiced else plain
        if is_voiced:
            reach = SEARCH * period if voiced and voiced[-1] else 0.5 * period
            low, high = max(0, int(at - reach)), min(len(samples), int(at + reach) + 1)
            at = low + int(samples[low:high].argmax()) if high > low else at
            if marks and at <= marks[-1]:
                at = marks[-1] + max(1.0, 0.5 * period)
        marks.append(at)
        periods.append(period)
        voiced.append(is_voiced)
        at += period
    return np.array(marks), np.array(periods), np.array(voiced)


def tract(samples: Samples, factor: float) -> Samples:
    """(t / factor,) as if the vocal tract were so many times shorter: every frequency, the pitch
    too, times ``factor``, and all of it as many times faster."""
    if abs(factor - 1) < 1e-3:
        return samples
    import soxr

    return np.asarray(soxr.resample(samples, 10_000, round(10_000 / factor)), dtype=np.float32)
