"""A recording in stretches of time, each of which can be silenced.

A stretch that is taken away becomes silent (occlusion: Zeiler & Fergus 2014, arXiv:1311.2901); its
ends are faded, since a click would be heard as something new.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from supertune.contracts import Contribution, FloatArray, Recording, Span

PARTS = 12  # stretches, all of one length
FADE = 0.005  # seconds
STRONG = 0.6  # from here on a stretch is marked twice


@dataclass(frozen=True, eq=False)
class Stretches:
    """A recording and its `PARTS` stretches; see `supertune.explaining.parts.Parts`."""

    value: Recording
    noun: tuple[str, str] = ("stretch", "stretches")
    taking_away: str = "silencing each stretch"
    signs: bool = True

    def __len__(self) -> int:
        return PARTS

    @cached_property
    def samples(self) -> npt.NDArray[np.float32]:
        from supertune.data.sounds import decoding

        return decoding.waveform(self.value)

    @property
    def ends(self) -> FloatArray:
        """(`PARTS` + 1,) seconds at which stretches begin and end."""
        from supertune.data.sounds.decoding import RATE

        return np.linspace(0, len(self.samples) / RATE, PARTS + 1)

    @property
    def spans(self) -> tuple[Span, ...]:
        """(0, first hundredth of a second, the one behind the last)."""
        ends = np.round(self.ends * 100).astype(int).tolist()
        return tuple((0, ends[i], ends[i + 1]) for i in range(PARTS))

    @property
    def names(self) -> tuple[str, ...]:
        """``0.25-0.50 s``."""
        ends = self.ends
        return tuple(f"{ends[i]:.2f}-{ends[i + 1]:.2f} s" for i in range(PARTS))

    def without(self, gone: Collection[int]) -> Recording:
        if not gone:
            return self.value
        from supertune.data.sounds import playing
        from supertune.data.sounds.decoding import RATE

        loud = np.ones(len(self.samples), dtype=np.float32)
        places = np.linspace(0, len(loud), PARTS + 1).astype(int)
        for part in gone:
            loud[places[part] : places[part + 1]] = 0.0
        width = max(1, int(FADE * RATE))
        faded = np.convolve(np.pad(loud, width, mode="edge"), np.ones(width) / width, "same")
        made = self.samples * faded[width : width + len(loud)].astype(np.float32)
        return Recording.of(playing.flac(made), self.value.name)

    def only(self, kept: Collection[int]) -> Recording:
        return self.without(set(range(PARTS)) - set(kept))

    def gathered(self, given: Contribution) -> FloatArray:
        """Spans are (0, first, behind the last) in hundredths of a second; each goes to the
        stretch that its middle lies in."""
        found, ends = np.zeros(PARTS), self.ends * 100
        for (_, first, last), share in zip(given.spans, given.shares, strict=True):
            place = int(np.searchsorted(ends, (first + last) / 2, side="right")) - 1
            found[min(max(place, 0), PARTS - 1)] += share
        return found

    def marked(self, strengths: Sequence[float]) -> Iterator[tuple[str, float]]:
        """A line of time: two characters a stretch."""
        yield f"{self.value}  0 s ", 0.0
        for strength in strengths:
            sign = "·" if not strength else "+" if strength > 0 else "-"
            yield (2 * sign if abs(strength) >= STRONG else f"{sign} "), strength
        yield f" {self.ends[-1]:.2f} s", 0.0

    def drawn(self, strengths: Sequence[float]) -> None:
        """Nothing: the line of time shows it."""
        return
