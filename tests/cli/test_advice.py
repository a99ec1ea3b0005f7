"""`supertune fit` tells what would help, in words and as JSON, unless it is told not to."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import Files, Run

WORDS = ["--method", "bag_of_words", "--set", "repeats=2"]


def test_what_would_help_is_told_and_can_be_left_out(
    supertune: Run, reviews: Files, tmp_path: Path
) -> None:
    done = supertune(
        "fit", reviews.train, *WORDS, "--set", "advice=true", "-o", tmp_path / "with", "--json"
    )
    assert done.code == 0, done.err
    advice = done.answer["advice"]
    assert "more labels would bring" in advice["verdict"]
    assert {one["lever"] for one in advice["levers"]} >= {"labels", "regularisation", "cleaning"}
    assert [step["more"] for step in advice["forecast"]["steps"]] == [10, 20, 50, 100]
    page = (tmp_path / "with" / "report.html").read_text("utf-8")
    assert "What would help" in page
    done = supertune(
        "fit", reviews.train, *WORDS, "--set", "advice=false", "-o", tmp_path / "without", "--json"
    )
    assert done.answer["advice"] is None
