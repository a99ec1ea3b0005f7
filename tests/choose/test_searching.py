"""Settings of the chosen method are tried, and the estimate counts them all."""

from __future__ import annotations

import builtins
import time
from typing import Any

import pytest
from tests.conftest import Files

from supertune import choose, pipeline
from supertune.choose import searching
from supertune.config import recipe
from supertune.contracts import Examples
from supertune.errors import EnvironmentFault, InputError
from supertune.pipeline import Workshop

WORDS = {"method": "bag_of_words", "folds": 3, "repeats": 2, "max_candidates": 1}


@pytest.fixture(scope="module")
def rows(reviews: Files) -> Examples:
    return pipeline.read(list(reviews.rows), recipe({})).train


def decided(rows: Examples, **settings: Any) -> choose.Decision:
    workshop = Workshop(recipe({**WORDS, **settings}))
    entries = choose.candidates(workshop, rows)
    return choose.decide(workshop, entries, rows, time.monotonic() + 60, test=None)


def test_every_setting_that_was_tried_is_in_the_correction(rows: Examples) -> None:
    pytest.importorskip("optuna")
    decision = decided(rows, search=4)
    assert decision.choice is not None
    assert len(decision.choice.table) == 5
    assert "corrected" in decision.choice.estimate.how
    assert decision.choice.winner == str(decision.candidate) == "bag_of_words"
    (note,) = [text for code, text in decision.notes if code == "searched"]
    assert note.startswith("4 settings of bag_of_words were tried")


def test_settings_that_are_kept_are_in_the_recipe_and_the_others_are_not(rows: Examples) -> None:
    pytest.importorskip("optuna")
    decision = decided(rows, search=4, metric="log_loss")
    assert decision.choice is not None
    names = {one.name for one in decision.choice.table}
    code, told = decision.notes[-1]
    assert code == "searched"
    if "none was better" in told:
        assert decision.recipe.options == {}
    else:
        kept = decision.recipe.options["strength"]
        assert 1 <= kept <= 100
        assert f"strength {kept:.3g} kept" in told
        assert "bag_of_words (defaults)" in names
    assert "bag_of_words" in names


def test_the_same_seed_searches_alike(rows: Examples) -> None:
    pytest.importorskip("optuna")
    tables = [decided(rows, search=3).choice.table for _ in range(2)]  # type: ignore[union-attr]
    assert tables[0] == tables[1]


def test_what_a_person_has_set_is_not_searched() -> None:
    assert set(searching.ranges(recipe({"method": "lora"}), "lora")) == {
        "epochs", "learning_rate", "rank",
    }  # fmt: skip
    given = recipe({"method": "lora", "rank": 4, "epochs": 3})
    low, high = searching.ranges(given, "lora")["learning_rate"]
    assert (low, high) == pytest.approx((2e-4, 5e-3))
    assert len(searching.ranges(given, "lora")) == 1


def test_a_method_without_numbers_to_search_says_so(rows: Examples) -> None:
    decision = decided(rows, search=2, method="majority")
    assert decision.notes[-1][0] == "nothing_searched"


def test_without_optuna_the_extra_is_named(rows: Examples, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def missing(name: str, *args: Any, **keys: Any) -> Any:
        if name == "optuna":
            raise ImportError(name)
        return real(name, *args, **keys)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(EnvironmentFault, match="not installed") as caught:
        decided(rows, search=2)
    assert caught.value.code == "search_needs"
    assert "supertune[search]" in str(caught.value.next)
    assert caught.value.exit_code == 2


def test_a_number_of_trials_below_zero_is_refused() -> None:
    with pytest.raises(InputError, match="mistakes"):
        recipe({"search": -1})
