"""Interactions, items and options of a recommendation that are refused, each by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.bad_inputs.conftest import Bad, Make, Refused, both, file

TITLE = "user_id,item_id,timestamp\n"
LINES = [f"u{i % 6},i{(i * 5) % 7},{i}\n" for i in range(24)]
ITEMS = "item_id,title,genre\n" + "".join(f"i{i},thing number {i},a\n" for i in range(7))
GOOD = TITLE + "".join(LINES)
good = both(file(GOOD), file(ITEMS, "items.csv"))
TASK = ("--task", "recommendation")


def rows(code: str, content: str, *options: str, said: str = "") -> Bad:
    make = both(file(content), file(ITEMS, "items.csv"))
    return Bad(code, make, ("rows.csv", *TASK, *options), said)


def changed(code: str, row: int, line: str, *options: str) -> Bad:
    lines = list(LINES)
    lines[row - 1] = line
    return rows(code, TITLE + "".join(lines), *options, said=f"row {row}")


def items(code: str, content: str, *options: str, said: str = "") -> Bad:
    make = both(file(GOOD), file(content, "items.csv"))
    return Bad(code, make, ("rows.csv", "--items", "items.csv", *TASK, *options), said)


def asked(code: str, *options: str, said: str = "") -> Bad:
    return Bad(code, good, ("rows.csv", *TASK, *options), said)


def folder(*names: str) -> Make:
    def make(here: Path) -> None:
        (here / "shop").mkdir()
        for name in names:
            file(ITEMS if "item" in name else GOOD, f"shop/{name}")(here)

    return make


BAD = {
    "nobody did anything": rows(
        "no_user_column", "item_id,timestamp\ni1,2\ni2,3\n", said="--user NAME"
    ),
    "nothing was done": rows("no_item_column", "user_id,when\na,1\nb,2\n", said="--item NAME"),
    "two columns of people": rows(
        "ambiguous_columns", "user_id,customer_id,item_id\na,b,i1\nb,c,i2\n", said="customer_id"
    ),
    "two columns of items": rows(
        "ambiguous_columns", "user_id,item_id,product_id\na,b,i1\nb,c,i2\n", said="product_id"
    ),
    "a column of people that is not there": asked(
        "user_column_missing", "--user", "userid", said="user_id"
    ),
    "a column of items that is not there": asked(
        "item_column_missing", "--item", "itm_id", said="item_id"
    ),
    "a column of times that is not there": asked("time_column_missing", "--time", "when"),
    "a column of ratings that is not there": asked("label_column_missing", "--label", "stars"),
    "one column for both": asked(
        "column_twice", "--user", "item_id", "--item", "item_id", said="user and as item"
    ),
    "a row without a person": changed("user_empty", 5, ",i3,4\n"),
    "a row without an item": changed("item_empty", 7, "u1,,4\n"),
    "a time that is none": changed("bad_time", 3, "u1,i2,yesterday\n"),
    "a row without a time": changed("bad_time", 4, "u1,i2,\n"),
    "a rating that is none": rows(
        "bad_number",
        "user_id,item_id,rating\n" + "".join(f"u{i},i{i},3\n" for i in range(5)) + "u1,i2,good\n",
        said="row 6",
    ),
    "one person": rows(
        "too_few_rows", TITLE + "".join(f"me,i{i},{i}\n" for i in range(6)), said="1 person"
    ),
    "people with one interaction each": rows(
        "too_few_rows", TITLE + "".join(f"u{i},i{i},{i}\n" for i in range(6)), said="0 of them"
    ),
    "two items": rows("too_few_rows", TITLE + "a,i1,1\na,i2,2\nb,i1,1\nb,i2,3\n", said="2 items"),
    "no rows": rows("no_rows", TITLE),
    "an empty file": rows("empty_file", ""),
    "the latest without times": rows(
        "no_time",
        "user_id,item_id\n" + "".join(f"u{i % 3},i{i % 5}\n" for i in range(9)),
        "--set",
        "hold_out=time",
        said="--time NAME",
    ),
    "a split that there is not": asked("bad_recipe", "--set", "hold_out=half", said="hold_out"),
    "items held out of too few": asked("too_few_items", "--hold-out", "items"),
    "people held out of nobody": rows(
        "too_few_rows", TITLE + "a,i1,1\nb,i2,2\nc,i3,2\n", "--hold-out", "users"
    ),
    "items that are not those": items(
        "no_known_items", "item_id,title\nx1,one\nx2,two\n", said="x1"
    ),
    "items without ids": items("item_id_missing", "name,price\na,1\nb,2\n", said="'item_id'"),
    "an item twice": items("item_twice", ITEMS + "i3,again,b\n", said="rows 4 and 8"),
    "an item with an empty id": items("item_id_empty", ITEMS + ",nameless,b\n", said="row 8"),
    "a text of items that is not there": items(
        "text_column_missing", ITEMS, "--text", "titel", said="title"
    ),
    "a file of items that is not there": asked("file_missing", "--items", "things.csv"),
    "items of which nothing is said": asked("nothing_fits", "--method", "content_mean"),
    "a method for labels": items("method_does_not_fit", ITEMS, "--method", "linear_probe"),
    "a method of recommendation for labels": Bad(
        "method_does_not_fit",
        file("text,label\na film,good\na bore,bad\n" * 4),
        ("rows.csv", "--method", "ease"),
    ),
    "a penalty below nothing": asked(
        "bad_option", "--method", "ease", "--set", "strength=-1", said="strength"
    ),
    "a key of another method": asked("bad_recipe", "--method", "ease", "--set", "factors=3"),
    "a metric of labels": asked("unknown_metric", "--metric", "accuracy", said="ndcg@10"),
    "costs": asked("no_costs", "--set", "cost_matrix=[[0,1],[1,0]]"),
    "class weights": asked("no_class_weights", "--set", "class_weights=balanced"),
    "a largest error": asked("no_max_error", "--max-error", "5%"),
    "a test of other people": Bad(
        "no_later_items",
        both(good, file(TITLE + "zz,i1,1\nzz,i2,2\n", "test.csv")),
        ("rows.csv", *TASK, "--test", "test.csv"),
        "that they had not touched",
    ),
    "a test of other items": Bad(
        "no_known_items",
        both(good, file(TITLE + "u1,zz,1\nu2,zz,2\n", "test.csv")),
        ("rows.csv", *TASK, "--test", "test.csv"),
    ),
    "a folder without interactions": Bad("no_interactions", folder("items.csv"), ("shop", *TASK)),
    "a folder with two of them": Bad(
        "several_interactions", folder("a.inter", "b.inter"), ("shop", *TASK), "a.inter"
    ),
}


def test_there_are_at_least_thirty() -> None:
    assert len(BAD) >= 30


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_it_is_refused_by_name_with_a_way_out(
    bad: Bad, refused: Refused, here: Path, unchanged: Callable[[], None]
) -> None:
    bad.make(here)
    refused("fit", *bad.arguments, code=bad.code, said=bad.said)


@pytest.mark.parametrize(
    "source",
    [{"interactions": []}, {"items": []}, {"rows": [], "items": []}, {}],
    ids=["no rows", "items alone", "another part", "nothing"],
)
def test_python_s_mapping_of_sources_is_held_to_its_names(source: dict[str, list[str]]) -> None:
    import supertune
    from supertune.errors import InputError

    with pytest.raises(InputError) as caught:
        supertune.fit(source, task="recommendation")
    assert caught.value.code in ("bad_parts", "no_rows")
