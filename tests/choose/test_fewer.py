"""What is too dear for all folds is compared on fewer of them, with everything else beside it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.choose.test_race import Slow
from tests.conftest import Files

from supertune import choose, pipeline
from supertune.catalogue.corpora import few_shot
from supertune.choose import Entry, fewer
from supertune.config import recipe
from supertune.contracts import Examples
from supertune.objectives import classify
from supertune.pipeline import Candidate, Workshop

TUNED = {"method": "lora", "backbone": "minilm", "options": {"epochs": 1}, "max_length": 24}


@pytest.fixture(scope="module")
def rows(own_activations: Path) -> Examples:
    """Eight news of each of two topics, which LoRA tells apart."""
    drawn, _ = few_shot("bbc-news", per_class=8, test_rows=1, seed=0)
    return pipeline.read(
        [row for row in drawn if row[1] in ("business", "sports")], recipe({})
    ).train


def decided(rows: Examples, beside: str, **settings: object) -> tuple[choose.Decision, list[Entry]]:
    """A simple method beside LoRA, whose five folds and final fit take 50 s of 20."""
    simple = Workshop(recipe({"method": beside, "max_length": 24}))
    workshop = Workshop(recipe({**TUNED, "time_limit": 20.0, **settings}))
    entries = [*choose.candidates(simple, rows), *choose.candidates(workshop, rows)]
    entries[1].predicted_seconds, entries[1].final_share = 50.0, 0.2
    return choose.decide(workshop, entries, rows, 20.0, test=None, clock=Slow(0.0)), entries


def test_k_folds_take_as_long_as_k_fits() -> None:
    assert fewer.affordable(6.0, 17.0, 5) == 2
    assert fewer.affordable(6.0, 11.0, 5) == 0
    assert fewer.affordable(1.0, 100.0, 5) == 4, "else all folds would have been run"


def test_where_it_wins_all_are_compared_on_the_same_fewer_folds(rows: Examples) -> None:
    decision, entries = decided(rows, "majority")
    assert decision.candidate == Candidate("minilm", "lora")
    assert (decision.recipe.folds, decision.recipe.repeats) == (2, 1)
    assert [code for code, _ in decision.notes] == ["fewer_folds"]
    for entry in entries:
        assert entry.assessed is not None
        assert entry.assessed.answers.shape[0] == 1
        assert np.isfinite(entry.assessed.answers).all()
    assert decision.choice is not None
    assert "2-fold" in decision.choice.estimate.how
    assert {one.name for one in decision.choice.table} == {"majority", "minilm + lora"}


def test_where_it_does_not_win_nothing_else_has_changed(
    reviews: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = pipeline.read(list(reviews.rows), recipe({})).train
    monkeypatch.setattr(classify.OBJECTIVE, "tolerance", 99.0)  # so that the simplest wins
    monkeypatch.setattr(classify.OBJECTIVE, "decider", None)
    decision, entries = decided(rows, "bag_of_words")
    assert decision.candidate == Candidate(None, "bag_of_words")
    assert (decision.recipe.folds, decision.recipe.repeats) == (5, 10)
    assert entries[0].assessed is not None
    assert entries[0].assessed.answers.shape[0] == 10
    assert (entries[1].status, entries[1].assessed) == ("stopped", None)
    assert "folds" in entries[1].why


def test_a_number_of_folds_that_was_asked_for_is_kept_to(rows: Examples) -> None:
    _, entries = decided(rows, "majority", folds=5)
    assert entries[1].status == "skipped"
    assert entries[1].seconds == 0
