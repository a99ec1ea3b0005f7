from __future__ import annotations

from typing import Any

from supertune.report import summary

Report = dict[str, Any]


def test_the_summary_says_verdict_score_findings_cost_and_next_step(sample: Report) -> None:
    lines = summary(sample).splitlines()
    assert lines[0] == sample["verdict"]["text"]
    assert "  This model, test file         .90 [.86, .92], 400 rows" in lines
    assert (
        "! 2 rows are nearly the same text; they were kept on one side of every split. (rows 8, 33)"
        in lines
    )
    assert (
        "linear_probe on minilm, 1,925 numbers tuned (0.0085 % of the backbone), 53 s, 612 MB"
        in lines
    )
    assert lines[-1] == "    supertune predict bbc-model new.csv -o predictions.csv"


def test_the_summary_holds_no_escape_sequence_of_a_terminal(hostile: Report) -> None:
    hostile["findings"][0]["message"] = "red \x1b[31m text"
    written = summary(hostile)
    assert "\x1b" not in written
    assert "red \ufffd[31m text" in written
    written.encode("utf-8")


def test_many_findings_are_counted_and_the_first_are_shown(hostile: Report) -> None:
    assert "3 more in the report." in summary(hostile)


def test_an_empty_report_has_nothing_to_say() -> None:
    assert summary({}) == ""


def test_a_metric_of_which_less_is_better_says_so(sample: Report) -> None:
    sample |= {"metric": "log_loss", "larger_is_better": False}
    assert "Log loss with its 95 % interval (smaller is better)" in summary(sample)
