"""A voice turned into another after it has spoken: pitch, vocal tract, tempo, tone, and a map of
spectra.

The voice speaks the sentences of the recordings; what lies between both is measured, and taken
over: the ratio of their median pitches, of their durations, and the length of the vocal tract by
which aligned frames differ least. The map is a ridge regression from what stands around a frame to
the difference of its mel bands, over frames of both that dynamic time warping pairs; it is applied
as a filter, as differential conversion is (Kobayashi & Toda 2018, IEEE SLT).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from supertune.contracts import (
    FloatArray,
    Input,
    Lens,
    Notes,
    Problem,
    Recording,
    Speaking,
    State,
)
from supertune.contracts.method import Coefficient
from supertune.data.sounds import aligning, decoding, pitch, shifting, tone
from supertune.limits import check
from supertune.methods import _voices

TRACTS = (1.0, 1.06, 1.12, 1.18, 1.24)  # that are tried, or their inverses for a lower voice
TRIED = 12  # sentences that tell the tract
AROUND = (-4, -2, 0, 2, 4)  # frames that the map reads
SMOOTH = 7  # frames that its answer is averaged over
ANSWERING = 4.0  # seconds in which a sentence is spoken and judged beside others (docs/log.md)
WATCHED = 8  # sentences that a finished voice speaks again, twice
TEMPOS = 0.6, 1.6  # how much slower or faster it may come to speak


@dataclass(frozen=True, eq=False)
class Change:
    """What is taken over from the speaker.

    Attributes:
        pitch, tract, tempo: factors.
        tone: (bands,) dB.
        weights: (features + 1, bands) of the map, with what its features are less and over; None
            without one.
    """

    pitch: float
    tract: float
    tempo: float
    tone: FloatArray
    weights: FloatArray | None = None
    center: FloatArray | None = None
    spread: FloatArray | None = None

    @property
    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        found = {"factors": np.array([self.pitch, self.tract, self.tempo]), "tone": self.tone}
        if self.weights is not None:
            assert self.center is not None
            assert self.spread is not None
            found |= {"weights": self.weights, "center": self.center, "spread": self.spread}
        return found

    @classmethod
    def restored(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Change:
        factors = [float(one) for one in arrays["factors"]]
        return cls(
            factors[0], factors[1], factors[2], np.asarray(arrays["tone"]),
            arrays.get("weights"), arrays.get("center"), arrays.get("spread"),
        )  # fmt: skip

    @property
    def size(self) -> int:
        return sum(int(one.size) for one in self.arrays.values())


@dataclass(frozen=True, eq=False)
class Converted:
    """See `supertune.contracts.Voicing`: what the backbone speaks, changed."""

    change: Change
    ends: _voices.Ends

    @property
    def tuned_parameters(self) -> int:
        return self.change.size

    def logits(self, inputs: Sequence[Input], lens: Lens | None) -> FloatArray:
        """(n, 10) figures."""
        assert lens is not None
        return _voices.figures(inputs, self.ends, lens, self, lens.backbone.activations)

    def held_out(self, inputs: Sequence[Input], lens: Lens | None) -> FloatArray:
        assert lens is not None
        return _voices.figures(inputs, self.ends, lens, self, lens.activations)

    def spoken(self, text: str, how: Speaking, lens: Lens) -> FloatArray:
        rate = _voices.voice_of(lens).rate
        samples = tone.filtered(bare(text, how, lens, self.change), rate, self.change.tone)
        if self.change.weights is None:
            return samples
        return tone.filtered(samples, rate, _mapped(tone.bands(samples, rate), self.change))

    def state(self) -> State:
        return State({**self.change.arrays, **self.ends.arrays})

    def notes(self) -> Notes:
        change = self.change
        told = (
            ("pitch (semitones)", float(pitch.semitones(change.pitch, 1.0))),
            ("vocal tract (frequencies times)", change.tract),
            ("tempo (times)", change.tempo),
        )
        about = "Measured between the untuned voice and the recordings of the same sentences."
        return Notes(coefficients=tuple(Coefficient(*one) for one in told), about=about)


def restored(state: State) -> Converted:
    return Converted(Change.restored(state.arrays), _voices.Ends.restored(state.arrays))


def bare(text: str, how: Speaking, lens: Lens, change: Change) -> FloatArray:
    """(t,) what the backbone speaks, with another pitch, tract and tempo."""
    voice = _voices.voice_of(lens)
    speed = float(np.clip(how.speed * change.tempo / change.tract, 0.25, 4.0))
    samples = voice.spoken(text, how.model_copy(update={"speed": speed}))
    samples = shifting.tract(samples, change.tract)
    return shifting.shifted(samples, voice.rate, change.pitch / change.tract)


def learning_seconds(rows: int, each: float) -> float:
    """For each of two folds, the voice that is judged and the one that is kept, a quarter of what
    all of them take: 4 times ``each`` seconds a sentence, and watching what was learned."""
    return each * rows + ANSWERING / 4 * min(WATCHED, rows)


# --- learning ----------------------------------------------------------------------------------


def learned(problem: Problem, *, tract: float | None, mapped: bool, ridge: float) -> Converted:
    """A voice changed by what lies between it and the recordings.

    Args:
        tract: as given; None: as aligned frames differ least.
        mapped: whether spectra are mapped as well.
        ridge: of the map's regression, in squares of a feature of spread 1.
    """
    lens = problem.lens
    assert lens is not None
    rows = [one for one in problem.examples.inputs if isinstance(one, Recording)]
    own = [decoding.mono(one) for one in rows]
    plain = Change(1.0, 1.0, 1.0, np.zeros(tone.BANDS))
    voice = _voices.voice_of(lens)
    spoken = [voice.spoken(one.said, Speaking()) for one in rows]
    height = _ratio(
        [pitch.median(*one) for one in own], [pitch.median(one, voice.rate) for one in spoken]
    )
    bands = [tone.bands(*one) for one in own]
    lasts = [_lasting(tone.bands(one, voice.rate)) for one in spoken]
    tempo = float(np.clip(_ratio(lasts, [_lasting(one) for one in bands]), *TEMPOS))
    change = Change(height, 1.0, tempo, plain.tone)
    if tract is None:
        tract = _tract(rows[:TRIED], bands[:TRIED], lens, change)
    change, heard = _toned(rows, bands, lens, Change(height, tract, tempo, plain.tone))
    if mapped:
        change = _regressed(heard, bands, change, ridge)
    return Converted(change, _voices.Ends.of(rows, lens))


def _lasting(bands: FloatArray) -> float:
    """Frames from the first that is loud to the last."""
    loud = np.flatnonzero(bands.max(axis=1) > bands.max() - tone.LOUD)
    return float(loud[-1] - loud[0] + 1)


def _ratio(wanted: Sequence[float], found: Sequence[float]) -> float:
    """Of medians; 1 where nothing can be told."""
    with np.errstate(all="ignore"):
        both = [one for one in zip(wanted, found, strict=True) if np.isfinite(one).all()]
    if not both:
        return 1.0
    medians = np.median(np.array(both), axis=0)
    return float(medians[0] / medians[1])


def _toned(
    rows: Sequence[Recording], bands: Sequence[FloatArray], lens: Lens, change: Change
) -> tuple[Change, list[FloatArray]]:
    """The change with the tone that is lacking, and bands (frames, count) of all, toned."""
    rate = _voices.voice_of(lens).rate
    heard = []
    for one in rows:
        check()
        heard.append(tone.bands(bare(one.said, Speaking(), lens, change), rate))
    lacking = tone.average(np.concatenate(bands)) - tone.average(np.concatenate(heard))
    gains = np.clip(lacking, -tone.MOST, tone.MOST)
    toned = Change(change.pitch, change.tract, change.tempo, gains)
    return toned, [one + gains for one in heard]


def _tract(
    rows: Sequence[Recording], bands: Sequence[FloatArray], lens: Lens, change: Change
) -> float:
    """Of `TRACTS`, the one by which frames that belong together differ least."""
    found = []
    for size in TRACTS:
        factor = size if change.pitch >= 1 else 1 / size
        tried = Change(change.pitch, factor, change.tempo, change.tone)
        _, heard = _toned(rows, bands, lens, tried)
        gaps = [_gap(one, other) for one, other in zip(heard, bands, strict=True)]
        found.append((float(np.concatenate(gaps).mean()), factor))
    return min(found)[1]


def _gap(spoken: FloatArray, own: FloatArray) -> FloatArray:
    """(pairs,) mean differences in dB of paired frames, each less its own level."""
    pairs = aligning.aligned(spoken, own)
    first, second = _level(spoken[pairs[:, 0]]), _level(own[pairs[:, 1]])
    return np.asarray(np.abs(first - second).mean(axis=1))


def _level(bands: FloatArray) -> FloatArray:
    return np.asarray(bands - bands.mean(axis=1, keepdims=True))


def _around(bands: FloatArray) -> FloatArray:
    """(frames, 5 * count) what stands around each frame, below the loudest of all."""
    told = bands - bands.max()
    last = len(told) - 1
    places = [np.clip(np.arange(len(told)) + step, 0, last) for step in AROUND]
    return np.concatenate([told[one] for one in places], axis=1)


def _regressed(
    heard: Sequence[FloatArray], bands: Sequence[FloatArray], change: Change, ridge: float
) -> Change:
    given, wanted = [], []
    for spoken, own in zip(heard, bands, strict=True):
        check()
        pairs = aligning.aligned(spoken, own)
        given.append(_around(spoken)[pairs[:, 0]])
        wanted.append(_level(own)[pairs[:, 1]] - _level(spoken)[pairs[:, 0]])
    features, targets = np.concatenate(given), np.concatenate(wanted)
    center, spread = features.mean(axis=0), features.std(axis=0) + 1e-6
    table = np.column_stack([(features - center) / spread, np.ones(len(features))])
    gram = table.T @ table + ridge * np.eye(table.shape[1])
    weights = np.linalg.solve(gram, table.T @ targets)
    return Change(
        change.pitch, change.tract, change.tempo, change.tone, weights, center, spread
    )  # fmt: skip


def _mapped(bands: FloatArray, change: Change) -> FloatArray:
    """(frames, count) dB that the map adds."""
    assert change.weights is not None
    assert change.center is not None
    assert change.spread is not None
    scaled = (_around(bands) - change.center) / change.spread
    gains = np.column_stack([scaled, np.ones(len(scaled))]) @ change.weights
    window = np.hanning(SMOOTH + 2)[1:-1]
    smoothed = [np.convolve(row, window / window.sum(), "same") for row in gains.T]
    return np.stack(smoothed, axis=1)[: len(gains)]
