"""Translations out of an encoder's states, token after token, with what was written kept.

All texts of a batch are written at once, and those that have ended are let go of; see `beams` for
several hypotheses of each.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from supertune.backbones.transformers.translation import beams
from supertune.backbones.transformers.translation.found import THINNED, Found
from supertune.backbones.transformers.translation.terms import Terms, mentions
from supertune.contracts import Rendering, Translated
from supertune.contracts.translation import Mixing
from supertune.errors import InputError
from supertune.limits import check

if TYPE_CHECKING:
    from supertune.backbones.transformers.batching import Piece
    from supertune.backbones.transformers.translation.translator import Translator
    from supertune.backbones.transformers.translation.writing import States

ROOM = 16  # tokens of a translation at most, besides those that follow from its source


def translated(
    pair: Translator,
    states: States,
    sources: Sequence[Piece],
    how: Rendering,
    mixing: Mixing | None,
) -> list[Translated]:
    """See `supertune.contracts.Translating`."""
    import torch

    most = [ROOM + round(how.longest * len(piece)) for piece in sources]
    if pair.writer.most is not None:
        most = [min(one, pair.writer.most) for one in most]
    with pair.backbone.lock, torch.inference_mode():
        run = Run(pair, states, mixing, _terms(pair, sources, how))
        if how.beams == 1:
            found = _greedy(run, most, pair.sides.end)
        else:
            found = beams.searched(run, most, pair.sides.end, how)
    every = [one for best in found for one in (best, *best.others)]
    told = iter(map(Translated, pair.sides.said([one.tokens for one in every]),
                    (one.mean for one in every)))  # fmt: skip
    return [replace(next(told), others=tuple(next(told) for _ in best.others)) for best in found]


def _terms(pair: Translator, sources: Sequence[Piece], how: Rendering) -> Terms | None:
    """
    Raises:
        InputError: ``glossary_unsupported``.
    """
    if not how.glossary or not how.bias:
        return None
    if "aligned" not in pair.backbone.offer.capabilities:
        raise InputError(
            "glossary_unsupported",
            f"{pair.backbone.ref.name} cannot be held to a glossary: where its decoder looks was "
            "never taught to be the word that it translates.",
            received=f"{len(how.glossary)} terms",
            allowed="a backbone that offers aligned, such as bergamot-en-pt",
            next="Leave the glossary out; pairs that use the terms teach them (knn_memory, lora).",
        )
    glossary = {}
    for term, name in how.glossary.items():
        forms = dict.fromkeys((name, name[:1].upper() + name[1:]))
        glossary[term] = tuple(tuple(pair.spelled(form)[:-1]) for form in forms)
    texts = [pair.sides.source(piece) for piece in sources]
    held = [mentions(glossary, text, pair.spans(text)) for text in texts]
    return Terms(held, how.bias) if any(held) else None


class Run:
    """A decoder on some states, with what it has written so far."""

    def __init__(
        self,
        pair: Translator,
        states: States,
        mixing: Mixing | None,
        terms: Terms | None,
    ) -> None:
        self.writer, self.mixing, self.terms = pair.writer, mixing, terms
        self.memory = self.writer.begin(states)
        self.looked: Any = None  # (B, S) at which token of the source each row looks

    def preferred(self, chances: Any, rows: Sequence[int], texts: Sequence[Sequence[int]]) -> Any:
        """(B, V) with terms of the glossary raised; ``rows`` are the sources of the ``texts``."""
        if self.terms is None:
            return chances
        return self.terms.preferred(chances, self.looked, rows, texts)

    def step(self, tokens: Any | None) -> Any:
        """(B, V) log-likelihoods behind (B,) further tokens."""
        import torch

        given = None if tokens is None else tokens[:, None]
        nothing: AbstractContextManager[list[Any]] = nullcontext([])
        with nothing if self.terms is None else self.writer.watching() as noted:
            last = self.writer.write(given, self.memory)[:, -1]
        if noted:
            self.looked = noted[-1][:, -1]
        chances = torch.log_softmax(self.writer.words(last).float(), dim=-1)
        if self.mixing is not None:
            chances = self.mixing(last, chances)
        if self.writer.forbidden:
            chances[:, list(self.writer.forbidden)] = -torch.inf
        return chances

    def take(self, rows: Any, sources: Any | None = None) -> None:
        """See `supertune.backbones.transformers.translation.writing.Memory`."""
        self.memory.take(rows, sources)


def _greedy(run: Run, most: Sequence[int], end: int) -> list[Found]:
    import torch

    count = len(most)
    texts: list[list[int]] = [[] for _ in range(count)]
    sums, there = np.zeros(count), np.arange(count)
    ended = np.zeros(count, dtype=bool)
    chances = run.step(None)
    while True:
        check()
        best = run.preferred(chances, there.tolist(), [texts[i] for i in there]).argmax(dim=1)
        sure = chances.gather(1, best[:, None])[:, 0]
        for row, token, chance in zip(there.tolist(), best.tolist(), sure.tolist(), strict=True):
            if ended[row]:
                continue
            sums[row] += chance
            if token == end:
                ended[row] = True
            else:
                texts[row].append(token)
                ended[row] = len(texts[row]) >= most[row]
        if ended.all():
            break
        kept = np.flatnonzero(~ended[there])
        if len(kept) <= THINNED * len(there):
            rows = torch.from_numpy(kept).to(best.device)
            run.take(rows, rows)
            there, best = there[kept], best[rows]
        chances = run.step(best)
    return [Found(tuple(text), float(total)) for text, total in zip(texts, sums, strict=True)]
