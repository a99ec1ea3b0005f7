"""What carried an answer, whatever gave it, and whether that is true of the model."""

from __future__ import annotations

import builtins
import json

import numpy as np
import pytest
from tests.conftest import Files
from tests.explaining.conftest import Fitted

import supertune
from supertune.contracts import Explains
from supertune.errors import EnvironmentFault, InputError
from supertune.model import Model

TEXT = "a moving, funny film, but the ending is a mess"
SMALL = {"epochs": 2, "rank": 2}


@pytest.fixture(params=["bag_of_words", "linear_probe", "nearest_centroid", "lora"])
def model(request: pytest.FixtureRequest, fitted: Fitted) -> Model:
    method = str(request.param)
    backbone = None if method == "bag_of_words" else "minilm"
    return fitted(method, backbone, **(SMALL if method == "lora" else {}))


def test_exact_shares_add_up_to_what_the_model_answers(model: Model) -> None:
    lens = model.workshop.lens(model.backbone)
    assert isinstance(model.tuned, Explains)
    texts = [TEXT, "无聊", "", "Film! film FILM"]
    contrasts = np.array([[1.0, -1.0], [0.0, 1.0], [1.0, 0.0], [-1.0, 1.0]])
    expected = (model.tuned.logits(texts, lens) * contrasts).sum(axis=1)
    for way in model.tuned.ways(lens):
        if way == "integrated_gradients":
            continue
        given = model.tuned.contributions(texts, contrasts, lens, way)
        found = [one.shares.sum() + one.rest for one in given]
        assert found == pytest.approx(expected, abs=2e-4), way
        assert any(len(one.spans) for one in given)


def test_integrated_gradients_nearly_add_up(fitted: Fitted) -> None:
    model = fitted("lora", "minilm", **SMALL)
    lens = model.workshop.lens("minilm")
    before = lens.backbone.fingerprint()
    contrast = np.array([[1.0, -1.0]])
    assert isinstance(model.tuned, Explains)
    given = model.tuned.contributions([TEXT], contrast, lens, "integrated_gradients")[0]
    expected = float((model.tuned.logits([TEXT], lens) @ contrast[0])[0])
    # Completeness, to the error of the sum that stands for the integral.
    moved = expected - given.rest
    assert given.shares.sum() == pytest.approx(moved, abs=0.15 * np.abs(given.shares).sum())
    assert lens.backbone.fingerprint() == before


def test_the_most_faithful_way_is_taken_and_all_are_told(model: Model) -> None:
    found = model.explain(TEXT)
    assert set(found.faithfulness) >= {"occlusion"}
    assert len(found.faithfulness) >= 2
    gains = {way: one.gain for way, one in found.faithfulness.items()}
    assert gains[found.way] == max(gains.values())
    only = model.explain(TEXT, way="occlusion")
    assert only.way == "occlusion"
    assert set(only.faithfulness) == {"occlusion"}


def test_the_deletion_curve_is_what_the_model_says_without_the_words(fitted: Fitted) -> None:
    model = fitted("bag_of_words")
    found = model.explain(TEXT, way="occlusion")
    place = model.labels.index(found.said)
    order = np.argsort(-found.shares, kind="stable")
    counts = [max(1, int(np.ceil(s * len(found.parts)))) for s in (0.01, 0.05, 0.1, 0.2, 0.5)]
    changed = [found.parts.without(set(order[:count].tolist())) for count in counts]
    chances = model.predict_proba([TEXT, *changed])[:, place]
    drop = chances[0] - chances[1:].mean()
    assert found.faithfulness["occlusion"].deletion == pytest.approx(drop, abs=1e-9)
    assert drop > 0


def test_the_counterfactual_is_answered_otherwise_and_needs_all_its_words(model: Model) -> None:
    found = model.explain(TEXT)
    flip = found.counterfactual
    assert flip is not None
    before, after = model.predict([TEXT, flip.value])
    assert before != after
    assert after == flip.answer["prediction"]
    for part in flip.removed[:-1]:
        fewer = found.parts.without(set(flip.removed) - {part})
        assert model.predict([fewer])[0] == before


def test_a_prompt_is_explained_by_occlusion_alone(reviews: Files) -> None:
    model = supertune.fit(
        list(reviews.rows[:8]), method="zero_shot_prompt", backbone="smollm2", folds=2, repeats=1
    )
    found = model.explain("a dull mess")
    assert list(found.faithfulness) == ["occlusion"]
    assert found.spoke is None
    assert np.abs(found.shares).max() > 0


def test_text_and_json_say_the_same(fitted: Fitted) -> None:
    found = fitted("linear_probe", "minilm").explain(TEXT)
    told = json.loads(json.dumps(found.as_dict()))
    assert told["explained"] == found.said
    assert [TEXT[w["start"] : w["end"]] for w in told["parts"]] == [
        w["text"] for w in told["parts"]
    ]
    strongest = max(told["parts"], key=lambda word: abs(word["share"]))
    sign = "+" if strongest["share"] > 0 else "-"
    assert f"[{sign}{strongest['text']}{sign}]" in str(found)
    assert "".join(text for text, _ in found.marked()) == TEXT
    assert told["counterfactual"]["input"] in str(found)
    assert {row["label"] for row in told["nearest"]} <= {"negative", "positive"}


def test_the_nearest_row_of_a_row_is_itself(model: Model, reviews: Files) -> None:
    text = reviews.texts[3]
    found = model.explain(text)
    assert found.nearest[0].input == text
    assert found.nearest[0].weight == pytest.approx(1.0, abs=1e-3)
    assert not model.explain(text, rows=False).nearest


def test_a_text_without_words_has_nothing_to_explain(model: Model) -> None:
    found = model.explain("   ")
    assert len(found.parts) == 0
    assert not found.faithfulness
    assert "No word moved the answer" in str(found)


def test_an_unknown_way_is_refused_with_those_there_are(fitted: Fitted) -> None:
    with pytest.raises(InputError) as caught:
        fitted("bag_of_words").explain(TEXT, way="integrated_gradients")
    assert caught.value.code == "unknown_way"
    assert caught.value.allowed == "terms, occlusion"


def test_without_captum_the_other_ways_serve(
    fitted: Fitted, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, real = fitted("linear_probe", "minilm"), builtins.__import__

    def without(name: str, *rest: object) -> object:
        if name.startswith("captum"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    found = model.explain(TEXT)
    assert found.missing == ["integrated_gradients"]
    assert set(found.faithfulness) == {"token_states", "occlusion"}
    assert "supertune[explain]" in str(found)
    with pytest.raises(EnvironmentFault) as caught:
        model.explain(TEXT, way="integrated_gradients")
    assert caught.value.code == "extra_missing"


def test_a_value_is_explained_by_what_raises_and_lowers_it() -> None:
    rng = np.random.default_rng(0)
    rows = [
        {"a": float(a), "b": float(b), "price": float(3 * a - 2 * b)}
        for a, b in rng.normal(size=(30, 2))
    ]
    model = supertune.fit(
        rows, task="regression", label="price", method="linear_regression", folds=3, repeats=1
    )
    found = model.explain((1.0, 2.0))
    means = np.mean([[row["a"], row["b"]] for row in rows], axis=0)
    expected = [3 * (1 - means[0]), -2 * (2 - means[1])]
    assert found.shares == pytest.approx(expected, abs=1e-3)
    assert found.counterfactual is None
    assert "Columns that raised it: a" in str(found)


def test_several_labels_are_explained_by_the_likeliest() -> None:
    kinds = {"red": "colour", "blue": "colour", "dog": "animal", "cat": "animal"}
    texts = [(f"a {w} thing {i}", [kinds[w]]) for i in range(4) for w in kinds]
    texts += [(f"a {c} {a} {i}", ["colour", "animal"]) for i in range(4)
              for c, a in (("red", "dog"), ("blue", "cat"))]  # fmt: skip
    model = supertune.fit(texts, method="bag_of_words", folds=2, repeats=1)
    found = model.explain("a red house")
    assert found.said == "colour"
    assert found.parts.names[int(np.argmax(found.shares))] == "red"
