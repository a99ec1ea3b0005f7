"""What translates, tuned by the likelihood of translations of a few texts.

The encoder reads each source once and its states are kept; where its blocks are tuned too, the
tokens are read anew. A step goes through the decoder alone. The tuned numbers are averaged over the
last steps (Polyak & Juditsky 1992; Izmailov et al. 2018, arXiv:1803.05407).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np

from supertune import limits
from supertune.contracts import (
    Curve,
    Finding,
    FloatArray,
    GradientMethod,
    HeadSpec,
    Injection,
    Input,
    IntArray,
    Lens,
    Method,
    Notes,
    Offer,
    Problem,
    Rendering,
    State,
    Translated,
    Translating,
    TranslationOptions,
    Tunable,
    Tuned,
    translator,
)
from supertune.contracts.translation import flagged
from supertune.data.pairs import rendering
from supertune.errors import InputError
from supertune.placeholders import shown
from supertune.training import worded
from supertune.training.replay import MEMORY
from supertune.training.stopping import Watch, parted

READ = 16  # pairs that are read at a time
BESIDE = 16  # likeliest words of each place that compete with the right one
PLAIN = Rendering()  # how answers are translated that are judged


@dataclass(eq=False)
class TunedTranslator:
    """See `supertune.contracts.Aligning` and `supertune.contracts.Replaying`."""

    injection: Injection
    tunable: Tunable
    spec: HeadSpec
    losses: list[tuple[float, float]] = field(default_factory=list)
    held: list[tuple[float, float]] = field(default_factory=list)  # a token of pairs held out

    @property
    def tuned_parameters(self) -> int:
        return self.tunable.tuned_parameters

    def logits(self, inputs: Sequence[Input], lens: Lens | None) -> FloatArray:
        """(n, W) texts; nothing is kept."""
        assert lens is not None
        found = list(self.translate(inputs, lens, PLAIN))
        return flagged(found, self.spec.translation)

    def held_out(self, inputs: Sequence[Input], lens: Lens | None) -> FloatArray:
        assert lens is not None
        found = list(self.translate(inputs, lens, PLAIN, keep=True))
        return flagged(found, self.spec.translation)

    def translate(
        self, inputs: Sequence[Input], lens: Lens, how: Rendering, *, keep: bool = False
    ) -> Iterator[Translated]:
        """See `supertune.contracts.Rendered`."""
        texts = [str(value) for value in inputs]
        with self.entered(lens) as cut:
            yield from rendering.translated(texts, lens, how, keep=keep, cut=cut)

    @contextmanager
    def entered(self, lens: Lens) -> Iterator[int]:
        """See `supertune.contracts.Aligning`."""
        with self.tunable:
            yield worded.entry(self.tunable.cut, lens.backbone.offer)

    def state(self) -> State:
        return worded.written(self.injection, self.tunable)

    def notes(self) -> Notes:
        known = {"loss": self.losses, "held-out loss": self.held}
        return Notes(tuple(Curve(name, "step", tuple(one)) for name, one in known.items() if one))


def train(method: Method, problem: Problem, options: TranslationOptions) -> TunedTranslator:
    """``options`` as `supertune.contracts.TranslationOptions` has them and the method's own.

    Raises:
        InputError: ``pair_too_long``, and what the engine refuses.
        SupertuneError: ``loss_not_finite``.
    """
    lens = problem.lens
    assert lens is not None
    injection = injected(cast(GradientMethod, method), lens.backbone.offer, options)
    pairs = Pairs.of(problem, lens)
    tunable = lens.backbone.inject(injection, seed=problem.seed)
    tuned = TunedTranslator(injection, tunable, problem.head)
    with tunable:
        share = options.averaging, options.interpolation
        with worded.averaged(tunable, *share) as stepped:
            tuned.losses = _descend(tuned, problem, pairs, options, stepped)
    return tuned


def restore(
    method: Method, state: State, options: Any, head: HeadSpec, lens: Lens | None
) -> TunedTranslator:
    assert lens is not None
    injection = worded.injection_of(state)
    numbers = state.adapter or state.arrays
    tunable = lens.backbone.inject(injection, seed=0, numbers=numbers)
    return TunedTranslator(injection, tunable, head)


def injected(method: GradientMethod, offer: Offer, options: Any) -> Injection:
    """See `worded.injected` and `worded.everywhere`."""
    return worded.everywhere(worded.injected(method, offer, options))


@dataclass(frozen=True, eq=False)
class Pairs:
    """Sources as pieces of tokens, translations as tokens, and (n,) weights."""

    sources: list[Any]
    texts: list[list[int]]
    weights: FloatArray

    @classmethod
    def of(cls, problem: Problem, lens: Lens) -> Pairs:
        """Raises: InputError ``pair_too_long``: nothing is cut without being said."""
        backbone, examples = translator(lens), problem.examples
        assert examples.targets is not None
        sides = shown([*map(str, examples.inputs)], [*map(str, examples.targets)])
        sources = backbone.read([source for source, _ in sides])
        texts = [backbone.spelled(text) for _, text in sides]
        most = lens.backbone.offer.max_length
        for row, source, text in zip(examples.rows, sources, texts, strict=True):
            if max(len(source), len(text)) > most:
                raise InputError(
                    "pair_too_long",
                    "A pair has more tokens than the model reads.",
                    received=f"row {row}: {len(source)} tokens, translation {len(text)}",
                    allowed=f"at most {most} tokens on each side",
                    next="Cut the row into sentences with their translations.",
                )
        own = examples.weights
        return cls(sources, texts, np.ones(len(texts)) if own is None else np.asarray(own))


def _descend(
    tuned: TunedTranslator,
    problem: Problem,
    pairs: Pairs,
    options: TranslationOptions,
    stepped: worded.Stepped,
) -> list[tuple[float, float]]:
    import torch

    lens, tunable = problem.lens, tuned.tunable
    assert lens is not None
    backbone, cut = translator(lens), worded.entry(tunable.cut, lens.backbone.offer)
    held = _held(lens, pairs.sources, cut)
    among = _among(backbone, pairs, held, cut) if options.vocabulary == "likely" else None

    def summed(chosen: list[int]) -> tuple[Any, Any]:
        states = backbone.states([held(i) for i in chosen], cut)
        texts = [pairs.texts[i] for i in chosen]
        sums, counts = backbone.losses(states, texts, options.label_smoothing, among)
        each = torch.tensor(pairs.weights[chosen], dtype=sums.dtype, device=sums.device)
        return (sums * each).sum(), (counts * each).sum()

    learned, out = parted(problem.examples, options.held_out, problem.seed)
    lengths = [len(pairs.texts[i]) for i in learned]

    def own(chosen: list[int]) -> tuple[Any, Any]:
        return summed(learned[chosen].tolist())

    if not len(out):
        return worded.descended(tunable, problem, options, lengths, own, stepped)
    judged = _judged(backbone, pairs, held, out.tolist(), cut)
    watch = Watch(tunable, judged, options.patience, options.interpolation)
    losses = worded.descended(
        tunable, problem, options, lengths, own, watch.stepped, ended=watch.ended
    )
    watch.settle()
    stepped(0, 1)  # what was kept is the mean that is interpolated to
    tuned.held = watch.losses
    return losses


def _judged(
    backbone: Translating,
    pairs: Pairs,
    held: Callable[[int], FloatArray],
    rows: list[int],
    cut: int,
) -> Callable[[], float]:
    """What a token of these pairs is unlikely by, of all words, with the numbers as they are."""

    def loss() -> float:
        import torch

        total = tokens = 0.0
        with torch.inference_mode():
            for start in range(0, len(rows), READ):
                some = rows[start : start + READ]
                states = backbone.states([held(i) for i in some], cut)
                sums, counts = backbone.losses(states, [pairs.texts[i] for i in some])
                total, tokens = total + float(sums.sum()), tokens + float(counts.sum())
        return total / tokens

    return loss


def _among(
    backbone: Translating, pairs: Pairs, held: Callable[[int], FloatArray], cut: int
) -> IntArray:
    """All tokens that are written, and the likeliest beside them before anything is tuned."""
    found = []
    for start in range(0, len(pairs.texts), READ):
        limits.check()
        some = range(start, min(start + READ, len(pairs.texts)))
        states = backbone.states([held(i) for i in some], cut)
        found.append(backbone.likely(states, [pairs.texts[i] for i in some], BESIDE))
    return np.unique(np.concatenate(found))


def _held(lens: Lens, pieces: Sequence[Any], cut: int) -> Callable[[int], FloatArray]:
    """What is kept of each source, by its number: in memory while it fits, else asked for again."""
    known: dict[int, FloatArray] = {}
    arrays = lens.activations(pieces, cut)
    room = MEMORY
    for number, array in enumerate(arrays):
        if array.nbytes <= room:
            room -= array.nbytes
            known[number] = array
    del arrays

    def found(number: int) -> FloatArray:
        return known[number] if number in known else lens.activations([pieces[number]], cut)[0]

    return found


def verified(method: Method, problem: Problem, options: Any, tuned: Tuned) -> tuple[Finding, ...]:
    """See `worded.verified`."""
    losses = tuned.losses if isinstance(tuned, TunedTranslator) else []
    return worded.verified(method, problem, options, tuned, losses, "translations")
