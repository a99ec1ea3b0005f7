"""Half of the way between the solved head and what was tuned (WiSE-FT)."""

from __future__ import annotations

import numpy as np
import pytest
from tests.conftest import Files

import supertune
from supertune.errors import InputError

ROWS = {"method": "bitfit", "backbone": "minilm", "folds": 2, "repeats": 1, "max_length": 16}


def test_numbers_lie_on_the_line_from_the_start_to_the_end(reviews: Files) -> None:
    rows = list(reviews.rows[:6])
    whole, half, little = (
        supertune.fit(rows, **ROWS, epochs=1, interpolation=share).tuned.state()
        for share in (1.0, 0.5, 0.25)
    )
    moved = 0.0
    for part in ("arrays", "adapter"):
        ours = [getattr(state, part) for state in (whole, half, little)]
        for name in ours[0]:
            one, two, three = (np.asarray(arrays[name], dtype=np.float64) for arrays in ours)
            # end - half is half of the way, half - little a quarter.
            assert one - two == pytest.approx(2 * (two - three), abs=1e-5)
            moved = max(moved, float(np.abs(one - two).max()))
    assert moved > 1e-4


def test_it_is_a_share_of_the_way(reviews: Files) -> None:
    with pytest.raises(InputError) as caught:
        supertune.fit(list(reviews.rows[:6]), **ROWS, interpolation=0.0)
    assert caught.value.code in {"bad_option", "bad_recipe"}
