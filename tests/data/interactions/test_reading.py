"""Tables of interactions become histories: columns, sides, items, names, and what is noticed."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.data.interactions.conftest import SOURCE, taken, things

from supertune.contracts import Columns
from supertune.data.interactions import reading
from supertune.data.interactions.histories import hashed
from supertune.errors import InputError


def written(path: Path, rows: list[dict[str, str]], sign: str = ",", types: str = "") -> Path:
    with path.open("w", newline="", encoding="utf-8") as stream:
        table = csv.writer(stream, delimiter=sign)
        table.writerow([name + types for name in rows[0]])
        table.writerows(row.values() for row in rows)
    return path


def codes(found) -> set[str]:
    return {finding.code for finding in found.findings}


def test_columns_are_guessed_with_their_proof(shop):
    assert (shop.columns.user, shop.columns.item) == ("user_id", "item_id")
    assert shop.columns.time == "timestamp"
    said = "\n".join(shop.guesses)
    assert "user: column 'user_id' (40 people, " in said
    assert "categories: column 'category'" in said


def test_the_last_fifth_of_each_history_judges_and_the_kept_model_knows_all(shop):
    whole = {one.person: one for one in shop.whole.inputs}
    for one, later in zip(shop.test.inputs, shop.test.targets, strict=True):
        full = whole[one.person]
        held = later[later >= 0]
        assert len(held) == max(1, round(0.2 * len(full)))
        assert [*one.items, *held] == full.items.tolist()
    assert len(shop.train) == len(shop.whole) == 40


def test_nothing_that_judges_is_learned_from(shop):
    learnt = {one.person: set(one.items.tolist()) for one in shop.train.inputs}
    for one, later in zip(shop.test.inputs, shop.test.targets, strict=True):
        assert not learnt[one.person] & set(later[later >= 0].tolist())


def test_one_interaction_of_each_or_the_latest_of_all_can_judge():
    last = reading.learned(SOURCE, Columns(hold_out="last_one"))
    assert ((last.test.targets >= 0).sum(axis=1) == 1).all()
    late = reading.learned(SOURCE, Columns(hold_out="time"))
    assert max(one.times.max() for one in late.train.inputs if len(one)) <= min(
        one.times[one.known :].min() for one in late.whole.inputs if one.known < len(one)
    )


def test_a_file_s_order_does_not_matter(shop):
    other = {"interactions": taken()[::-1], "items": things()[::-1]}
    again = reading.learned(other, Columns())
    assert again.train.labels == shop.train.labels
    assert {repr(one) for one in again.train.inputs} == {repr(one) for one in shop.train.inputs}
    assert {one.person for one in again.train.inputs} == {one.person for one in shop.train.inputs}


def test_people_have_other_names_unless_their_own_are_asked_for(shop):
    assert not any("person" in one.person for one in shop.whole.inputs)
    clear = reading.learned(SOURCE, Columns(clear_ids=True))
    assert {one.person for one in clear.whole.inputs} == {f"person-{i}" for i in range(40)}


def test_the_same_person_has_another_name_in_other_data():
    salts = "00" * 16, "01" * 16
    assert hashed(salts[0])("ann") != hashed(salts[1])("ann")
    assert hashed(salts[0])("ann") == hashed(salts[0])("ann")


def test_samples_name_nobody(shop):
    assert shop.samples
    assert not any("person" in str(sample) for sample in shop.samples)


@pytest.mark.parametrize("form", ["folder", "atomic", "mapping", "parquet"])
def test_every_form_of_source_is_read_alike(form, tmp_path, shop):
    if form == "atomic":
        written(tmp_path / "shop.inter", taken(), "\t", ":token")
        written(tmp_path / "shop.item", things(), "\t", ":token")
        source = tmp_path
    elif form == "parquet":
        polars = pytest.importorskip("polars")
        polars.DataFrame(taken()).write_parquet(tmp_path / "interactions.parquet")
        source = {"interactions": tmp_path / "interactions.parquet", "items": things()}
    else:
        done = written(tmp_path / "interactions.csv", taken())
        items = written(tmp_path / "items.csv", things())
        source = tmp_path if form == "folder" else {"interactions": done, "items": items}
    found = reading.learned(source, Columns())
    assert found.train.labels == shop.train.labels
    assert {repr(one) for one in found.whole.inputs} == {repr(one) for one in shop.whole.inputs}
    catalogue = found.train.inputs[0].catalogue
    assert catalogue.titles[catalogue.place["t3"]] == "black tea 3"
    assert catalogue.categories[catalogue.place["b3"]] == ("bicycles",)
    assert catalogue.years[catalogue.place["b3"]] == 2003


def test_items_that_nobody_took_are_in_the_catalogue(shop):
    touched = {int(place) for one in shop.whole.inputs for place in one.items}
    untouched = set(range(len(shop.train.labels))) - touched
    assert {shop.train.labels[place] for place in untouched} == {"t9", "b9"}


def test_what_is_odd_is_said():
    rows = taken()
    twice = [*rows, dict(rows[0], timestamp="99")]
    assert "repeated_interaction" in codes(reading.learned(twice, Columns()))
    alone = [*rows, {"user_id": "one", "item_id": "t1", "timestamp": "1"}]
    assert "one_interaction" in codes(reading.learned(alone, Columns()))
    strange = [*rows, {"user_id": "one", "item_id": "zzz", "timestamp": "1"}]
    found = reading.learned({"interactions": strange, "items": things()}, Columns())
    assert "unknown_items" in codes(found)
    assert "zzz" in found.train.labels
    silent = [dict(row, title="", category="", year="") for row in things()[:1]] + things()[1:]
    assert "items_without_text" in codes(
        reading.learned({"interactions": rows, "items": silent}, Columns())
    )
    busy = [
        {"user_id": "robot", "item_id": f"x{i}", "timestamp": str(i)} for i in range(2000)
    ] + rows
    assert "improbably_many" in codes(reading.learned(busy, Columns()))


def test_ids_that_became_decimals_are_the_same_ids():
    rows = [dict(row, item_id=f"{row['item_id'][1:]}.0") for row in taken()]
    items = [{"item_id": str(i), "title": f"thing {i}"} for i in range(10)]
    found = reading.learned({"interactions": rows, "items": items}, Columns())
    assert "ids_changed_type" in codes(found)
    assert found.train.labels == tuple(str(i) for i in range(10))


def test_a_leak_from_the_future_is_said():
    rows = [
        dict(row, timestamp=str(1000 * (int(row["user_id"][7:]) % 4) + int(row["timestamp"])))
        for row in taken()
    ]
    assert "future_learned_from" in codes(reading.learned(rows, Columns()))
    assert "future_learned_from" not in codes(reading.learned(rows, Columns(hold_out="time")))


def test_a_test_source_judges_and_everything_given_is_learned_from(shop):
    later = [{"user_id": f"person-{i}", "item_id": "t9", "timestamp": "50"} for i in range(5)]
    found = reading.learned(SOURCE, Columns(), test=later)
    assert found.whole is None
    judged = found.test.targets[found.test.targets[:, 0] >= 0]
    assert [found.test.labels[row[0]] for row in judged] == ["t9"] * 5


def test_the_items_of_a_model_are_those_that_are_judged(shop):
    ids = shop.train.labels
    found = reading.judged([*taken(), taken()[0] | {"item_id": "new"}], shop.columns, ids)
    assert found.train.labels == ids
    assert "unknown_items" in codes(found)
    with pytest.raises(InputError) as caught:
        reading.judged([dict(row, item_id="new") for row in taken()], shop.columns, ids)
    assert caught.value.code == "no_known_items"


def test_a_stream_has_a_row_a_person(shop):
    windows = list(reading.stream(taken(), replace(shop.columns, hold_out=None), 15))
    assert [len(table) for table, _ in windows] == [15, 15, 10]
    people = [name for table, _ in windows for name in table.values["user_id"]]
    assert sorted(people) == sorted({row["user_id"] for row in taken()})
    assert sum(len(one) for _, part in windows for one in part) == len(
        {(row["user_id"], row["item_id"]) for row in taken()}
    )


def test_ratings_and_dates_are_kept():
    rows = [dict(row, rating="4.5", timestamp=f"2026-01-{1 + i % 28:02}") for i, row in
            enumerate(taken())]  # fmt: skip
    found = reading.learned(rows, Columns())
    assert found.columns.label == "rating"
    assert {float(r) for one in found.whole.inputs for r in one.ratings} == {4.5}
    assert all(np.diff(one.times).min(initial=0) >= 0 for one in found.whole.inputs)
