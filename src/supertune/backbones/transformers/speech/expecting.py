"""What the texts of a field make likely: token after token, by how often each follows the two
before it (Witten and Bell 1991, interpolated).

Added to what is heard, which is shallow fusion (Gülçehre et al. 2015, arXiv:1503.03535), such a
prior moves likelihood from token to token of words. How likely it is that a text ends stays as it
is heard, since all words of a prior are unlikely, and texts would be cut short.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from supertune.contracts import FloatArray

ORDER = 3  # tokens that are looked at together
_NONE = -1  # in front of a text


class Prior:
    """The texts of a field, as tokens.

    Args:
        texts: tokens of each.
        size: of the vocabulary, V.

    Attributes:
        alone: (V,) float32 log-likelihoods of tokens whatever stands before them.
    """

    def __init__(self, texts: Sequence[Sequence[int]], size: int) -> None:
        self._seen: dict[tuple[int, ...], Counter[int]] = {}
        for text in texts:
            row = [*[_NONE] * (ORDER - 1), *text]
            for place in range(ORDER - 1, len(row)):
                for length in range(ORDER):
                    before = tuple(row[place - length : place])
                    self._seen.setdefault(before, Counter())[row[place]] += 1
        counts = self._seen.get((), Counter())
        total, kinds = sum(counts.values()), max(1, len(counts))
        each = np.full(size, kinds / size)
        for token, count in counts.items():
            each[token] += count
        self.alone: FloatArray = np.log(each / (total + kinds)).astype(np.float32)
        self._raised: dict[tuple[int, ...], tuple[npt.NDArray[np.int64], FloatArray]] = {}

    def raised(self, text: Sequence[int]) -> tuple[npt.NDArray[np.int64], FloatArray]:
        """(n,) tokens that have stood behind what a text ends with, and (n,) by how much more than
        all others they are raised, beside `alone`, in nats."""
        row = (*[_NONE] * (ORDER - 1), *text)
        before = row[len(row) - ORDER + 1 :]
        if before not in self._raised:
            self._raised[before] = self._counted(before)
        return self._raised[before]

    def _counted(self, before: tuple[int, ...]) -> tuple[npt.NDArray[np.int64], FloatArray]:
        # What has stood behind more tokens has stood behind fewer of them too.
        tokens = np.array(sorted(self._seen.get(before[1:], ())), dtype=np.int64)
        alone = np.exp(self.alone[tokens].astype(np.float64))
        found, left = alone, 1.0
        for length in range(1, ORDER):
            counts = self._seen.get(before[ORDER - 1 - length :])
            if not counts:
                break
            share = len(counts) / (sum(counts.values()) + len(counts))
            times = np.array([counts[token] for token in tokens.tolist()], dtype=np.float64)
            found = share * found + times * (share / len(counts))
            left *= share
        return tokens, np.log(found / (left * alone)).astype(np.float32)
