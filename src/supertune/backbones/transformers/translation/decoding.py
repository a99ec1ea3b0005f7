"""Translations out of an encoder's states, token after token, with what was written kept.

Greedy decoding takes all texts of a batch at once and lets go of those that have ended; a beam
follows several translations of one text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from supertune.backbones.transformers.translation.terms import Terms, mentions
from supertune.contracts import Rendering, Translated
from supertune.contracts.translation import Mixing
from supertune.limits import check

if TYPE_CHECKING:
    from supertune.backbones.transformers.batching import Piece
    from supertune.backbones.transformers.translation.model import States, TranslatorBackbone

ROOM = 16  # tokens of a translation at most, besides those that follow from its source
THINNED = 0.75  # share of a batch that goes on, below which the others are let go of


@dataclass(frozen=True)
class Found:
    """Tokens without the last, and the sum of their log-likelihoods with it."""

    tokens: tuple[int, ...]
    total: float

    @property
    def mean(self) -> float:
        return self.total / (len(self.tokens) + 1)


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
        run = _Run(backbone, states, mixing, _terms(backbone, sources, how))
        if how.beams == 1:
            found = _greedy(run, most, backbone.end)
        else:
            found = [_beam(run.alone(row, how.beams), most[row], backbone.end, how)
                     for row in range(len(states))]  # fmt: skip
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


class _Run:
    """A decoder on some states, with what it has written so far."""

    def __init__(
        self,
        backbone: TranslatorBackbone,
        states: States,
        mixing: Mixing | None,
        terms: Terms | None,
        source: int | None = None,
    ) -> None:
        self.backbone, self.states, self.mixing, self.terms = backbone, states, mixing, terms
        self.source = source  # of all rows, where these are of one
        self.decoder = backbone.model.get_decoder()
        self.memory = self.decoder.begin(states.hidden, states.mask)
        self.looked: Any = None  # (B, S) at which token of the source each row looks

    def alone(self, row: int, times: int) -> _Run:
        """One row, so many times."""
        from supertune.backbones.transformers.translation.model import States

        wide = self.states.mask[row].sum()
        hidden = self.states.hidden[row, :wide].expand(times, -1, -1)
        mask = self.states.mask[row, :wide].expand(times, -1)
        return _Run(self.backbone, States(hidden, mask), self.mixing, self.terms, row)

    def preferred(self, chances: Any, rows: Sequence[int], texts: Sequence[Sequence[int]]) -> Any:
        """(B, V) with terms of the glossary raised."""
        if self.terms is None:
            return chances
        rows = rows if self.source is None else [self.source] * len(rows)
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

    def take(self, rows: Any) -> None:
        """Go on with these rows alone, in this order."""
        self.memory.take(rows)


def _greedy(run: _Run, most: Sequence[int], end: int) -> list[Found]:
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
            run.take(rows)
            there, best = there[kept], best[rows]
        chances = run.step(best)
    return [Found(tuple(text), float(total)) for text, total in zip(texts, sums, strict=True)]


def _beam(run: _Run, most: int, end: int, how: Rendering) -> Found:
    """The best of several translations by the log-likelihood of all tokens over a power of how
    many they are."""
    import torch

    wide = how.beams
    texts: list[list[int]] = [[] for _ in range(wide)]
    chances = run.step(None)
    sums = torch.full((wide,), -torch.inf, device=chances.device)
    sums[0] = 0.0  # at first all are the same
    done: list[tuple[float, Found]] = []
    for _ in range(most):
        check()
        chances = run.preferred(chances, range(wide), texts)
        best, places = (sums[:, None] + chances).flatten().topk(2 * wide)
        following: list[tuple[int, int, float]] = []
        for total, place in zip(best.tolist(), places.tolist(), strict=True):
            row, token = divmod(place, chances.shape[1])
            if total == -np.inf:
                continue
            if token == end:
                worth = total / (len(texts[row]) + 1) ** how.length_penalty
                done.append((worth, Found(tuple(texts[row]), total)))
            elif len(following) < wide:
                following.append((row, token, total))
        if len(done) >= wide or not following:
            break
        following += [(following[-1][0], following[-1][1], -np.inf)] * (wide - len(following))
        rows = torch.tensor([row for row, _, _ in following], device=chances.device)
        tokens = torch.tensor([token for _, token, _ in following], device=chances.device)
        sums = torch.tensor([total for _, _, total in following], device=chances.device)
        texts = [[*texts[row], token] for row, token, _ in following]
        run.take(rows)
        chances = run.step(tokens)
    if not done:
        row = int(sums.argmax())
        return Found(tuple(texts[row]), float(sums[row]))
    return max(done, key=lambda one: one[0])[1]
