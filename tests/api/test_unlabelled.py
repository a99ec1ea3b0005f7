"""Rows without an answer on their way into a fit: which are used, and what is said of them."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from tests.conftest import Files, write_rows

import supertune
from supertune import pipeline
from supertune.api import unlabelled
from supertune.config import recipe
from supertune.errors import InputError
from supertune.pipeline import Workshop
from supertune.training.speed import Speed

SEMI = {"method": "semi_supervised", "backbone": "minilm", "folds": 2, "repeats": 1}
POOL = [f"a film that was seen {number} times and is still {word}" for number in range(15)
        for word in ("great", "dull", "long")]  # fmt: skip


def workshop_and_reading(rows, **options):
    settled = recipe({**SEMI, **options})
    return Workshop(settled), pipeline.read(rows, settled)


def test_rows_are_used_once_in_the_order_of_their_content(reviews: Files) -> None:
    workshop, reading = workshop_and_reading(list(reviews.rows))
    shuffled = random.Random(0).sample(POOL, len(POOL))
    texts = [POOL[0], *shuffled, " ", reviews.rows[0][0].upper()]
    found = unlabelled.read(texts, reading, workshop)
    again = unlabelled.read(POOL, reading, workshop)
    assert found.rows == again.rows
    assert sorted(found.rows) == sorted(POOL)
    assert found.repeated == 1  # a labelled row in capitals


def test_of_more_rows_than_are_wanted_the_same_ones_are_taken(reviews: Files) -> None:
    workshop, reading = workshop_and_reading(list(reviews.rows), unlabeled_rows=7)
    many = [f"{text}, {number}" for text in POOL for number in range(30)]
    first = unlabelled.read(many, reading, workshop)
    last = unlabelled.read(many[::-1], reading, workshop)
    assert first.rows == last.rows
    assert (len(first.rows), first.given) == (7, len(many))


def test_rows_of_the_labelled_file_without_a_label_count_too(reviews: Files) -> None:
    rows = [*reviews.rows, *((text, None) for text in POOL)]
    workshop, reading = workshop_and_reading(rows)
    assert sorted(unlabelled.read(None, reading, workshop).rows) == sorted(POOL)


def test_a_file_with_nothing_new_is_refused(reviews: Files) -> None:
    workshop, reading = workshop_and_reading(list(reviews.rows))
    with pytest.raises(InputError, match="none that could be used") as caught:
        unlabelled.read([reviews.rows[0][0]], reading, workshop)
    assert caught.value.code == "no_unlabelled_rows"


def test_as_many_rows_are_read_as_there_is_time_for(
    reviews: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = Speed(operations=2e9, block=1e-4, frozen=2.0, trained=3.0)
    monkeypatch.setattr(unlabelled, "speed_by", lambda *_: slow)
    many = [f"{text}, {number}" for text in POOL for number in range(30)]
    counts = []
    for limit in (1, 150, 100_000):
        workshop, reading = workshop_and_reading(list(reviews.rows), time_limit=limit)
        told = unlabelled.added(workshop, reading, many)
        counts.append(len(workshop.unlabelled))
        codes = {finding.code for finding in told.findings}
        assert "unlabelled_some" in codes
    assert counts[0] == unlabelled.LEAST < counts[1] < counts[2] == unlabelled.MOST


def test_a_method_that_cannot_use_them_says_so(reviews: Files) -> None:
    workshop, reading = workshop_and_reading(list(reviews.rows), method="linear_probe")
    told = unlabelled.added(workshop, reading, POOL)
    assert workshop.unlabelled == ()
    assert "unlabelled_not_used" in {finding.code for finding in told.findings}


def test_few_rows_without_a_label_in_the_file_leave_auto_as_it_was(reviews: Files) -> None:
    rows = [*reviews.rows, *((text, None) for text in POOL[:5])]
    workshop, reading = workshop_and_reading(rows, method="auto")
    unlabelled.added(workshop, reading, None)
    assert workshop.unlabelled == ()


def test_fit_reads_them_from_a_file_and_reports_what_they_were_worth(
    reviews: Files, tmp_path: Path
) -> None:
    pool = write_rows(tmp_path / "pool.csv", [(text,) for text in POOL], ("sentence",))
    folder = tmp_path / "model"
    model = supertune.fit(str(reviews.train), unlabeled=str(pool), output=folder, **SEMI)
    told = model.report.data["notes"]["unlabelled"]
    assert told["rows"] == len(POOL)
    assert set(told["gain"]) == {"value", "low", "high"}
    assert sum(told["shares"].values()) == pytest.approx(1)
    assert any(one["code"].startswith("unlabelled_") for one in model.report.data["findings"])
    assert "--unlabeled pool.csv" in model.report.data["commands"]["repeat"]
    assert model.recipe.unlabeled_rows == len(POOL)
    again = supertune.load(folder)
    texts = ["great", "dull"]
    np.testing.assert_array_equal(again.predict_proba(texts), model.predict_proba(texts))
    stored = set(model.tuned.state().arrays)
    assert stored == {"head.weight", "head.bias"}  # no unlabelled row is kept
    assert not any(text in path.read_text("utf-8") for path in folder.glob("*.json*")
                   for text in POOL)  # fmt: skip


def test_auto_tries_them_and_plan_counts_their_time(reviews: Files) -> None:
    bare = supertune.plan(list(reviews.rows), backbone="minilm").data
    given = supertune.plan(list(reviews.rows), unlabeled=POOL, backbone="minilm").data
    names = [one["method"] for one in given["candidates"]]
    assert "semi_supervised" in names
    assert "semi_supervised" not in [one["method"] for one in bare["candidates"]]
    longer = {one["method"]: one["seconds"] for one in given["candidates"]}
    assert longer["semi_supervised"] > longer["linear_probe"]
