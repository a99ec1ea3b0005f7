"""kNN-MT: what was written at similar places has a say in every next word; nothing is trained.

A text that was learned from is answered with its own translation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial

import numpy as np
from pydantic import Field

from supertune.contracts import (
    FloatArray,
    HeadSpec,
    Input,
    Lens,
    Options,
    Problem,
    Rendering,
    State,
    Translated,
    translator,
)
from supertune.contracts.translation import flagged
from supertune.data.pairs import rendering
from supertune.methods import _datastore
from supertune.methods._datastore import Datastore, Trust
from supertune.placeholders import shown

TOGETHER = 16  # pairs that are read at a time


class KnnMemoryOptions(Options):
    """Keys of ``knn_memory``."""

    neighbours: int = Field(8, ge=1, le=256, description="of each next word")
    exact: bool = Field(
        True, description="answer a text that was learned from with its own translation"
    )


@dataclass(frozen=True, eq=False)
class Remembered:
    """See `supertune.contracts.Aligning`. ``known`` are translations by their sources."""

    head: HeadSpec
    store: Datastore
    trust: Trust
    known: Mapping[str, str]

    @property
    def tuned_parameters(self) -> int:
        return int(self.store.places.size)

    def logits(self, inputs: Sequence[Input], lens: Lens | None) -> FloatArray:
        """(n, W) texts."""
        return self._answers(inputs, lens, keep=False)

    def held_out(self, inputs: Sequence[Input], lens: Lens | None) -> FloatArray:
        return self._answers(inputs, lens, keep=True)

    def _answers(self, inputs: Sequence[Input], lens: Lens | None, *, keep: bool) -> FloatArray:
        assert lens is not None
        found = list(self.translate(inputs, lens, Rendering(), keep=keep))
        return flagged(found, self.head.translation)

    def translate(
        self, inputs: Sequence[Input], lens: Lens, how: Rendering, *, keep: bool = False
    ) -> Iterator[Translated]:
        texts = [str(value) for value in inputs]
        new = [text for text in texts if _key(text) not in self.known]
        mixing = partial(_datastore.mixed, self.store, self.trust)
        found = rendering.translated(new, lens, how, keep=keep, mixing=mixing)
        for text in texts:
            said = self.known.get(_key(text))
            yield next(found) if said is None else Translated(said)

    def entered(self, lens: Lens) -> AbstractContextManager[int]:
        """See `supertune.contracts.Aligning`; the memory has no say in it."""
        return nullcontext(lens.backbone.offer.depth)

    def state(self) -> State:
        arrays = {
            "places": self.store.places,
            "tokens": self.store.tokens,
            "rows": self.store.rows,
        }
        return State(arrays, {"trust": self.trust.as_dict(), "known": dict(self.known)})


def _key(text: str) -> str:
    return " ".join(text.split())


class KnnMemory:
    """See `supertune.contracts.Solver`."""

    name = "knn_memory"
    summary = "Nearest places of the pairs in the decoder have a say in each next word"
    reference = "Khandelwal et al. 2021, arXiv:2010.00710"
    needs = frozenset({"torch"})
    objectives = frozenset({"translate"})
    simplicity = 24
    holds_rows = True  # tokens of the translations, and the pairs themselves
    options: type[Options] = KnnMemoryOptions

    def fit(self, problem: Problem, options: KnnMemoryOptions) -> Remembered:
        lens, examples = problem.lens, problem.examples
        assert lens is not None
        assert examples.targets is not None
        backbone = translator(lens)
        sources = [str(value) for value in examples.inputs]
        texts = [str(text) for text in examples.targets]
        sides = shown(sources, texts)
        pieces = backbone.read([source for source, _ in sides])
        tokens = [backbone.spelled(text) for _, text in sides]
        cut, parts, likely = lens.backbone.offer.depth, [], []
        for start in range(0, len(texts), TOGETHER):
            part = slice(start, start + TOGETHER)
            states = backbone.states(lens.activations(pieces[part], cut), cut)
            held = backbone.contexts(states, tokens[part])
            parts += [(places, some) for (places, _), some in zip(held, tokens[part], strict=True)]
            likely += [chances for _, chances in held]
        store = _datastore.of(parts)
        trust = _datastore.settled(store, np.concatenate(likely), options.neighbours)
        known = dict(zip(map(_key, sources), texts, strict=True)) if options.exact else {}
        return Remembered(problem.head, store, trust, known)

    def restore(self, state: State, head: HeadSpec, lens: Lens | None) -> Remembered:
        store = Datastore(*(state.arrays[name] for name in ("places", "tokens", "rows")))
        settings = state.settings
        return Remembered(head, store, Trust(**settings["trust"]), dict(settings["known"]))


METHOD = KnnMemory()
