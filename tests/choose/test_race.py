"""Candidates side by side: what runs, what is stopped, and that no limit is exceeded."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from tests.conftest import Files

from supertune import choose, pipeline
from supertune.api import fitting
from supertune.choose import Entry
from supertune.choose.halving import Outlook
from supertune.choose.race import Race
from supertune.choose.runner import Runner
from supertune.config import recipe
from supertune.contracts import Examples
from supertune.errors import EnvironmentFault
from supertune.pipeline import Candidate, Workshop

FEW = {"folds": 3, "repeats": 1, "max_length": 24}
QUICK = {**FEW, "method": "lora", "backbone": "minilm", "options": {"epochs": 1}}


@dataclass
class Slow:
    """A machine so slow that at every look at the clock ``tick`` seconds have passed."""

    tick: float
    now: float = 0.0

    def __call__(self) -> float:
        self.now += self.tick
        return self.now


@pytest.fixture(scope="module")
def rows(reviews: Files) -> Examples:
    return pipeline.read(list(reviews.rows), recipe({})).train


def listed(workshop: Workshop, rows: Examples) -> list[Entry]:
    """A bag of words, and what the recipe names."""
    words = Workshop(recipe({**FEW, "method": "bag_of_words"}))
    return [*choose.candidates(words, rows), *choose.candidates(workshop, rows)]


def shop(**options: Any) -> Workshop:
    return Workshop(recipe({**QUICK, **options}))


# --- time --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tick", "ends"),
    [(0.02, ("compared", "chosen")), (1.0, ("stopped",)), (2.0, ("skipped", "stopped"))],
)
def test_a_candidate_slower_than_predicted_is_stopped_within_the_limit(
    rows: Examples, tick: float, ends: tuple[str, ...]
) -> None:
    clock, workshop = Slow(tick), shop(time_limit=20.0)
    entries = listed(workshop, rows)
    entries[1].predicted_seconds = 1.0  # wrong on purpose
    decision = choose.decide(workshop, entries, rows, 20.0, test=None, clock=clock)
    assert clock.now <= 1.1 * 20 + 2
    assert entries[0].assessed is not None
    assert entries[1].status in ends
    if tick >= 1:
        assert entries[1].why
        assert decision.candidate == Candidate(None, "bag_of_words")


def test_a_candidate_predicted_to_be_too_slow_is_not_begun(rows: Examples) -> None:
    workshop = shop(time_limit=20.0)
    entries = listed(workshop, rows)
    entries[1].predicted_seconds = 500.0
    choose.decide(workshop, entries, rows, 20.0, test=None, clock=Slow(0.0))
    assert entries[1].status == "skipped"
    assert "would take about 500 s" in entries[1].why
    assert entries[1].seconds == 0


def test_a_final_fit_that_is_too_slow_gives_way_to_the_next_best(
    reviews: Files, rows: Examples
) -> None:
    run = fitting._read(list(reviews.rows), None, recipe(QUICK), None, True, None)
    entries = listed(run.workshop, rows)
    Race(run.workshop, rows, float("inf")).run(entries)
    assert all(entry.assessed for entry in entries)
    chosen = choose.Decision(entries[1].candidate, entries, None, run.workshop.recipe)
    late = replace(run, entries=entries, started=run.started - 1000)
    decision, tuned = fitting._tuned(late, chosen)
    assert decision.candidate == Candidate(None, "bag_of_words")
    assert run.workshop.recipe.method == "bag_of_words"
    assert entries[1].status == "stopped"
    assert "on all rows" in entries[1].why
    assert tuned.logits(rows.inputs, None).shape == (len(rows), 2)
    assert decision.choice is not None
    assert [one.name for one in decision.choice.table] == ["bag_of_words"]


def runners(*seconds: float) -> list[Runner]:
    made = []
    for number, each in enumerate(seconds):
        entry = Entry(Candidate(f"backbone-{number}", "lora"), 6 * each, 0, final_share=1 / 6)
        entry.folds = 5
        made.append(Runner(entry, 5))
    return made


def left(rows: Examples, seconds: float) -> Race:
    return Race(shop(), rows, seconds, Slow(0.0))


def test_all_go_on_while_all_can_end_in_time(rows: Examples) -> None:
    several = runners(1.0, 1.0, 1.0, 1.0)
    assert left(rows, 30.0)._affordable(several) == several


def test_before_anything_is_seen_one_fold_of_each_is_tried_if_one_can_still_end(
    rows: Examples,
) -> None:
    several = runners(1.0, 1.0, 1.0, 1.0)
    assert left(rows, 9.5)._affordable(several) == several
    assert left(rows, 7.5)._affordable(several) == several[:2]
    assert [one.entry.status for one in several[2:]] == ["skipped", "skipped"]
    assert left(rows, 5.0)._affordable(runners(1.0)) == []


def test_later_the_better_half_goes_on(rows: Examples) -> None:
    several = runners(1.0, 1.0, 1.0, 1.0)
    for one, lead in zip(several, (-0.1, 0.2, 0.1, 0.0), strict=True):
        one.answers, one.lead, one.entry.seconds = [np.zeros((2, 2))], lead, 1.0
    kept = left(rows, 10.0)._affordable(several)
    assert kept == [several[1], several[2]]
    assert [several[0].entry.status, several[3].entry.status] == ["stopped", "stopped"]
    assert "backbone-1" in several[0].entry.why


# --- the rows decide ---------------------------------------------------------------------------


def beside(workshop: Workshop, rows: Examples, entries: list[Entry], wrong: int) -> Race:
    """A race in which the bag of words was right everywhere but in the first ``wrong`` rows."""
    race = Race(workshop, rows, float("inf"))
    race.whole(entries[0], certain=True)
    assert entries[0].assessed is not None
    answers = np.eye(2)[rows.targets][None]
    answers[0, :wrong] = answers[0, :wrong, ::-1]
    entries[0].assessed.answers = answers
    race.complete.clear()
    race._finished(entries[0])
    return race


def test_what_can_no_longer_win_is_stopped_on_the_way_and_says_why(rows: Examples) -> None:
    workshop = shop(max_candidates=2)
    entries = listed(workshop, rows)
    beside(workshop, rows, entries, wrong=3).rounds([entries[1]])
    assert entries[1].status == "stopped"
    assert entries[1].folds_done < 3
    assert entries[1].assessed is None
    assert isinstance(entries[1].outlook, Outlook)
    assert entries[1].outlook.hopeless
    assert f"after {entries[1].folds_done} of 3 folds" in entries[1].why


def test_nothing_dear_is_tried_beside_a_rival_without_mistakes(rows: Examples) -> None:
    workshop = shop()
    entries = listed(workshop, rows)
    beside(workshop, rows, entries, wrong=0).rounds([entries[1]])
    assert (entries[1].status, entries[1].seconds) == ("skipped", 0)
    assert "could not be better" in entries[1].why


def test_fold_by_fold_gives_the_answers_of_all_folds_at_once(rows: Examples) -> None:
    workshop = shop(max_candidates=2)
    entries = listed(workshop, rows)
    race = Race(workshop, rows, float("inf"))
    race.rounds([entries[1]])
    assert entries[1].assessed is not None
    folds = workshop.folds(rows, repeats=1)
    whole = pipeline.assess(workshop, entries[1].candidate, rows, folds)
    np.testing.assert_array_equal(entries[1].assessed.answers, whole.answers)


# --- memory ------------------------------------------------------------------------------------


@pytest.fixture
def little() -> int:
    return 100_000_000  # less than an interpreter with torch in it


def test_what_memory_is_too_small_for_is_refused_with_the_reason(
    rows: Examples, little: int
) -> None:
    workshop = shop(memory_limit=little, max_candidates=2)
    entries = listed(workshop, rows)
    assert entries[1].memory_bytes > little
    Race(workshop, rows, float("inf")).run(entries)
    assert entries[1].status == "skipped"
    assert "GB of memory" in entries[1].why


def test_what_was_asked_for_by_name_and_does_not_fit_is_an_error(
    rows: Examples, little: int
) -> None:
    workshop = shop(memory_limit=little)
    entries = choose.candidates(workshop, rows)
    with pytest.raises(EnvironmentFault, match="GB of memory") as told:
        choose.decide(workshop, entries, rows, 60.0, test=None)
    assert told.value.code == "memory_too_small"
    assert "--memory-limit" in str(told.value.next)


def test_a_size_in_words_is_a_number_of_bytes() -> None:
    assert recipe({"memory_limit": "4GB"}).memory_limit == 4_000_000_000
    assert recipe({"memory_limit": "512 MiB"}).memory_limit == 2**29
