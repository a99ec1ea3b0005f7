"""Translations out of an encoder's states, token after token, with what was written kept.

All texts of a batch are written at once, and those that have ended are let go of; see `beams` for
several hypotheses of each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from supertune.backbones.transformers.translation import beams
from supertune.backbones.transformers.translation.found import THINNED, Found
from supertune.backbones.transformers.translation.terms import Terms, mentions
from supertune.contracts import Rendering, Translated
from supertune.contracts.translation import Mixing
from supertune.limits import check

if TYPE_CHECKING:
    from supertune.backbones.transformers.batching import Piece
    from supertune.backbones.transformers.translation.model import States, TranslatorBackbone

ROOM = 16  # tokens of a translation at most, besides those that follow from its source


def translated(
    backbone: TranslatorBackbone,
    states: States,
    sources: Sequence[Piece],
    how: Rendering,
    mixing: Mixing | None,
) -> list[Translated]:
    """See `supertune.contracts.Translating`."""
    import torch

    most = [ROOM + round(how.longest * len(piece)) for piece in sources]
    with backbone.lock, torch.inference_mode():
        run = Run(backbone, states, mixing, _terms(backbone, sources, how))
        if how.beams == 1:
            found = _greedy(run, most, backbone.end)
        else:
            found = beams.searched(run, most, backbone.end, how)
    texts = backbone.tokenizer.batch_decode(
        [one.tokens for one in found], skip_special_tokens=True, clean_up_tokenization_spaces=False
    )
    return [Translated(text.strip(), one.mean) for text, one in zip(texts, found, strict=True)]


def _terms(backbone: TranslatorBackbone, sources: Sequence[Piece], how: Rendering) -> Terms | None:
    if not how.glossary or not how.bias:
        return None
    glossary = {}
    for term, name in how.glossary.items():
        forms = dict.fromkeys((name, name[:1].upper() + name[1:]))
        glossary[term] = tuple(tuple(backbone.spelled(form)[:-1]) for form in forms)
    texts = backbone.tokenizer.batch_decode(
        [piece.ids for piece in sources], skip_special_tokens=True
    )
    held = [mentions(glossary, text, backbone.tokenization.offsets(text, None)) for text in texts]
    return Terms(held, how.bias) if any(held) else None


class Run:
    """A decoder on some states, with what it has written so far."""

    def __init__(
        self,
        backbone: TranslatorBackbone,
        states: States,
        mixing: Mixing | None,
        terms: Terms | None,
    ) -> None:
        self.backbone, self.mixing, self.terms = backbone, mixing, terms
        self.decoder = backbone.model.get_decoder()
        self.memory = self.decoder.begin(states.hidden, states.mask)
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
        with self._looking():
            last = self.decoder(given, self.memory)[:, -1]
        chances = torch.log_softmax(self.backbone.model.words(last).float(), dim=-1)
        return chances if self.mixing is None else self.mixing(last, chances)

    @contextmanager
    def _looking(self) -> Iterator[None]:
        """Inside, where the last block looks is noted, if terms depend on it."""
        if self.terms is None:
            yield
            return

        def look(attention: Any, given: tuple[Any, ...]) -> None:
            hidden, keys, _, mask = given
            self.looked = attention.looked(hidden[:, -1:], keys, mask)[:, 0]

        handle = self.decoder.layers[-1].encoder_attn.register_forward_pre_hook(look)
        try:
            yield
        finally:
            handle.remove()

    def take(self, rows: Any, sources: Any | None = None) -> None:
        """See `supertune.architectures.bergamot.Memory.take`."""
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
