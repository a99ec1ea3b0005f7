"""Items like another by text and picture, from Python, from a table and from the command line."""

from __future__ import annotations

import pytest

import supertune as tune
from supertune.catalogue.corpora import few_shot
from supertune.errors import InputError

IDS = ["a", "b", "c", "d", "e"]
TEXTS = [
    "An apple is a fruit.",
    "A hen is a bird.",
    "A lemon is a fruit.",
    "A pigeon is a bird.",
    "",
]


@pytest.fixture(scope="module")
def pictures():
    """Two of flowers, two of money, none of the last."""
    rows, _ = few_shot("tux-stamps", per_class=2, test_rows=0, seed=0)
    by_topic = {
        topic: [picture for picture, label in rows if label == topic]
        for topic in ("flowers", "money")
    }
    return [*by_topic["flowers"], *by_topic["money"], by_topic["money"][0]]


@pytest.fixture(scope="module")
def both(pictures):
    return tune.similar_items(IDS, texts=TEXTS, pictures=pictures, threads=1)


def order(found):
    return {name: [one["item"] for one in near] for name, near in found.items()}


def test_texts_alone_and_pictures_alone_find_their_own_kind(pictures):
    said = tune.similar_items(IDS[:4], texts=TEXTS[:4], top=1, threads=1)
    shown = tune.similar_items(IDS[:4], pictures=pictures[:4], top=1, threads=1)
    assert order(said) == {"a": ["c"], "b": ["d"], "c": ["a"], "d": ["b"]}
    assert order(shown) == {"a": ["b"], "b": ["a"], "c": ["d"], "d": ["c"]}
    assert set(said["a"][0]) == {"rank", "item", "score"}


def test_the_score_is_the_weighted_sum_of_both_cosines(pictures, both):
    asked = {"texts": TEXTS, "pictures": pictures, "of": "a", "threads": 1}
    heavy = tune.similar_items(IDS, weight=0.8, **asked)["a"]
    for share, near in ((0.5, both["a"]), (0.8, heavy)):
        for one in near:
            if one["text"] is not None:
                wanted = (1 - share) * one["text"] + share * one["picture"]
                assert one["score"] == pytest.approx(wanted, abs=2e-6)
    assert [one["score"] for one in heavy] == sorted((n["score"] for n in heavy), reverse=True)
    assert [one["score"] for one in heavy] != [one["score"] for one in both["a"]]


def test_all_weight_on_one_kind_is_that_kind_alone(pictures):
    said = tune.similar_items(IDS[:4], texts=TEXTS[:4], threads=1)
    shown = tune.similar_items(IDS[:4], pictures=pictures[:4], threads=1)
    given = {"texts": TEXTS[:4], "pictures": pictures[:4], "threads": 1}
    assert order(tune.similar_items(IDS[:4], weight=0, **given)) == order(said)
    assert order(tune.similar_items(IDS[:4], weight=1, **given)) == order(shown)


def test_an_item_without_a_text_is_compared_by_its_picture(both):
    nearest = both["e"][0]
    assert (nearest["item"], nearest["text"], nearest["rank"]) == ("c", None, 1)
    assert nearest["picture"] == pytest.approx(1, abs=1e-5)
    assert all(len(near) == len(IDS) - 1 for near in both.values())
    assert all(name not in order(both)[name] for name in IDS)


@pytest.mark.parametrize(
    ("items", "given", "code"),
    [
        ([], {}, "no_items"),
        ("a", {"texts": ["a"]}, "no_items"),
        (["a", " "], {"texts": ["a", "b"]}, "item_id_empty"),
        (["a", "a"], {"texts": ["a", "b"]}, "item_twice"),
        (["a", "b"], {"texts": ["a"]}, "items_misfit"),
        (["a", "b"], {"texts": "ab"}, "items_misfit"),
        (["a", "b"], {}, "nothing_said"),
        (["a", "b"], {"texts": ["a", None]}, "nothing_said"),
        (["a", "b"], {"texts": ["a", "b"], "of": "c"}, "unknown_item"),
        (["a", "b"], {"texts": ["a", "b"], "weight": 1.5}, "bad_weight"),
        (["a", "b"], {"texts": ["a", "b"], "top": 0}, "bad_top"),
        (["a", "b"], {"pictures": ["no.png", None], "texts": ["a", "b"]}, "picture_missing"),
        (["a", "b"], {"pictures": [3, None], "texts": ["a", "b"]}, "no_picture"),
        (
            ["a", "b"],
            {"texts": ["a", "b"], "text_backbone": "efficientnet-lite0"},
            "wrong_backbone",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused_by_name(items, given, code):
    with pytest.raises(InputError) as caught:
        tune.similar_items(items, **given)
    assert caught.value.code == code


@pytest.fixture
def table(tmp_path, pictures):
    lines = ["sku,title,category,photo"]
    for name, text, kind, picture in zip(
        IDS, TEXTS, ("food", "birds", "food", "birds", ""), pictures, strict=True
    ):
        (tmp_path / f"{name}.png").write_bytes(picture.read())
        lines.append(f"{name},{text},{kind},{name}.png")
    path = tmp_path / "items.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_a_table_says_its_texts_and_pictures_by_itself(table):
    found = tune.similar_in(table, "a", threads=1)
    assert {one["item"] for one in found} == {"b", "c", "d", "e"}
    assert all(one["picture"] is not None for one in found)
    assert found[0]["title"]
    narrowed = tune.similar_in(
        table, "An apple is a fruit.", category=["birds"], exclude=["d"], threads=1
    )
    assert [(one["rank"], one["item"]) for one in narrowed] == [(1, "b")]
    with pytest.raises(InputError, match="category"):
        tune.similar_in(table, "a", category=["tools"])


def test_the_command_line_asks_a_table(table, supertune):
    given = ["similar", str(table), "a", "--text", "title", "--threads", "1", "--top", "2"]
    done = supertune(*given, "--json")
    assert done.code == 0, done.err
    found = done.answer["similar"]
    assert [one["rank"] for one in found] == [1, 2]
    assert [one["item"] for one in found] == [
        one["item"] for one in tune.similar_in(table, "a", text=["title"], top=2, threads=1)
    ]
    refused = supertune("similar", str(table.parent), "a", "--weight", "0.3")
    assert refused.code == 2
    assert "--weight" in refused.err
