"""Beam search over one request: several answers are followed at a time, and the best are kept.

An answer that has ended is ranked by the sum of its log-likelihoods over a power of its length (Wu
et al. 2016, arXiv:1609.08144). Where answers have a structure, each hypothesis follows its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from supertune.backbones.transformers import generating
from supertune.backbones.transformers.batching import Piece
from supertune.contracts import Answering, Completed, FloatArray
from supertune.limits import check

if TYPE_CHECKING:
    from supertune.backbones.transformers.constraining import Followed
    from supertune.backbones.transformers.model import TransformersBackbone


@dataclass(frozen=True)
class Hypothesis:
    """Tokens, the sum of their log-likelihoods, and where they stand in a structure."""

    tokens: tuple[int, ...] = ()
    total: float = 0.0
    follows: Followed | None = None

    def rank(self, power: float) -> float:
        return float(self.total / max(1, len(self.tokens)) ** power)


def searched(
    backbone: TransformersBackbone, piece: Piece, how: Answering, allowed: Any
) -> Completed:
    """The best answer of a request, with the next best behind it."""
    reader = generating.Reader(backbone, [piece] * how.beams, backbone.keeps_past)
    going = [Hypothesis(follows=None if allowed is None else allowed.begun())]
    done: list[tuple[float, Completed]] = []
    logits = reader.first()
    for step in range(how.max_new_tokens):
        check()
        following: list[tuple[int, Hypothesis]] = []
        for row, token, total in _candidates(going, logits, how):
            made, text = _longer(backbone, going[row], token, total, how)
            if text is not None:
                done.append(_ended(made, text, how, whole=True))
            elif len(following) < how.beams:
                following.append((row, made))
        last = step + 1 == how.max_new_tokens
        if not following or last or len(done) >= how.beams:
            unended = [] if len(done) >= how.n_best else [made for _, made in following]
            done += [
                _ended(one, generating.as_text(backbone, one.tokens), how, whole=False)
                for one in unended
            ]
            break
        going = [made for _, made in following]
        rows = [row for row, _ in following]
        spare = how.beams - len(rows)  # rows that nobody asks
        reader.take([*rows, *rows[:1] * spare])
        tokens = [one.tokens[-1] for one in going]
        logits = reader.after([*tokens, *tokens[:1] * spare])
    return _several([one for _, one in sorted(done, key=lambda one: -one[0])], how.n_best)


def _several(found: Sequence[Completed], count: int) -> Completed:
    distinct = list({one.text: one for one in reversed(found)}.values())[::-1]
    first = distinct[0]
    return Completed(first.text, first.surety, first.ended, tuple(distinct[1:count]))


def _candidates(
    going: Sequence[Hypothesis], logits: Any, how: Answering
) -> list[tuple[int, int, float]]:
    """The likeliest continuations of all hypotheses: which goes on, by which token, and the sum."""
    from supertune.backbones.transformers.completing import log_sum, penalised

    found = []
    for row, (one, scores) in enumerate(zip(going, logits.float().cpu().numpy(), strict=False)):
        scores = penalised(scores, one.tokens, how.repetition_penalty)
        if one.follows is not None:
            scores = one.follows.masked(scores)
        chances: FloatArray = scores - log_sum(scores)
        best = np.argsort(-chances, kind="stable")[: 2 * how.beams]
        found += [
            (row, token, one.total + float(chances[token]))
            for token in best[np.isfinite(chances[best])].tolist()
        ]
    return sorted(found, key=lambda each: -each[2])[: 2 * how.beams]


def _longer(
    backbone: TransformersBackbone, one: Hypothesis, token: int, total: float, how: Answering
) -> tuple[Hypothesis, str | None]:
    """A hypothesis with one more token, and its text once it has ended."""
    follows = None if one.follows is None else one.follows.copied()
    tokens = (*one.tokens, token)
    text = generating.ended(backbone, tokens, generating.end_tokens(backbone), how.stop)
    if text is None and follows is not None and follows.over(token):
        text = generating.as_text(backbone, tokens)
    return Hypothesis(tokens, total, follows), text


def _ended(one: Hypothesis, text: str, how: Answering, *, whole: bool) -> tuple[float, Completed]:
    surety = one.total / max(1, len(one.tokens))
    return one.rank(how.length_penalty), Completed(text.strip(), surety, whole)
