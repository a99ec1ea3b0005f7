"""Beam search over all texts of a batch: of each text, several hypotheses are written.

A hypothesis is ranked by the sum of its log-likelihoods, and one that has ended by that sum over a
power of its length (Wu et al. 2016, arXiv:1609.08144). Hypotheses of one text share what is
remembered of its source.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from supertune.backbones.transformers.translation.found import THINNED, Found
from supertune.contracts import Rendering
from supertune.limits import check

if TYPE_CHECKING:
    from supertune.backbones.transformers.translation.decoding import Run

PART = 64  # words of a vocabulary that are looked at together


@dataclass(eq=False)
class Beam:
    """The hypotheses of one source.

    Attributes:
        source: its number in the batch.
        most: tokens of a translation at most.
        forced: tokens that it begins with, which count in its length.
        done: those that have ended, each behind its rank.
    """

    source: int
    most: int
    forced: int = 0
    texts: list[list[int]] = field(default_factory=lambda: [[]])
    sums: list[float] = field(default_factory=lambda: [0.0])
    done: list[tuple[float, Found]] = field(default_factory=list)
    ended: bool = False

    def advance(
        self,
        best: Sequence[float],
        places: Sequence[int],
        vocabulary: int,
        end: int,
        how: Rendering,
    ) -> list[tuple[int, int]]:
        """Go on with the best continuations, of which there are twice as many as hypotheses. Those
        that end a text count where they are among the best as many as there are hypotheses.

        Args:
            places: each hypothesis' number times ``vocabulary`` and the token behind it.

        Returns:
            Of each hypothesis the one that it goes on from, and its token.
        """
        following: list[tuple[int, int, float]] = []
        length = len(self.texts[0]) + 1
        full = length >= self.most
        for number, (total, place) in enumerate(zip(best, places, strict=True)):
            row, token = divmod(place, vocabulary)
            if total == -np.inf:
                continue
            if (token == end or full) and number < how.beams:
                rank = total / (self.forced + length) ** how.length_penalty
                said = (*self.texts[row], *([] if token == end else [token]))
                self.done.append((rank, Found(said, total)))
            elif token != end and len(following) < how.beams:
                following.append((row, token, total))
        if len(self.done) >= how.beams or full or not following:
            self.ended = True
            return [(0, 0)] * how.beams
        following += [(*following[-1][:2], -np.inf)] * (how.beams - len(following))
        self.texts = [[*self.texts[row], token] for row, token, _ in following]
        self.sums = [total for _, _, total in following]
        return [(row, token) for row, token, _ in following]

    def best(self, count: int) -> Found:
        """The best that has ended, with up to ``count`` - 1 others behind it."""
        if not self.done:
            row = int(np.argmax(self.sums))
            return Found(tuple(self.texts[row]), self.sums[row])
        ranked = [one for _, one in sorted(self.done, key=lambda one: -one[0])]
        return replace(ranked[0], others=tuple(ranked[1:count]))


def searched(run: Run, most: Sequence[int], end: int, how: Rendering) -> list[Found]:
    """The best hypothesis of each source.

    Args:
        run: before its first step.
        most: tokens of each translation at most.
    """
    import torch

    forced = run.writer.forced
    every = [Beam(source, longest, forced) for source, longest in enumerate(most)]
    going, chances = every, run.step(None)
    while True:
        check()
        best, places = _best(run, going, chances, 2 * how.beams)
        taken = [
            beam.advance(totals, at, chances.shape[1], end, how)
            if not beam.ended
            else [(0, 0)] * how.beams
            for beam, totals, at in zip(going, best, places, strict=True)
        ]
        if all(beam.ended for beam in going):
            return [beam.best(how.n_best) for beam in every]
        width = len(chances) // len(going)
        kept = [number for number, beam in enumerate(going) if not beam.ended]
        thinned = len(kept) <= THINNED * len(going)
        kept = kept if thinned else list(range(len(going)))
        rows = [number * width + row for number in kept for row, _ in taken[number]]
        tokens = [token for number in kept for _, token in taken[number]]
        device = chances.device
        run.take(
            torch.tensor(rows, device=device),
            torch.tensor(kept, device=device) if thinned else None,
        )
        going = [going[number] for number in kept]
        chances = run.step(torch.tensor(tokens, device=device))


def _best(
    run: Run, going: Sequence[Beam], chances: Any, count: int
) -> tuple[list[list[float]], list[list[int]]]:
    """Of each beam the best continuations: their sums, and where they stand among all.

    Args:
        chances: (N * W, V) log-likelihoods behind W hypotheses of each of N sources.
    """
    import torch

    width, vocabulary = len(chances) // len(going), chances.shape[1]
    sources = [beam.source for beam in going for _ in range(width)]
    texts = [text for beam in going for text in _wide(beam.texts, width)]
    chances = run.preferred(chances, sources, texts)
    sums = torch.tensor([_wide(beam.sums, width) for beam in going], device=chances.device)
    own, tokens = largest(chances, min(count, vocabulary))
    kept = own.shape[1]
    totals = (own.view(len(going), width, kept) + sums[..., None]).flatten(1)
    best, at = totals.topk(min(count, totals.shape[1]))
    rows = torch.div(at, kept, rounding_mode="floor")
    places = rows * vocabulary + tokens.view(len(going), -1).gather(1, at)
    return best.tolist(), places.tolist()


def _wide(values: list[Any], width: int) -> list[Any]:
    """A beam that has ended may have fewer hypotheses than those beside it."""
    return (values * width)[:width]


def largest(values: Any, count: int) -> tuple[Any, Any]:
    """(B, count) the largest of (B, V), and where they are: first the parts in which they stand are
    found, which is far faster than `torch.topk` where V is a vocabulary."""
    rows, size = values.shape
    parts = size // PART
    if size % PART or parts <= count:
        found, places = values.topk(count)
        return found, places
    apart = values.view(rows, parts, PART)
    chosen = apart.amax(dim=2).topk(count).indices
    some = apart.gather(1, chosen[..., None].expand(-1, -1, PART)).flatten(1)
    found, at = some.topk(count)
    return found, chosen.gather(1, at // PART) * PART + at % PART
