"""What texts of a field make likely, and what that does to what is heard."""

from __future__ import annotations

import numpy as np
import pytest

from supertune.backbones.transformers.speech.expecting import Prior

SIZE = 8
TEXTS = ([1, 2, 3], [1, 2, 4], [5, 2, 3])


def likelihoods(prior: Prior, text: list[int]) -> np.ndarray:
    raised = prior.alone.astype(np.float64)
    tokens, more = prior.raised(text)
    raised[tokens] += more
    return np.exp(raised) / np.exp(raised).sum()


def witten_bell(text: list[int], token: int) -> float:
    """Written again, plainly: of each context, the share seen and the rest by the shorter one."""
    before = [-1, -1, *text][-2:]
    share = 1 / SIZE
    for length in range(3):
        seen = [
            row[place]
            for row in ([-1, -1, *one] for one in TEXTS)
            for place in range(2, len(row))
            if row[place - length : place] == before[2 - length :]
        ]
        if not seen:
            break
        kinds = len(set(seen))
        share = (seen.count(token) + kinds * share) / (len(seen) + kinds)
    return share


@pytest.mark.parametrize("text", [[], [1], [1, 2], [5, 2], [7, 2], [2, 7], [3, 3, 1, 2]])
def test_likelihoods_are_those_of_witten_and_bell(text: list[int]) -> None:
    wanted = [witten_bell(text, token) for token in range(SIZE)]
    assert sum(wanted) == pytest.approx(1.0)
    assert likelihoods(Prior(TEXTS, SIZE), text) == pytest.approx(wanted, abs=1e-6)


def test_nothing_is_raised_where_no_text_says_anything() -> None:
    tokens, raised = Prior([], SIZE).raised([1, 2])
    assert len(tokens) == len(raised) == 0
    assert np.ptp(Prior([], SIZE).alone) == 0
