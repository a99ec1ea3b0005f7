from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from supertune.report import trust, wording
from supertune.report.wording import MINUS, SPACE, Numerals


def estimate(value: object, low: object = None, high: object = None, **rest: Any) -> dict[str, Any]:
    return {"metric": "accuracy", "value": value, "low": low, "high": high, **rest}


def test_an_estimate_reads_value_interval_rows() -> None:
    written = Numerals().estimate(estimate(0.86, 0.78, 0.92, rows=40))
    assert written.replace(SPACE, " ") == ".86 [.78, .92], 40 rows"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (1.0, "1.00"),
        (0.0, ".00"),
        (0.996, ".996"),
        (0.99999, ">.999"),
        (0.004, ".004"),
        (0.00001, "<.001"),
        (0.895, ".90"),
        (-0.25, f"{MINUS}.25"),
        (np.float32(0.5), ".50"),
        (math.nan, "n/a"),
        (math.inf, "n/a"),
        (None, "n/a"),
        (True, "n/a"),
        ("0.5", "n/a"),
    ],
)
def test_only_a_perfect_proportion_is_written_as_one_and_no_number_as_na(
    value: object, written: str
) -> None:
    assert Numerals().value(value, "accuracy") == written


def test_a_loss_keeps_its_leading_zero() -> None:
    assert Numerals().value(0.4127, "log_loss") == "0.41"
    assert Numerals().value(12.5, "cost") == "12.50"


def test_an_estimate_without_an_interval_is_its_value_alone() -> None:
    assert Numerals().estimate(estimate(0.5, math.nan, 0.6)) == ".50"
    assert Numerals().estimate(estimate(None)) == "n/a"
    assert Numerals().estimate(None) == "n/a"


def test_a_difference_shows_the_sign_of_every_number() -> None:
    written = Numerals().difference(estimate(0.18, -0.02, 0.38)).replace(SPACE, " ")
    assert written == f"+.18 [{MINUS}.02, +.38]"


def test_a_report_judged_by_a_thousand_rows_has_three_digits_everywhere() -> None:
    report = {"test": estimate(0.8954, 0.87, 0.91, rows=1000), "estimate": estimate(0.9, rows=40)}
    assert wording.numerals(report).value(0.8954) == ".895"
    report["test"]["rows"] = 999
    assert wording.numerals(report).value(0.8954) == ".90"


@pytest.mark.parametrize(
    ("size", "written"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (7700, "7.7 kB"),
        (999_600, "1.0 MB"),
        (612_000_000, "612 MB"),
        (5.2e15, "5,200 TB"),
        (None, "n/a"),
    ],
)
def test_sizes_are_decimal_with_at_most_three_digits(size: object, written: str) -> None:
    assert wording.size(size).replace(SPACE, " ") == written


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (0.04, "0.0 s"),
        (1.94, "1.9 s"),
        (9.96, "10 s"),
        (59.6, "1 min 00 s"),
        (192, "3 min 12 s"),
        (3840, "1 h 04 min"),
        (math.nan, "n/a"),
    ],
)
def test_durations_change_their_unit_without_a_gap(seconds: object, written: str) -> None:
    assert wording.duration(seconds).replace(SPACE, " ") == written


@pytest.mark.parametrize(
    ("share", "written"),
    [(0, "0 %"), (0.000084752, "0.0085 %"), (0.0123, "1.2 %"), (0.42, "42 %"), (1, "100 %")],
)
def test_a_share_has_two_significant_digits(share: float, written: str) -> None:
    assert wording.percent(share).replace(SPACE, " ") == written


def test_text_is_cut_at_a_word_and_no_shorter_than_it_must() -> None:
    assert wording.shorten("one two three", 9) == "one two…"
    assert wording.shorten("one  two\nthree", 200) == "one two three"
    assert wording.shorten("x" * 500, 200) == "x" * 199 + "…"
    assert wording.shorten("a " + "x" * 500, 200) == "a " + "x" * 197 + "…"


def test_what_no_file_can_hold_becomes_the_replacement_character() -> None:
    assert wording.clean("a\x00b\ud83dc\x9b") == "a\ufffdb\ufffdc\ufffd"
    assert wording.clean("tab\tline\n\U0001f600") == "tab\tline\n\U0001f600"


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("minilm", False),
        ("BAAI/bge-small-en-v1.5", False),
        ("/mnt/models/minilm", True),
        ("./minilm", True),
        ("../minilm", True),
        ("~/minilm", True),
        ("C:\\models\\minilm", True),
        ("a/b/c", True),
    ],
)
def test_a_folder_is_told_from_a_hub_id_and_named_by_its_last_part(name: str, path: bool) -> None:
    assert wording.is_path(name) is path
    assert wording.backbone_name(name) == (
        name if not path else name.replace("\\", "/").split("/")[-1]
    )


def test_a_name_that_is_written_so_keeps_its_small_letter() -> None:
    assert wording.first_upper("macro F1") == "Macro F1"
    assert wording.first_upper(wording.metric_name("map50")) == "mAP50"


def test_rows_that_nothing_can_be_compared_by_are_not_said_to_be_marked() -> None:
    found = {"needed": 19, "rows": 40, "views": ["form"]}
    assert "how they are written" in " ".join(trust.fitted({"unlike": found}))
    assert "unlike" not in " ".join(trust.fitted({"unlike": found | {"views": []}}))
