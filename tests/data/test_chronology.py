"""With a time column and no test rows, the latest rows judge what was learned from the others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from supertune.contracts import Columns, Finding, Reading
from supertune.data import text_reading
from supertune.data.table import Table
from supertune.errors import InputError

WHEN = [f"2024-{month:02}-{day:02}" for month in range(1, 6) for day in range(1, 9)]
LABELS = ["calm", "angry"] * 20
WORDS = ("parcel", "refund", "login", "battery", "screen", "invoice", "delay", "manual")


def read(when: list[Any], labels: list[Any] | None = None, **more: Any) -> Reading:
    given = LABELS if labels is None else labels
    texts = [
        f"{WORDS[i % 8]} {WORDS[i // 8]} letter number {i * 7919} about {i * i}"
        for i in range(len(given))
    ]
    columns = Columns(("text",), "label", time="when", group="who" if "who" in more else None)
    values = {"text": texts, "label": given, "when": when, **more}
    return text_reading.learned(Table(values, np.arange(1, len(given) + 1), "rows.csv"), columns)


def found(reading: Reading, code: str) -> Finding:
    (finding,) = [each for each in reading.findings if each.code == code]
    return finding


def test_the_latest_fifth_judges_and_is_not_learned_from() -> None:
    order = np.random.default_rng(0).permutation(40)
    reading = read([WHEN[i] for i in order])
    assert reading.test is not None
    late = [row for row, i in enumerate(order, 1) if i >= 32]
    assert sorted(reading.test.rows.tolist()) == late
    assert sorted(reading.train.rows.tolist()) == sorted({*range(1, 41)} - {*late})
    finding = found(reading, "time_split")
    assert (finding.severity, sorted(finding.rows)) == ("info", late)
    assert "8 latest rows (from 2024-05-01 in 'when' on)" in finding.message
    assert "learns from the other 32" in finding.message


def test_rows_of_one_moment_stay_together() -> None:
    reading = read([2020] * 20 + [2021] * 10 + [2022] * 10)
    assert reading.test is not None
    assert len(reading.test) == 10


def test_rows_without_a_time_or_without_a_label_are_not_held_back() -> None:
    when = [*WHEN[:38], "", None]
    reading = read(when, [*LABELS[:36], "", "", *LABELS[38:]])
    assert reading.test is not None
    assert set(reading.test.rows.tolist()) <= set(range(28, 37))
    assert {37, 38, 39, 40} <= set(reading.train.rows.tolist())


def test_a_label_that_only_the_latest_rows_have_is_learned() -> None:
    reading = read(WHEN, [*LABELS[:37], "new", "new", "calm"])
    assert reading.test is not None
    assert "new" in reading.train.labels
    assert {38, 39} <= set(reading.train.rows.tolist())
    assert "Only the latest rows have new" in found(reading, "time_split").message


@pytest.mark.parametrize(
    ("when", "labels"),
    [([2020] * 40, LABELS), ([""] * 40, LABELS), (WHEN, ["calm"] * 34 + ["angry"] * 6)],
    ids=["one moment", "no times", "one class until late"],
)
def test_what_cannot_be_parted_is_cross_validated_and_says_so(
    when: list[Any], labels: list[str]
) -> None:
    reading = read(when, labels)
    if labels is LABELS:
        assert (reading.test, len(reading.train)) == (None, 40)
        assert found(reading, "time_not_split").severity == "warning"
    else:  # the late class is learned, so that there are two
        assert reading.test is not None
        assert set(reading.train.labels) == {"calm", "angry"}


def test_test_rows_that_are_marked_go_before_times() -> None:
    reading = read(WHEN, split=["test"] * 10 + ["train"] * 30)
    assert reading.test is not None
    assert sorted(reading.test.rows.tolist()) == list(range(1, 11))
    assert "time_split" not in [each.code for each in reading.findings]
    assert found(reading, "time_range").message.endswith("from 2024-01-01 to 2024-05-08.")


def test_customers_of_which_all_were_there_before_are_refused_with_what_to_leave_out() -> None:
    with pytest.raises(InputError) as caught:
        read(WHEN, who=["ann", "bob"] * 20)
    assert caught.value.code == "group_overlap"
    assert "leave --time out" in str(caught.value.next)
