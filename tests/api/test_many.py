"""Many models over one backbone: each row is answered as its model alone would answer it."""

from __future__ import annotations

import numpy as np
import pytest

import supertune
from supertune.api.many import Shared
from supertune.errors import InputError

FEW = {"folds": 2, "repeats": 1, "backbone": "minilm", "max_length": 24, "precision": "fp32"}
TOPICS = [
    ("The match was lost in the last minute", "sport"),
    ("Two goals and a red card", "sport"),
    ("Her serve won the final set", "sport"),
    ("The cup goes to the home side", "sport"),
    ("Shares fell after the report", "money"),
    ("The bank raised its rates", "money"),
    ("Profits doubled in a year", "money"),
    ("A merger of two insurers", "money"),
]
MOODS = [(text, "long" if len(text) > 26 else "short") for text, _ in TOPICS]
VALUES = [(text, f"{len(text) / 10}") for text, _ in TOPICS]
ROWS = ["A goal in the rain", "Rates fell", "The final of the cup", "Profits"]
CHANGED = {"epochs": 3, "learning_rate": 1e-2}


@pytest.fixture(scope="module")
def models(own_activations, tmp_path_factory):
    """By name, each in a folder and loaded from it again."""
    asked = {
        "head": (TOPICS, {"method": "linear_probe"}),
        "other head": (MOODS, {"method": "linear_probe"}),
        "centroids": (TOPICS, {"method": "nearest_centroid"}),
        "values": (VALUES, {"method": "linear_regression", "task": "regression"}),
        "lora": (TOPICS, {"method": "lora", "seed": 1, **CHANGED}),
        "other lora": (MOODS, {"method": "lora", "rank": 2, **CHANGED}),
        "ia3": (TOPICS, {"method": "ia3", "epochs": 1}),
        "words": (TOPICS, {"method": "bag_of_words", "backbone": "none"}),
    }
    made = {}
    for name, (rows, options) in asked.items():
        folder = tmp_path_factory.mktemp("many") / "model"
        supertune.fit(rows, output=folder, **{**FEW, **options})
        made[name] = supertune.load(folder)
    return made


def alone(model, row):
    return model.predictions([row]).scored[0]


def check(models, names, rows, which):
    chosen = [models[name] for name in names]
    found = supertune.predict_many(chosen, rows, which)
    for number, places in found.rows.items():
        expected = np.stack([alone(chosen[number], rows[place]) for place in places])
        scored = found.answers[number].scored
        assert np.abs(scored - expected).max() <= 1e-5 * np.abs(expected).max()
    assert list(found.predictions) == [
        chosen[number].predict([row])[0] for row, number in zip(rows, which, strict=True)
    ]
    return found


def test_heads_of_any_kind_share_the_features(models):
    names = ["head", "other head", "centroids", "values"]
    found = check(models, names, ROWS, [3, 0, 1, 2])
    assert found.shared == (Shared((0, 1, 2, 3), "features"),)
    assert isinstance(found.predictions[0], float)


def test_adapters_of_other_tasks_and_ranks_go_side_by_side(models):
    found = check(models, ["lora", "other lora"], ROWS, [0, 1, 1, 0])
    assert found.shared == (Shared((0, 1), "side by side"),)


def test_everything_else_is_asked_alone_and_says_so(models):
    names = list(models)
    which = [names.index(name) for name in ("ia3", "lora", "words", "head")]
    found = check(models, names, ROWS, which)
    assert sorted((group.how, group.why) for group in found.shared) == [
        ("alone", "it has no backbone"),
        ("alone", "what ia3 puts into the backbone goes in alone"),
        ("features", ""),
        ("side by side", ""),
    ]


def test_the_switch_that_turns_it_off_gives_the_same(models):
    chosen, which = list(models.values()), [4, 5, 0, 1]
    on = supertune.predict_many(chosen, ROWS, which)
    off = supertune.predict_many(chosen, ROWS, which, together=False)
    assert {group.how for group in off.shared} == {"alone"}
    assert on.predictions == off.predictions
    for number in which:
        np.testing.assert_allclose(
            on.answers[number].scored, off.answers[number].scored, rtol=1e-5, atol=1e-6
        )


def test_one_backbone_is_asked_once_for_heads_that_share_it(models, monkeypatch):
    backbone = models["head"].workshop.lens("minilm").backbone
    asked = []
    features = backbone.features
    monkeypatch.setattr(
        backbone,
        "features",
        lambda tokens, *a, **k: asked.append(len(tokens)) or features(tokens, *a, **k),
    )
    chosen = [models["head"], models["other head"]]
    supertune.predict_many(chosen, [row for row in ROWS for _ in chosen], [0, 1] * len(ROWS))
    assert asked == [len(ROWS)]


def test_more_rows_than_a_window_holds(models, monkeypatch):
    monkeypatch.setattr("supertune.api.many.WINDOW", 3)
    check(models, ["lora", "head", "other lora"], [*ROWS, *ROWS], [0, 1, 2, 2, 1, 0, 0, 2])


def test_no_rows_have_no_answers(models):
    found = supertune.predict_many([models["head"]], [], [])
    assert (found.predictions, found.answers, found.shared) == ((), {}, ())


@pytest.mark.parametrize(
    "which", [[0], [0, 1, 2, 0], [0, -1, 0, 0], [0.0, 1, 1, 0], "0101"], ids=str
)
def test_a_row_without_a_model_is_refused(models, which):
    with pytest.raises(InputError) as caught:
        supertune.predict_many([models["head"], models["lora"]], ROWS, which)
    assert caught.value.code == "which_misfit"
    assert caught.value.allowed == "4 whole numbers from 0 to 1"


def test_a_row_is_checked_as_its_own_model_reads_it(models):
    with pytest.raises(InputError) as caught:
        supertune.predict_many([models["head"]], ["fine", 3], [0, 0])
    assert caught.value.code == "not_a_text"
    with pytest.raises(InputError) as caught:
        supertune.predict_many([models["head"]], "fine", [0] * 4)
    assert caught.value.code == "one_text_given"
