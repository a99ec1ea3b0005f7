"""The tone of a voice: how loud its speech is, band by band, over all of what it says."""

from __future__ import annotations

import numpy as np

from supertune.contracts import FloatArray
from supertune.data.sounds.varying import Samples

BANDS, EDGE = 24, 3700.0  # mel bands below so many Hz
SIZE, HOP = 0.032, 0.008  # seconds of a spectrum, and between two
MOST = 12.0  # dB that a band is raised or lowered by
LOUD = 30.0  # dB below the loudest frame, more than which a frame says nothing of the tone


def bands(samples: Samples, rate: int, count: int = BANDS, edge: float = EDGE) -> FloatArray:
    """(frames, count) dB of triangular mel bands up to ``edge`` Hz."""
    size, hop = round(SIZE * rate), round(HOP * rate)
    padded = np.pad(samples.astype(np.float64), (size // 2, size))
    starts = np.arange(1 + len(samples) // hop) * hop
    frames = padded[starts[:, None] + np.arange(size)] * np.hanning(size)
    power = np.abs(np.fft.rfft(frames, axis=1)) ** 2
    return np.asarray(10 * np.log10(power @ triangles(size, rate, count, edge).T + 1e-9))


def triangles(size: int, rate: int, count: int = BANDS, edge: float = EDGE) -> FloatArray:
    """(count, size // 2 + 1) weights that sum to 1 each."""
    centers = _hertz(np.linspace(0, _mel(edge), count + 2))
    at = np.fft.rfftfreq(size, 1 / rate)
    rising = (at - centers[:-2, None]) / (centers[1:-1] - centers[:-2])[:, None]
    falling = (centers[2:, None] - at) / (centers[2:] - centers[1:-1])[:, None]
    found = np.maximum(0, np.minimum(rising, falling))
    return np.asarray(found / np.maximum(found.sum(axis=1, keepdims=True), 1e-12))


def average(heard: FloatArray) -> FloatArray:
    """(count,) dB, the mean over frames (frames, count) that are loud, less its own mean."""
    level = heard.max(axis=1)
    loud = heard[level > level.max() - LOUD]
    mean = loud.mean(axis=0)
    return np.asarray(mean - mean.mean())


def filtered(samples: Samples, rate: int, gains: FloatArray) -> Samples:
    """(t,) with ``gains`` (count,) or (frames, count) dB in the bands; above the highest its gain
    holds on. The phase is kept."""
    size, hop = round(SIZE * rate), round(HOP * rate)
    window = np.hanning(size)
    padded = np.pad(samples.astype(np.float64), (size // 2, size))
    starts = np.arange(1 + len(samples) // hop) * hop
    frames = padded[starts[:, None] + np.arange(size)] * window
    spectra = np.fft.rfft(frames, axis=1) * 10 ** (_spread(gains, size, rate, len(starts)) / 20)
    made = np.fft.irfft(spectra, size, axis=1) * window
    found, weight = np.zeros_like(padded), np.zeros_like(padded)
    for start, one in zip(starts, made, strict=True):
        found[start : start + size] += one
        weight[start : start + size] += window**2
    found /= np.maximum(weight, 1e-3)
    return np.asarray(found[size // 2 : size // 2 + len(samples)], dtype=np.float32)


def _spread(gains: FloatArray, size: int, rate: int, frames: int) -> FloatArray:
    """(frames, size // 2 + 1) dB at each frequency."""
    table = np.clip(np.atleast_2d(gains), -MOST, MOST)
    centers = _hertz(np.linspace(0, _mel(EDGE), table.shape[1] + 2))[1:-1]
    at = np.fft.rfftfreq(size, 1 / rate)
    wide = np.stack([np.interp(at, centers, row) for row in table])
    return np.broadcast_to(wide, (frames, wide.shape[1])) if len(wide) == 1 else wide


def _mel(hertz: FloatArray | float) -> FloatArray:
    return np.asarray(2595 * np.log10(1 + np.asarray(hertz) / 700))


def _hertz(mel: FloatArray) -> FloatArray:
    return np.asarray(700 * (10 ** (mel / 2595) - 1))
