"""A model: answers, shows itself, is saved and comes back bit for bit."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tests.conftest import QUICK, Files

import supertune

_ASK = """
import json, sys, supertune
model = supertune.load(sys.argv[1])
texts = json.loads(sys.argv[2])
print(json.dumps([model.predict_proba(texts).tolist(), model.predict(texts).tolist()]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["words", "probe"])
def test_a_fresh_process_answers_bit_for_bit(
    python, request: pytest.FixtureRequest, reviews: Files, kind: str
) -> None:
    folder: Path = request.getfixturevalue(kind)
    texts = [text for text, _ in reviews.held[:20]]
    model = supertune.load(folder)
    done = python(_ASK, str(folder), json.dumps(texts))
    assert (done.returncode, done.stderr) == (0, "")
    chances, labels = json.loads(done.stdout)
    assert model.predict_proba(texts).tolist() == chances
    assert model.predict(texts).tolist() == labels


def test_the_fitted_object_and_the_loaded_one_agree(reviews: Files, tmp_path: Path) -> None:
    fitted = supertune.fit(reviews.train, **QUICK)
    fitted.save(tmp_path / "m")
    loaded = supertune.load(tmp_path / "m")
    assert np.array_equal(fitted.predict_proba(reviews.texts), loaded.predict_proba(reviews.texts))
    assert fitted.labels == loaded.labels
    assert (fitted.task, fitted.method, fitted.backbone) == (
        loaded.task,
        loaded.method,
        loaded.backbone,
    )


def test_answers_have_the_promised_shapes(words: Path, reviews: Files) -> None:
    model = supertune.load(words)
    labels, chances = model.predict(reviews.texts), model.predict_proba(reviews.texts)
    assert labels.shape == (20,)
    assert chances.shape == (20, 2)
    assert np.allclose(chances.sum(axis=1), 1)
    assert labels.tolist() == [model.labels[i] for i in chances.argmax(axis=1)]
    whole = model.predictions(reviews.texts)
    assert np.array_equal(whole.confidence, chances.max(axis=1))
    assert model.predict([]).shape == (0,)
    assert model.predict_proba([]).shape == (0, 2)


def test_texts_may_come_in_any_sequence(words: Path, reviews: Files) -> None:
    import pandas as pd

    model = supertune.load(words)
    expected = model.predict(reviews.texts).tolist()
    for texts in (tuple(reviews.texts), np.array(reviews.texts), pd.Series(reviews.texts)):
        assert model.predict(texts).tolist() == expected
    assert model.predict(text for text in reviews.texts).tolist() == expected


def test_methods_are_handed_plain_texts(words: Path) -> None:
    model = supertune.load(words)
    seen: list[object] = []
    tuned = model.tuned

    class Listening:
        def logits(self, inputs, lens):
            seen.extend(inputs)
            return tuned.logits(inputs, lens)

    model.tuned = Listening()  # type: ignore[assignment]
    model.predict(np.array(["a film", "a play"]))
    model.predict([(np.str_("a"), "film")])
    assert [type(value) for value in seen] == [str, str, tuple]
    assert [type(part) for part in seen[2]] == [str, str]  # type: ignore[attr-defined]


def test_a_model_and_a_report_show_themselves(words: Path) -> None:
    model = supertune.load(words)
    assert repr(model) == "<supertune.Model bag_of_words, 2 labels>"
    page = model._repr_html_()
    assert page == model.report._repr_html_()
    assert page.startswith("<")
    assert "Accuracy" in repr(model.report) == str(model.report)
    assert model.report.html().startswith("<!")


def test_saving_twice_gives_two_whole_models(words: Path, reviews: Files, tmp_path: Path) -> None:
    model = supertune.load(words)
    for name in ("one", "two"):
        assert model.save(tmp_path / name) == tmp_path / name
    model.save(tmp_path / "two", overwrite=True)
    one, two = (tmp_path / name / "tuned.safetensors" for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()
    report = json.loads((tmp_path / "two" / "report.json").read_text("utf-8"))
    assert "two" in report["commands"]["predict"]
    answers = [supertune.load(tmp_path / n).predict(reviews.texts).tolist() for n in ("one", "two")]
    assert answers[0] == answers[1]


def test_rows_kept_come_back_whatever_is_in_them(tmp_path: Path) -> None:
    odd = [f"{sign} {word}" for sign in ("\u2028a", "\x85b", "\U0001f600c") for word in "xyz"]
    rows = [(text, "even" if i % 2 else "odd") for i, text in enumerate(odd)]
    supertune.fit(rows, output=tmp_path / "m", method="bag_of_words", folds=2, repeats=1)
    kept = supertune.load(tmp_path / "m").training_rows
    assert kept is not None
    assert sorted(kept.inputs) == sorted(odd)


def test_a_stream_answers_window_by_window(words: Path, reviews: Files) -> None:
    model = supertune.load(words)
    parts = list(model.stream(reviews.test, window=7))
    assert [len(answers) for _, answers in parts] == [7] * 8 + [4]
    labels = [label for _, answers in parts for label in answers.labels]
    assert labels == model.predict([text for text, _ in reviews.held]).tolist()
