"""From encoded bytes to samples: one channel, 16,000 a second, float32 from -1 to 1.

libsndfile and soxr let go of the interpreter, so threads keep all processors busy.
"""

from __future__ import annotations

import numpy as np

from supertune.contracts import Recording
from supertune.data.sounds import formats, varying
from supertune.data.sounds.varying import Samples

RATE = 16_000  # samples a second of what is read by the models here
_BLOCK = 1 << 18  # frames decoded at a time


def waveform(recording: Recording, rate: int = RATE) -> Samples:
    """(t,) what is heard: the mean of all channels, resampled, and varied under its view.

    Raises:
        InputError: as `formats.opened`; ``recording_broken`` for what is cut short at once.
        EnvironmentFault: ``extra_missing``.
    """
    heard, own = mono(recording)
    return varying.heard(resampled(heard, own, rate), recording, rate)


def mono(recording: Recording) -> tuple[Samples, int]:
    """(t,) the mean of all channels as they were sampled, and how many samples a second they are.
    What is no number is silence.

    Raises:
        InputError: as `waveform`.
    """
    parts: list[Samples] = []
    with formats.opened(recording) as (stream, header):
        if header.first:
            stream.seek(header.first)
        left = header.count
        while left > 0:
            block = stream.read(min(_BLOCK, left), dtype="float32", always_2d=True)
            if not len(block):
                break
            parts.append(block.mean(axis=1, dtype=np.float32))
            left -= len(block)
    if not parts:
        raise formats.broken(recording, ValueError("no sample can be decoded"))
    found = np.concatenate(parts) if len(parts) > 1 else parts[0]
    return np.nan_to_num(found, nan=0.0, posinf=1.0, neginf=-1.0), header.rate


def resampled(samples: Samples, rate: int, wanted: int = RATE) -> Samples:
    """(t,) at another number of samples a second; at least one sample."""
    if rate == wanted:
        return samples
    try:
        import soxr
    except ImportError:
        raise formats.soundfile_missing() from None
    found = np.asarray(soxr.resample(samples, rate, wanted), dtype=np.float32)
    return found if len(found) else samples[:1]
