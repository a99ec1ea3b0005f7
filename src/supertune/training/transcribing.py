"""What writes down speech, tuned by the likelihood of transcripts of a few recordings.

The encoder reads each recording once, in the shortest window that holds it, and its states are
kept; where its blocks are tuned too, spectra are kept instead. A step goes through the decoder
alone, and only tokens that count through the vocabulary. Of an encoder without a decoder the blocks
below what is tuned read each recording once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np

from supertune import transcripts
from supertune.contracts import (
    Clip,
    Curve,
    Finding,
    FloatArray,
    GradientMethod,
    HeadSpec,
    Injection,
    Input,
    Lens,
    Listening,
    Method,
    Notes,
    Problem,
    Recording,
    State,
    Transcribing,
    TranscriptionOptions,
    Tunable,
    Tuned,
    Written,
)
from supertune.contracts.speech import listening_of, numbered
from supertune.data.sounds import windows
from supertune.training import worded
from supertune.training.replay import MEMORY

TRIED = 24  # recordings by which shorter windows are proved
WORSE = 0.02  # of their words, how many more may be wrong in them


@dataclass(eq=False)
class TunedTranscriber:
    """See `supertune.contracts.Writing` and `supertune.contracts.Replaying`.

    Attributes:
        language: that most of what was learned is in.
        windows: seconds that the encoder reads, ascending: of a recording the first that hold it,
            in that language; in another the last.
        proof: how the untuned model writes down what was learned from, in those windows and in the
            whole one; empty where nothing was tried out.
    """

    injection: Injection
    tunable: Tunable
    spec: HeadSpec
    language: str | None
    windows: tuple[float, ...]
    proof: dict[str, float] = field(default_factory=dict)
    losses: list[tuple[float, float]] = field(default_factory=list)

    @property
    def tuned_parameters(self) -> int:
        return self.tunable.tuned_parameters

    def logits(self, inputs: Sequence[Input], lens: Lens | None) -> FloatArray:
        """(n, W) texts; nothing is kept."""
        return self._answers(inputs, lens, keep=False)

    def held_out(self, inputs: Sequence[Input], lens: Lens | None) -> FloatArray:
        return self._answers(inputs, lens, keep=True)

    def _answers(self, inputs: Sequence[Input], lens: Lens | None, *, keep: bool) -> FloatArray:
        assert lens is not None
        how = listening_of(lens.encoding)
        texts = [one.text for one in self.transcribe(inputs, lens, how, keep=keep)]
        return numbered(texts, self.spec.characters)

    def transcribe(
        self, inputs: Sequence[Input], lens: Lens, how: Listening, *, keep: bool = False
    ) -> Iterator[Written]:
        """See `supertune.contracts.Writing`."""
        if how.language is None:
            how = how.model_copy(update={"language": self.language})
        recordings = [value for value in inputs if isinstance(value, Recording)]
        cut = worded.entry(self.tunable.cut, lens.backbone.offer)
        # Short windows were proved in the language that was learned from, and in no other.
        same = how.language == self.language
        allowed = self.windows if same else self.windows[-1:]
        with self.tunable:
            yield from windows.written(recordings, lens, how, allowed, keep=keep, cut=cut)

    def state(self) -> State:
        more = {"language": self.language, "windows": list(self.windows), "proof": self.proof}
        return worded.written(self.injection, self.tunable, **more)

    def notes(self) -> Notes:
        curve = Curve("loss", "step", tuple(self.losses))
        read = " or ".join(f"{one:g}" for one in self.windows)
        about = f"Recordings are read in windows of at most {read} s: no more than hold them."
        if self.proof:
            about += (
                " Untuned, {short:.1%} of the words of {rows:.0f} recordings learned from are "
                "wrong in windows of {seconds:g} s and more, and {whole:.1%} in the longest."
            ).format(**self.proof)
        return Notes((curve,) if self.losses else (), about=about)


def transcriber(lens: Lens) -> Transcribing:
    assert isinstance(lens.backbone, Transcribing)
    return lens.backbone


def train(method: Method, problem: Problem, options: TranscriptionOptions) -> TunedTranscriber:
    """``options`` as `supertune.contracts.TranscriptionOptions` has them and the method's own.

    Raises:
        InputError: ``transcript_too_long``, ``unknown_language``, and what the engine refuses.
        SupertuneError: ``loss_not_finite``.
    """
    lens = problem.lens
    assert lens is not None
    said = [str(text) for text in _targets(problem)]
    language = windows.language_of(said, _recordings(problem), lens)
    injection = worded.injected(cast(GradientMethod, method), lens.backbone.offer, options)
    allowed, proof = _windows(problem, lens, options.window, language)
    tunable = lens.backbone.inject(injection, seed=problem.seed)
    tuned = TunedTranscriber(injection, tunable, problem.head, language, allowed, proof)
    with tunable, worded.averaged(tunable, 0.0, options.interpolation) as stepped:
        tuned.losses = _descend(tuned, problem, options, stepped)
    return tuned


def restore(
    method: Method, state: State, options: Any, head: HeadSpec, lens: Lens | None
) -> TunedTranscriber:
    assert lens is not None
    held, injection = state.settings, worded.injection_of(state)
    numbers = state.adapter or state.arrays
    tunable = lens.backbone.inject(injection, seed=0, numbers=numbers)
    allowed = tuple(float(one) for one in held["windows"])
    return TunedTranscriber(
        injection, tunable, head, held["language"], allowed, dict(held["proof"])
    )


def _windows(
    problem: Problem, lens: Lens, wanted: str | float, language: str | None
) -> tuple[tuple[float, ...], dict[str, float]]:
    """Seconds that may be read of a recording, and how that was proved: the untuned model writes
    down some of those that are learned from in both short windows and the whole one."""
    backbone = transcriber(lens)
    recordings = _recordings(problem)
    most = backbone.window
    short = backbone.shorter
    if not isinstance(wanted, str):
        longer = tuple(one for one in (*short, most) if one > wanted)
        return (min(most, float(wanted)), *longer), {}
    if wanted == "whole" or not short:
        return (most,), {}
    order = sorted(range(len(recordings)), key=lambda i: backbone.seconds(recordings[i]))
    tried = [order[i] for i in np.unique(np.linspace(0, len(order) - 1, TRIED).astype(int))]
    said = [str(_targets(problem)[i]) for i in tried]
    how, some = Listening(language=language), [recordings[i] for i in tried]

    def wrong(*seconds: float) -> float:
        return _errors(said, windows.written(some, lens, how, seconds, keep=True))

    proof = {"whole": wrong(most), "rows": float(len(tried))}
    for first in range(len(short)):
        allowed = (*short[first:], most)
        proof |= {"short": wrong(*allowed), "seconds": allowed[0]}
        if proof["short"] <= proof["whole"] + WORSE:
            return allowed, proof
    return (most,), proof


def _errors(said: Sequence[str], written: Iterator[Written]) -> float:
    counts = [transcripts.errors(text, one.text) for text, one in zip(said, written, strict=True)]
    return sum(one[0] for one in counts) / max(1, sum(one[1] for one in counts))


def _recordings(problem: Problem) -> list[Recording]:
    return [value for value in problem.examples.inputs if isinstance(value, Recording)]


def _targets(problem: Problem) -> Any:
    assert problem.examples.targets is not None
    return problem.examples.targets


def _descend(
    tuned: TunedTranscriber,
    problem: Problem,
    options: TranscriptionOptions,
    stepped: worded.Stepped,
) -> list[tuple[float, float]]:
    import torch

    lens, tunable = problem.lens, tuned.tunable
    assert lens is not None
    backbone = transcriber(lens)
    clips = [windows.whole(one, lens, tuned.windows) for one in _recordings(problem)]
    texts = [backbone.spelled(str(text)) for text in _targets(problem)]
    own = problem.examples.weights
    weights = np.ones(len(clips)) if own is None else np.asarray(own)
    cut, language = worded.entry(tunable.cut, lens.backbone.offer), tuned.language or ""
    held = _held(lens, clips, cut)

    def summed(chosen: list[int]) -> tuple[Any, Any]:
        sums: Any = 0.0
        counts: Any = 0.0
        for some in _by_window(chosen, clips):
            states = backbone.states([held(i) for i in some], cut)
            found, tokens = backbone.losses(
                states, [texts[i] for i in some], language, options.label_smoothing
            )
            each = torch.tensor(weights[some], dtype=found.dtype, device=found.device)
            sums, counts = sums + (found * each).sum(), counts + (tokens * each).sum()
        return sums, counts

    lengths = [len(text) for text in texts]
    return worded.descended(tunable, problem, options, lengths, summed, stepped)


def _held(lens: Lens, clips: Sequence[Clip], cut: int) -> Callable[[int], FloatArray]:
    """What is kept of each clip, by its number: in memory while it fits, else asked for again."""
    room, known = MEMORY, dict[int, FloatArray]()

    def found(number: int) -> FloatArray:
        nonlocal room
        if number in known:
            return known[number]
        (array,) = lens.activations([clips[number]], cut)
        if array.nbytes <= room:
            room -= array.nbytes
            known[number] = array
        return array

    return found


def _by_window(chosen: Sequence[int], clips: Sequence[Clip]) -> list[list[int]]:
    """Rows of a batch, those of one window together, shortest first."""
    lengths = sorted({clips[i].window for i in chosen})
    return [[i for i in chosen if clips[i].window == one] for one in lengths]


def verified(method: Method, problem: Problem, options: Any, tuned: Tuned) -> tuple[Finding, ...]:
    """See `worded.verified`."""
    losses = tuned.losses if isinstance(tuned, TunedTranscriber) else []
    return worded.verified(method, problem, options, tuned, losses, "transcripts")
