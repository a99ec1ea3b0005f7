"""Which candidates there are, which are tried in the time there is, and what is said of it."""

from __future__ import annotations

import time

import numpy as np
import pytest
from tests.conftest import Files

from supertune import choose, pipeline
from supertune.config import recipe
from supertune.contracts import Examples
from supertune.errors import InputError
from supertune.pipeline import Candidate, Workshop

FEW = {"folds": 3, "repeats": 2, "max_length": 32}


@pytest.fixture(scope="module")
def rows(reviews: Files) -> Examples:
    return pipeline.read(list(reviews.rows), recipe({})).train


def shop(**options: object) -> Workshop:
    return Workshop(recipe({**FEW, **options}))


def decided(workshop: Workshop, rows: Examples, deadline: float) -> choose.Decision:
    entries = choose.candidates(workshop, rows)
    decision = choose.decide(workshop, entries, rows, deadline, test=None)
    assert decision.entries is entries
    return decision


def test_candidates_go_from_simple_to_dear(rows: Examples) -> None:
    listed = [entry.candidate for entry in choose.candidates(shop(), rows)]
    assert listed[0] == Candidate(None, "bag_of_words")
    assert Candidate("minilm", "linear_probe") in listed
    assert len(set(map(str, listed))) == len(listed)


def test_a_name_leaves_one_candidate(rows: Examples) -> None:
    (only,) = choose.candidates(shop(method="lora", backbone="minilm"), rows)
    assert str(only.candidate) == "minilm + lora"
    assert only.predicted_seconds > 0
    assert only.memory_bytes > 1e8


def test_what_cannot_fit_is_refused_by_name(rows: Examples) -> None:
    with pytest.raises(InputError, match="No method fits"):
        choose.candidates(shop(method="linear_probe", backbone="none"), rows)


def test_a_number_of_candidates_is_kept_to_whatever_the_clock_says(rows: Examples) -> None:
    workshop = shop(max_candidates=1)
    found = decided(workshop, rows, time.monotonic() - 1)
    status = [entry.status for entry in found.entries]
    assert status == ["chosen"] + ["skipped"] * (len(status) - 1)
    assert all("--max-candidates 1" in entry.why for entry in found.entries[1:])


def test_without_time_the_dear_ones_are_skipped_and_say_why(rows: Examples) -> None:
    workshop = shop(time_limit=0.01)
    found = decided(workshop, rows, time.monotonic())
    ran = [entry for entry in found.entries if entry.assessed is not None]
    # The first runs whatever the clock says; nothing that is trained by gradients does.
    assert ran
    assert "contrastive" not in {entry.candidate.method for entry in ran}
    assert "contrastive" in {entry.candidate.method for entry in found.entries}
    assert found.candidate in [entry.candidate for entry in ran]
    for entry in found.entries:
        assert (entry.status in ("chosen", "compared")) == (entry.assessed is not None)
        assert entry.why or entry.status == "compared"
    assert found.choice is not None
    assert found.choice.estimate.low <= found.choice.estimate.value <= found.choice.estimate.high


def test_the_same_seed_decides_alike(rows: Examples) -> None:
    def run() -> tuple[str, float]:
        found = decided(shop(max_candidates=2), rows, 0.0)
        assert found.choice is not None
        return str(found.candidate), found.choice.estimate.value

    assert run() == run()


def test_expected_seconds_never_exceed_the_limit_for_several(rows: Examples) -> None:
    workshop = Workshop(recipe({**FEW, "time_limit": 0.5}))
    entries = choose.candidates(workshop, rows)
    assert choose.expected_seconds(workshop, entries, rows, None) == 0.5


def test_rows_to_judge_by_are_part_of_what_is_expected(rows: Examples) -> None:
    workshop = Workshop(recipe({"method": "linear_probe", "backbone": "minilm"}))
    entries = choose.candidates(workshop, rows)
    many = rows.take(np.arange(len(rows)).repeat(50))
    alone = choose.expected_seconds(workshop, entries, rows, None)
    assert choose.expected_seconds(workshop, entries, rows, many) > 2 * alone
