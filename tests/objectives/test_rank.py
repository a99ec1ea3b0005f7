"""Of lists that histories cannot tell apart, what reaches items that nobody took is taken."""

from __future__ import annotations

import pytest
from tests.data.interactions.conftest import SOURCE, taken, things

from supertune.choose import listing
from supertune.config import recipe
from supertune.contracts import Columns, Leaning, Reading
from supertune.data.interactions import reading
from supertune.objectives.rank import OBJECTIVE
from supertune.pipeline import Workshop


@pytest.fixture(scope="module")
def shop() -> Reading:
    return reading.learned(SOURCE, Columns())


def test_where_items_with_texts_were_taken_by_nobody_what_reads_them_is_preferred(
    shop: Reading,
) -> None:
    workshop = Workshop(recipe({"task": "recommendation", "threads": 1}))
    entries = listing.candidates(workshop, shop.train)
    first, *others = sorted(entries, key=lambda one: one.preference)
    assert first.candidate.method == "hybrid"
    assert "2 items that nobody has taken" in first.favoured
    simplicities = [one.simplicity for one in others]
    assert simplicities == sorted(simplicities)
    assert first.simplicity > simplicities[-1]


def test_where_all_items_were_taken_or_nothing_is_said_of_them_the_simplest_is_preferred() -> None:
    assert isinstance(OBJECTIVE, Leaning)
    known = [one for one in things() if one["item_id"] not in ("t9", "b9")]
    for source in ({"interactions": taken(), "items": known}, taken()):
        found = reading.learned(source, Columns())
        assert OBJECTIVE.leaning(found.train) == (frozenset(), "")
