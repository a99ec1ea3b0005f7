"""A shop from end to end: fit, lists, reasons, people added and forgotten, from Python and from
the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.data.interactions.conftest import SOURCE, taken, things
from tests.data.interactions.test_reading import written

import supertune as tune
from supertune import registry
from supertune.api import similar_with
from supertune.artifact import tensor_bytes
from supertune.data.interactions.histories import hashed
from supertune.errors import InputError
from supertune.recommending import place_of

KEYS = {"task": "recommendation", "method": "sequential_ease", "threads": 1}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("shop") / "shop-model"
    tune.fit(SOURCE, output=made, **KEYS)
    return made


@pytest.fixture
def model(folder):
    return tune.load(folder)


def every_byte(folder: Path) -> bytes:
    return b"\n".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def test_a_fit_reports_lists_with_intervals_and_what_is_popular_beside(model):
    report = model.report.data
    assert report["judged_on"] == "test rows"
    assert set(report["baselines"]) == {"popularity"}
    whole = report["lists"]["whole"]
    assert set(whole) == {"coverage@10", "novelty@10", "popularity_bias@10", "diversity@10"}
    for one in whole.values():
        assert one["low"] <= one["value"] <= one["high"]
    assert report["test"]["low"] <= report["test"]["value"] <= report["test"]["high"]
    assert report["lists"]["by_history"][0]["people"] > 0
    by_item = report["lists"]["by_item"]
    assert {(one["from"], one["to"]) for one in by_item} <= {(0, 0), (1, 4), (5, 20), (21, None)}
    assert all(0 <= one["recall@10"]["value"] <= 1 for one in by_item)
    curve = report["cold_start"]
    assert [one["known"] for one in curve] == [0, 1, 2, 5, 10, 20, None]
    assert curve[-1]["value"] == pytest.approx(report["test"]["value"])
    page = model.report.html()
    assert "is recommended" in page
    assert "coverage@10" in page


def test_nobody_s_own_name_is_in_the_folder(folder):
    assert b"person-" not in every_byte(folder)


def test_somebody_never_seen_is_recommended_their_kind(model):
    found = model.recommend(["t1", "green tea leaves 0"], top=5)
    assert [one["rank"] for one in found] == [1, 2, 3, 4, 5]
    assert {one["item"] for one in found}.isdisjoint({"t1", "t0"})
    assert sum(one["categories"] == ["tea"] for one in found) >= 3


def test_a_reason_is_the_item_without_which_the_score_is_lowest(model):
    liked = ["t1", "t2", "b3"]
    found = model.recommend(liked, top=3)
    ranker, catalogue = model.tuned, model.tuned.catalogue

    def scores(items):
        from supertune.recommending import _named

        return ranker.scores([_named(catalogue, items)], None)[0]

    for one in found:
        place = place_of(catalogue, one["item"])
        falls = [
            scores(liked)[place] - scores([i for i in liked if i != left])[place] for left in liked
        ]
        if one["because"] is None:
            assert max(falls) <= 0
        else:
            named = catalogue.ids[place_of(catalogue, one["because"])]
            assert named == liked[int(np.argmax(falls))]
            assert one["falls"] == pytest.approx(max(falls), abs=1e-5)


def test_lists_leave_out_what_is_excluded_and_keep_to_categories_and_rules(model):
    plain = [one["item"] for one in model.recommend(["t1"], top=4)]
    assert plain[0] not in [
        one["item"] for one in model.recommend(["t1"], top=4, exclude=[plain[0]])
    ]
    wheels = model.recommend(["t1"], top=4, category=["bicycles"])
    assert {tuple(one["categories"]) for one in wheels} == {("bicycles",)}
    sold_out = model.recommend(["t1"], top=4, rule=lambda one: one["item"] not in plain)
    assert {one["item"] for one in sold_out}.isdisjoint(plain)
    assert len(sold_out) == 4


def test_a_varied_list_is_of_items_less_alike(model):
    vectors = np.asarray(model.tuned.vectors(None), dtype=float)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True) + 1e-12

    def alike(diversity):
        found = model.recommend(["t1", "t2"], top=6, diversity=diversity)
        rows = vectors[[model.tuned.catalogue.place[one["item"]] for one in found]]
        return (rows @ rows.T).sum() - len(rows)

    assert alike(0.9) < alike(0.0)


def test_a_person_who_was_fitted_on_is_known_by_their_own_id(model):
    found = model.recommend(user="person-1", top=3)
    own = {row["item_id"] for row in taken() if row["user_id"] == "person-1"}
    assert {one["item"] for one in found}.isdisjoint(own)


def test_similar_items_are_of_the_same_kind(model):
    found = model.similar("b2", top=4)
    assert "b2" not in [one["item"] for one in found]
    assert sum(one["categories"] == ["bicycles"] for one in found) >= 3


def test_pictures_of_items_count_beside_what_the_model_knows(model, folder, tmp_path, supertune):
    lines = ["item_id,photo"]
    for item, colour in (("b2", "red"), ("t1", "red"), ("b3", "blue")):
        Image.new("RGB", (32, 32), colour).save(tmp_path / f"{item}.png")
        lines.append(f"{item},{item}.png")
    table = tmp_path / "items.csv"
    table.write_text("\n".join(lines))
    plain = {one["item"]: one["score"] for one in model.similar("b2", top=30)}
    both = {one["item"]: one["score"] for one in similar_with(model, "b2", table, top=30)}
    assert both["t1"] == pytest.approx((plain["t1"] + 1) / 2, abs=1e-3)  # the same picture
    assert both["b3"] < (plain["b3"] + 1) / 2
    rest = set(plain) - {"t1", "b3"}
    assert {item: both[item] for item in rest} == {item: plain[item] for item in rest}
    alone = supertune("similar", folder, "b2", "--items", table, "--weight", "1", "--json")
    assert alone.answer["similar"][0]["score"] == pytest.approx(1, abs=1e-3)
    refused = supertune("similar", folder, "b2", "--items", table, "--text", "title", "--json")
    assert (refused.code, refused.error["code"]) == (2, "option_of_tables")
    table.write_text("item_id,title\nb2,bike pump\n")
    with pytest.raises(InputError) as caught:
        similar_with(model, "b2", table)
    assert caught.value.code == "no_pictures"


def test_a_person_can_be_added_and_changed_without_tuning(model):
    more = model.with_user(["t1", "t2", "t3"], "new person")
    assert more.recommend(user="new person", top=3)
    assert more.tuned is model.tuned
    changed = more.with_user(["b1"], "new person")
    assert len(changed.training_rows) == len(more.training_rows) == len(model.training_rows) + 1
    with pytest.raises(InputError):
        model.recommend(user="new person")


def test_of_a_person_who_is_forgotten_nothing_is_left_in_any_byte(model, tmp_path):
    name = hashed(model.tuned.catalogue.salt)("person-7")
    before = tmp_path / "before"
    model.save(before)
    assert name.encode() in every_byte(before)
    left = model.forget_user("person-7")
    left.save(tmp_path / "after")
    held = every_byte(tmp_path / "after")
    assert name.encode() not in held
    assert b"person-7" not in held
    again = tune.load(tmp_path / "after")
    with pytest.raises(InputError):
        again.recommend(user="person-7")
    assert "examples" not in again.report.data["lists"]


def test_a_model_that_forgot_is_that_of_a_fit_without_the_person(model):
    """Byte for byte, but for the order of people who did the same."""
    others = [row for row in taken() if row["user_id"] != "person-7"]
    alone = tune.fit({"interactions": others, "items": things()}, **KEYS)
    ours = dict(model.forget_user("person-7").tuned.state().arrays)
    assert tensor_bytes(ours) == tensor_bytes(dict(alone.tuned.state().arrays))


def test_a_model_without_rows_knows_nobody_and_recommends_all_the_same(tmp_path):
    bare = tune.fit(SOURCE, output=tmp_path / "m", keep_rows=False, **KEYS)
    assert not (tmp_path / "m" / "rows.jsonl").exists()
    assert bare.recommend(["t1"], top=2)
    for ask in (lambda: bare.recommend(user="person-1"), lambda: bare.forget_user("person-1")):
        with pytest.raises(InputError) as caught:
            ask()
        assert caught.value.code == "no_rows_kept"


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"liked": ()}, "nobody"),
        ({"liked": ["zzz"]}, "unknown_item"),
        ({"liked": ["t1"], "exclude": ["zzz"]}, "unknown_item"),
        ({"user": "nobody"}, "unknown_user"),
        ({"liked": ["t1"], "category": ["coffee"]}, "unknown_category"),
        ({"liked": ["t1"], "diversity": 2.0}, "bad_diversity"),
        ({"liked": ["t1"], "top": 0}, "bad_top"),
    ],
)
def test_what_cannot_be_recommended_is_refused_by_name(model, asked, code):
    with pytest.raises(InputError) as caught:
        model.recommend(**asked)
    assert caught.value.code == code
    assert caught.value.next


def test_the_command_line_does_all_of_it(tmp_path, supertune, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rated = [{**row, "rating": str(3 + int(row["item_id"][1:]) % 3)} for row in taken()]
    done = written(tmp_path / "interactions.csv", rated)
    items = written(tmp_path / "items.csv", things())
    made = tmp_path / "m"
    keys = ["--task", "recommendation", "--method", "ease", "-o", made, "--json"]
    fitted = supertune("fit", done, "--items", items, *keys)
    assert fitted.code == 0, fitted
    assert fitted.answer["labels"] == []
    asked = supertune("recommend", made, "--liked", "t1", "--top", "3", "--json")
    assert [one["rank"] for one in asked.answer["recommended"]] == [1, 2, 3]
    alike = supertune("similar", made, "b2", "--json")
    assert alike.answer["similar"][0]["item"].startswith("b")
    wrote = supertune("predict", made, done, "-o", tmp_path / "lists.jsonl", "--json")
    assert wrote.answer["rows"] == 40
    lines = [json.loads(line) for line in (tmp_path / "lists.jsonl").read_text().splitlines()]
    assert {line["user_id"] for line in lines} == {row["user_id"] for row in taken()}
    assert all(len(line["recommended"]) == 10 for line in lines)
    scored = supertune("evaluate", made, done, "--json")
    assert scored.code == 0, scored
    assert scored.answer["estimate"]["metric"] == "ndcg@10"
    foreseen = scored.answer["ratings"]
    assert foreseen["rmse"]["value"] < foreseen["baselines"]["person mean"]["value"]
    assert "error of" in supertune("evaluate", made, done).out
    as_new = supertune("evaluate", made, done, "--hold-out", "users", "--json")
    assert as_new.answer["rows"] == 40
    assert as_new.answer["estimate"] != scored.answer["estimate"]
    refused = supertune("evaluate", made, done, "--hold-out", "items", "--json")
    assert (refused.code, refused.error["code"]) == (2, "bad_hold_out")
    (tmp_path / "shop_rules.py").write_text("def teas(item):\n    return item['item'][0] == 't'\n")
    ruled = supertune("recommend", made, "--liked", "b1", "--rule", "shop_rules:teas", "--json")
    assert {one["item"][0] for one in ruled.answer["recommended"]} == {"t"}
    refused = supertune("recommend", made, "--liked", "zzz", "--json")
    assert (refused.code, refused.error["code"]) == (2, "unknown_item")


def test_every_method_of_recommendation_says_what_it_is():
    names = [m.name for m in registry.methods() if "rank" in m.objectives]
    assert {"popularity", "item_knn", "ease", "sequential_ease", "hybrid"} <= set(names)
