"""Too little that is written of a long recording: decoders skip sentences, above all those that
were tuned on short recordings. Such a one is read again, cut at pauses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from supertune.contracts import Clip, Written
from supertune.data.sounds import decoding, segmenting

PART = 9.5  # seconds of a part at most
SLOW = 9.0  # characters a second of sound, below which something may be missing
MORE = 1.3  # times as much must the parts say to be believed
SKIPPED = "skipped"
_TENTH, _FAINT = 10, 0.05  # of a second; of the loudest tenth, below which nothing is said


def suspicious(clip: Clip, found: Written) -> bool:
    """Whether little is written for how long there is sound."""
    if clip.seconds <= PART or not found.text or len(found.text) >= SLOW * clip.seconds:
        return False
    return len(found.text) < SLOW * sounding(_wave(clip))


def sounding(wave: np.ndarray) -> float:
    """Seconds of (t,) samples that are no pause."""
    step = decoding.RATE // _TENTH
    power = (wave[: len(wave) // step * step].reshape(-1, step).astype(np.float64) ** 2).mean(1)
    return float((power > _FAINT**2 * power.max(initial=0.0)).sum() / _TENTH)


def parts(clip: Clip) -> list[Clip]:
    """It, cut at pauses; windows are as before."""
    found = segmenting.parts(_wave(clip), decoding.RATE, PART)
    return [
        replace(clip, start=clip.start + a / decoding.RATE, seconds=(b - a) / decoding.RATE)
        for a, b in found
    ]


def fuller(whole: Written, pieces: Sequence[Written]) -> Written:
    """What the parts say together where that is clearly more, else what was written."""
    kept = [one for one in pieces if one.text]
    text = " ".join(one.text for one in kept)
    if len(text) < MORE * len(whole.text):
        return whole
    return replace(
        whole,
        text=text,
        segments=tuple(piece for one in kept for piece in one.segments),
        surety=sum(one.surety for one in kept) / len(kept),
        doubts=tuple(dict.fromkeys([SKIPPED, *(doubt for one in kept for doubt in one.doubts)])),
    )


def _wave(clip: Clip) -> np.ndarray:
    first = round(clip.start * decoding.RATE)
    return decoding.waveform(clip.recording)[first : first + round(clip.seconds * decoding.RATE)]
