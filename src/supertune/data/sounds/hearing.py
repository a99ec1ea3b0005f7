"""What is heard in every recording, once: how long and loud it is, a fingerprint, how it is made.

Copies, the form of recordings and what a person is told of them all come from here, so that a file
is decoded once however many of them ask.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from supertune.contracts import FloatArray, Recording
from supertune.data.pictures.decoding import each
from supertune.data.sounds import decoding, formats, spectra
from supertune.errors import InputError

KEPT = 20_000  # recordings remembered, of about 800 bytes each
SILENT = 10 ** (-60 / 20)  # largest sample below which nothing is heard
FULL = 0.999  # of the largest number a sample can be


@dataclass(frozen=True, eq=False)
class Heard:
    """Attributes:
    seconds: how long it is.
    rate, channels: as its file declares.
    peak: the largest sample, from 0 to 1.
    clipped: share of the samples that stand at the largest number there is, next to another.
    flatness: of the spectrum of its median frame: near 0 for tones and speech, .5 or more for
        noise without a colour.
    fingerprints: (`spectra.LOOKS`, `spectra.BYTES`) bits, see `spectra.fingerprints`.
    form: (`spectra.COLUMNS`,) how it is made.
    broken: why nothing of this could be had; the rest is then empty.
    """

    seconds: float = 0.0
    rate: int = 0
    channels: int = 0
    peak: float = 0.0
    clipped: float = 0.0
    flatness: float = 0.0
    fingerprints: npt.NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, np.uint8))
    form: FloatArray = field(default_factory=lambda: np.zeros(0))
    broken: InputError | None = None

    @property
    def silent(self) -> bool:
        return self.peak < SILENT


_heard: OrderedDict[tuple[object, ...], Heard] = OrderedDict()


def of(recordings: Sequence[Recording]) -> list[Heard]:
    """One a recording; those that were heard before in this process are not decoded again."""
    new = {one.content: one for one in recordings if one.content not in _heard}
    found = dict(zip(new, each(_listened, list(new.values())), strict=True))
    result = [found.get(one.content) or _heard[one.content] for one in recordings]
    # Of several broken files with the same content, each is named by its own message.
    result = [
        heard if heard.broken is None else _listened(one)
        for one, heard in zip(recordings, result, strict=True)
    ]
    _heard.update((key, one) for key, one in found.items() if one.broken is None)
    while len(_heard) > KEPT:
        _heard.popitem(last=False)
    return result


def _listened(recording: Recording) -> Heard:
    try:
        header = formats.header(recording)
        samples, rate = decoding.mono(recording)
    except InputError as error:
        return Heard(broken=error)
    loud = np.abs(samples)
    peak = float(loud.max(initial=0.0))
    at_limit = loud >= FULL
    clipped = float((at_limit[1:] & at_limit[:-1]).mean()) if len(loud) > 1 else 0.0
    powers = spectra.powers(decoding.resampled(samples, rate))
    return Heard(
        len(samples) / rate,
        rate,
        header.channels,
        min(1.0, peak),
        clipped,
        spectra.flatness(powers),
        spectra.fingerprints(powers),
        spectra.form(powers, len(samples) / rate, peak),
    )
