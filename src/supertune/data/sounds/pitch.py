"""How high a voice is: its fundamental frequency, frame by frame.

The difference function of YIN (de Cheveigné & Kawahara 2002, J. Acoust. Soc. Am. 111), normalised
by its mean so far; the first dip below a threshold is the period. What is loud enough and has such
a dip is voiced.
"""

from __future__ import annotations

import numpy as np

from supertune.contracts import FloatArray
from supertune.data.sounds.varying import Samples

LOWEST, HIGHEST = 60.0, 500.0  # Hz
HOP = 0.01  # seconds between frames
DIP = 0.2  # of the normalised difference, below which a frame is voiced
QUIET = 0.03  # of the loudest frame's root mean square, below which nothing is voiced
OCTAVE = 12.0  # semitones


def track(samples: Samples, rate: int) -> FloatArray:
    """(frames,) Hz every `HOP` seconds; NaN where nothing is voiced."""
    longest = int(rate / LOWEST)
    hop, size = round(HOP * rate), 2 * longest
    padded = np.pad(samples.astype(np.float64), (longest, size + longest))
    count = 1 + len(samples) // hop
    starts = np.arange(count) * hop
    frames = padded[starts[:, None] + np.arange(size)]
    difference = _difference(frames, longest)
    lags = np.arange(1, longest + 1)
    mean = np.cumsum(difference[:, 1:], axis=1) / lags
    normal = difference[:, 1:] / np.maximum(mean, 1e-12)
    found = np.full(count, np.nan)
    loud = np.sqrt((frames**2).mean(axis=1))
    shortest = max(2, int(rate / HIGHEST))
    for row in np.flatnonzero(loud > max(QUIET * loud.max(initial=0.0), 1e-5)):
        lag = _dip(normal[row], shortest)
        if lag is not None:
            found[row] = rate / lag
    return _without_leaps(found)


def _difference(frames: FloatArray, longest: int) -> FloatArray:
    """(frames, longest + 1) sums of squares of a window's first half less itself shifted."""
    half = frames.shape[1] - longest
    size = 1 << (frames.shape[1] + half - 1).bit_length()
    first = np.fft.rfft(frames[:, :half], size)
    whole = np.fft.rfft(frames, size)
    product = np.fft.irfft(np.conj(first) * whole, size)[:, : longest + 1]
    squares = np.concatenate([np.zeros((len(frames), 1)), np.cumsum(frames**2, axis=1)], axis=1)
    energy = squares[:, half : half + longest + 1] - squares[:, : longest + 1]
    return np.asarray(energy[:, :1] + energy - 2 * product)


def _dip(normal: FloatArray, shortest: int) -> float | None:
    """The lag of the first dip, between samples; None without one."""
    below = np.flatnonzero(normal[shortest - 1 : -1] < DIP)
    if not len(below):
        return None
    at = int(below[0]) + shortest - 1
    while at + 2 < len(normal) and normal[at + 1] < normal[at]:
        at += 1
    left, mid, right = normal[at - 1], normal[at], normal[at + 1]
    bend = left - 2 * mid + right
    return float(at + 1 + (0.5 * (left - right) / bend if bend > 1e-12 else 0.0))


def _without_leaps(found: FloatArray) -> FloatArray:
    """Frames more than an octave from the median of their neighbours are no pitch."""
    kept = found.copy()
    for row in np.flatnonzero(np.isfinite(found)):
        near = found[max(0, row - 5) : row + 6]
        near = near[np.isfinite(near)]
        if len(near) < 3 or abs(np.log2(found[row] / np.median(near))) > 0.4:
            kept[row] = np.nan
    return kept


def median(samples: Samples, rate: int) -> float:
    """Hz; NaN where nothing is voiced."""
    voiced = track(samples, rate)
    voiced = voiced[np.isfinite(voiced)]
    return float(np.median(voiced)) if len(voiced) else float("nan")


def semitones(frequency: FloatArray | float, reference: FloatArray | float) -> FloatArray:
    """How many semitones above a reference."""
    return np.asarray(OCTAVE * np.log2(np.asarray(frequency) / np.asarray(reference)))
