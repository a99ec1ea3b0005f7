"""The report's own explanations: of rows got wrong, by models that had not seen them."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.conftest import Files

import supertune
from supertune.explaining import reported


@pytest.fixture(scope="module")
def model(reviews: Files) -> supertune.Model:
    return supertune.fit(reviews.train, method="bag_of_words", folds=3, repeats=1)


def test_the_page_shows_rows_that_are_wrong_and_why(model: supertune.Model, reviews: Files) -> None:
    listed = model.report.data["explanations"]
    assert 0 < len(listed) <= reported.ROWS
    labels = dict(reviews.rows)
    for one in listed:
        text = "".join(piece for piece, _ in one["pieces"])
        assert labels[text] == one["label"]
        assert not one["said"].startswith(one["label"])
        assert any(strength for _, strength in one["pieces"])
    assert listed[0]["trust"]
    page = model.report.html()
    assert 'id="explained"' in page
    assert '<mark class="for"' in page


def test_nothing_of_a_row_is_shown_where_none_may_be(reviews: Files, tmp_path: Path) -> None:
    model = supertune.fit(reviews.train, method="bag_of_words", folds=3, repeats=1, keep_rows=False)
    assert "explanations" not in model.report.data
    assert 'id="explained"' not in model.report.html()


def test_no_time_left_means_no_explanations(model: supertune.Model) -> None:
    assert model.training_rows is not None
    rows = model.report.data["rows"]
    candidate = reported.Candidate(None, "bag_of_words")
    found = reported.for_report(
        model.workshop, candidate, model.tuned, model.training_rows, rows, 0.0
    )
    assert found == []
