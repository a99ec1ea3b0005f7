"""Short-time spectra of a recording, and what is told by them: a fingerprint, how it is made."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from supertune.contracts import FloatArray

FRAME, HOP = 512, 256  # samples at 16,000 a second: 32 and 16 ms
_LOW, _HIGH = 150.0, 3_700.0  # hertz between which a telephone hears too
BANDS, SLOTS = 17, 17
BYTES = (BANDS - 1) * (SLOTS - 1) // 8
COLUMNS = 11
CUTS = (0.0, 0.02, 0.04, 0.06)  # shares that are left out at either end; the first is nothing
LOOKS = len(CUTS) ** 2
_QUIET = 1e-3  # of the loudest frame's power, below which a recording has not begun
_FLOOR = 1e-10


def powers(samples: npt.NDArray[np.float32]) -> FloatArray:
    """(frames, FRAME // 2 + 1) power spectra of samples at 16,000 a second; one frame at least."""
    padded = np.pad(samples, (0, max(0, FRAME - len(samples))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, FRAME)[::HOP]
    window = np.hanning(FRAME).astype(np.float32)
    parts = [
        np.abs(np.fft.rfft(frames[start : start + 4096] * window, axis=1)) ** 2
        for start in range(0, len(frames), 4096)
    ]
    return np.concatenate(parts).astype(np.float32)


def fingerprints(found: FloatArray) -> npt.NDArray[np.uint8]:
    """(`LOOKS`, `BYTES`) bits: whether the difference between neighbouring bands grows from one
    part of the recording to the next (after Haitsma & Kalker 2002, with as many parts for every
    recording, begun where it is first heard); of the whole, then with `CUTS` off both ends."""
    loud = found.sum(axis=1)
    heard = np.flatnonzero(loud > _QUIET * loud.max(initial=0.0))
    within = found[heard[0] : heard[-1] + 1] if len(heard) else found
    bands = np.log(_banded(within) + 1e-6 * within.sum(axis=1).max() + _FLOOR)
    count = len(bands)
    return np.stack(
        [
            _bits(bands[round(first * count) : count - round(last * count)])
            for first in CUTS
            for last in CUTS
        ]
    )


def _bits(bands: FloatArray) -> npt.NDArray[np.uint8]:
    ends = np.linspace(0, len(bands) - 1, SLOTS)
    places = np.arange(len(bands))
    slots = np.stack([np.interp(ends, places, _smooth(one)) for one in bands.T], axis=1)
    steps = np.diff(np.diff(slots, axis=1), axis=0)
    return np.packbits(steps.ravel() > 0)


def _smooth(values: FloatArray) -> FloatArray:
    """Means over as many frames as a slot has, so that a shift by less changes little."""
    width = max(1, len(values) // SLOTS)
    if width == 1:
        return values
    kernel = np.ones(width) / width
    padded = np.pad(values, (width // 2, width - 1 - width // 2), mode="edge")
    return np.convolve(padded, kernel, mode="valid")


def _banded(found: FloatArray) -> FloatArray:
    """(frames, `BANDS`) power in bands as wide as the ear's, by their logarithm."""
    hertz = np.arange(found.shape[1]) * 16_000 / FRAME
    edges = np.geomspace(_LOW, _HIGH, BANDS + 1)
    band = np.digitize(hertz, edges) - 1
    shares = np.stack([band == number for number in range(BANDS)], axis=1).astype(np.float32)
    # The lowest bands may be narrower than a bin, and then borrow the nearest one.
    centres = np.sqrt(edges[1:] * edges[:-1])
    for number in np.flatnonzero(shares.sum(axis=0) == 0):
        shares[np.abs(hertz - centres[number]).argmin(), number] = 1.0
    return found @ shares


def flatness(found: FloatArray) -> float:
    """Geometric by arithmetic mean of the spectrum of the median frame that is heard."""
    loud = found.sum(axis=1)
    heard = found[loud > _QUIET * loud.max(initial=0.0)][:, 1:] + _FLOOR
    if not len(heard):
        return 0.0
    return float(np.median(np.exp(np.log(heard).mean(axis=1)) / heard.mean(axis=1)))


def form(found: FloatArray, seconds: float, peak: float) -> FloatArray:
    """(`COLUMNS`,): logarithms of length and level, how loudness is spread, where the spectrum
    lies, how much of it is silence."""
    hertz = np.arange(found.shape[1]) * 16_000 / FRAME
    loud = found.sum(axis=1) + _FLOOR
    level = 10 * np.log10(loud)
    mean = found.mean(axis=0) + _FLOOR
    share = mean / mean.sum()
    centre = float((share * hertz).sum())
    spread = float(np.sqrt((share * (hertz - centre) ** 2).sum()))
    reached = np.cumsum(share)
    return np.array(
        [
            np.log2(max(seconds, 0.01)),
            20 * np.log10(max(peak, 1e-5)) / 20,
            level.mean() / 20,
            level.std() / 20,
            (np.percentile(level, 95) - np.percentile(level, 5)) / 20,
            np.log2(max(centre, 20.0)),
            np.log2(max(spread, 20.0)),
            np.log2(max(float(hertz[np.searchsorted(reached, 0.95)]), 20.0)),
            np.log2(
                max(float(hertz[np.searchsorted(reached, 0.999).clip(max=len(hertz) - 1)]), 20)
            ),
            np.sqrt(float((level < level.max() - 40).mean())),
            np.sqrt(flatness(found)),
        ]
    )
