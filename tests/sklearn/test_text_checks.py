"""What scikit-learn's checks ask of numbers, asked of texts, where its own say nearly nothing."""

from __future__ import annotations

import copy
import hashlib
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from joblib.externals.loky import get_reusable_executor
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.exceptions import DataConversionWarning, NotFittedError
from sklearn.metrics import accuracy_score
from sklearn.model_selection import (
    GridSearchCV,
    StratifiedKFold,
    cross_val_predict,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from supertune.errors import InputError
from supertune.sklearn import FewShotClassifier

METHODS = {
    "minilm": {"options": {"max_length": 48}},
    "bag_of_words": {"method": "bag_of_words"},
}


@dataclass(frozen=True)
class Kit:
    """What a check is given: a maker of estimators, rows, and one that is fitted on them."""

    make: Callable[..., FewShotClassifier]
    texts: list[str]
    labels: list[str]
    unseen: list[str]
    truth: list[str]
    fitted: FewShotClassifier
    python: Any
    folder: Path

    def answers(self, estimator: FewShotClassifier, rows: Any = None) -> np.ndarray:
        """Probabilities of ``rows``, by default of a few that it has not seen."""
        return estimator.predict_proba(self.unseen[::3] if rows is None else rows)

    def same(self, estimator: FewShotClassifier) -> None:
        """It answers bit for bit like the one fitted on texts and labels."""
        np.testing.assert_array_equal(self.answers(estimator), self.answers(self.fitted))


TEXT_CHECKS: dict[str, Callable[[Kit], None]] = {}


def check(function: Callable[[Kit], None]) -> Callable[[Kit], None]:
    TEXT_CHECKS[function.__name__] = function
    return function


@pytest.fixture(scope="module", params=sorted(METHODS))
def kit(request, few, unseen, python, tmp_path_factory) -> Kit:
    def make(**parameters: Any) -> FewShotClassifier:
        return FewShotClassifier(**{**METHODS[request.param], **parameters})

    folder = tmp_path_factory.mktemp("texts")
    return Kit(make, *few, *unseen, make().fit(*few), python, folder)


# --- the estimator as scikit-learn handles it -------------------------------------------------


@check
def a_clone_has_the_parameters_and_is_not_fitted(kit):
    copied = clone(kit.fitted)
    assert copied.get_params() == kit.fitted.get_params()
    assert not hasattr(copied, "classes_")
    with pytest.raises(NotFittedError):
        copied.predict(kit.unseen)


@check
def parameters_survive_get_and_set(kit):
    given = {"class_weight": "balanced", "random_state": 3, "threads": 1, "time_limit": 5.0}
    estimator = kit.make().set_params(**given)
    assert {name: estimator.get_params()[name] for name in given} == given
    with pytest.raises(ValueError, match="nonsense"):
        estimator.set_params(nonsense=1)


@check
def fit_returns_the_estimator_and_leaves_its_parameters(kit):
    estimator = kit.make()
    before = copy.deepcopy(estimator.get_params())
    assert estimator.fit(kit.texts, kit.labels) is estimator
    assert estimator.get_params() == before


@check
def nothing_is_answered_before_fit(kit):
    for name in ("predict", "predict_proba", "decision_function"):
        with pytest.raises(NotFittedError):
            getattr(kit.make(), name)(kit.texts)


@check
def answering_leaves_the_estimator_as_it_was(kit):
    before = dict(kit.fitted.__dict__)
    kit.answers(kit.fitted)
    assert kit.fitted.__dict__ == before


@check
def texts_have_no_number_of_features(kit):
    assert not hasattr(kit.fitted, "n_features_in_")
    assert not hasattr(kit.fitted, "feature_names_in_")


@check
def a_second_fit_overwrites_the_first(kit):
    numbers = np.random.default_rng(0).normal(size=(15, 4))
    estimator = kit.make(method="auto").fit(pd.DataFrame(numbers, columns=list("abcd")), kit.labels)
    assert estimator.n_features_in_ == 4
    estimator.set_params(method=kit.fitted.method).fit(kit.texts, ["x"] * 8 + ["y"] * 7)
    assert estimator.classes_.tolist() == ["x", "y"]
    texts_have_no_number_of_features(kit.__class__(**{**kit.__dict__, "fitted": estimator}))
    kit.same(estimator.fit(kit.texts, kit.labels))


@check
def it_shows_itself_in_a_notebook(kit):
    assert "FewShotClassifier" in kit.fitted._repr_html_()
    assert repr(kit.fitted).startswith("FewShotClassifier(")


@check
def it_says_what_was_used(kit):
    assert (kit.fitted.backbone_, kit.fitted.method_) in {
        ("minilm", "linear_probe"), (None, "bag_of_words"),
    }  # fmt: skip


# --- answers ----------------------------------------------------------------------------------


@check
def classes_are_sorted(kit):
    assert kit.fitted.classes_.tolist() == ["business", "sports", "tech"]
    turned = kit.make().fit(kit.texts[::-1], kit.labels[::-1])
    assert turned.classes_.tolist() == ["business", "sports", "tech"]


@check
def labels_keep_their_type(kit):
    numbers = np.repeat([30, 4, 17], 5)
    for labels in (numbers, numbers.astype("i2"), kit.labels, np.array(kit.labels), numbers > 10):
        given = np.asarray(labels)
        answered = kit.make().fit(kit.texts, labels).predict(kit.unseen[::3])
        assert answered.dtype == given.dtype
        assert set(answered) <= set(given)


@check
def shapes_are_those_of_a_classifier(kit):
    rows = kit.unseen[:4]
    assert kit.fitted.predict(rows).shape == (4,)
    assert kit.answers(kit.fitted, rows).shape == (4, 3)
    assert kit.fitted.decision_function(rows).shape == (4, 3)
    two = kit.make().fit(kit.texts[:10], kit.labels[:10])
    assert kit.answers(two, rows).shape == (4, 2)
    assert two.decision_function(rows).shape == (4,)


@check
def probabilities_are_probabilities(kit):
    chances = kit.answers(kit.fitted)
    assert ((chances >= 0) & (chances <= 1)).all()
    np.testing.assert_allclose(chances.sum(axis=1), 1)


@check
def label_probability_and_score_agree(kit):
    for rows in (10, 15):
        estimator = kit.make().fit(kit.texts[:rows], kit.labels[:rows])
        answered = estimator.predict(kit.unseen)
        best = kit.answers(estimator, kit.unseen).argmax(axis=1)
        np.testing.assert_array_equal(answered, estimator.classes_[best])
        scores = estimator.decision_function(kit.unseen)
        top = (scores > 0).astype(int) if scores.ndim == 1 else scores.argmax(axis=1)
        np.testing.assert_array_equal(best, top)


@check
def score_is_accuracy(kit):
    expected = accuracy_score(kit.truth, kit.fitted.predict(kit.unseen))
    assert kit.fitted.score(kit.unseen, kit.truth) == expected
    assert expected > 0.4  # chance is a third


@check
def what_was_learned_is_remembered(kit):
    assert kit.fitted.score(kit.texts, kit.labels) > 0.9


@check
def rows_one_by_one_get_the_labels_of_rows_together(kit):
    rows = kit.unseen[::2] + kit.texts[::3]
    together = kit.fitted.predict(rows)
    assert [kit.fitted.predict([row])[0] for row in rows] == together.tolist()
    alone = np.concatenate([kit.answers(kit.fitted, [row]) for row in rows])
    np.testing.assert_allclose(alone, kit.answers(kit.fitted, rows), atol=1e-4)


# --- the same rows, the same bits -------------------------------------------------------------


@check
def two_fits_answer_with_the_same_bits(kit):
    kit.same(kit.make().fit(kit.texts, kit.labels))


@check
def the_order_of_rows_does_not_matter(kit):
    order = np.random.default_rng(0).permutation(15)
    texts, labels = [kit.texts[i] for i in order], [kit.labels[i] for i in order]
    kit.same(kit.make().fit(texts, labels))


@check
def inputs_are_not_changed(kit):
    texts, labels, weights = kit.texts.copy(), kit.labels.copy(), np.arange(1.0, 16)
    kit.make(class_weight="balanced").fit(texts, labels, sample_weight=weights).predict(texts)
    assert (texts, labels) == (kit.texts, kit.labels)
    assert weights.tolist() == list(range(1, 16))


@check
def a_weight_of_nothing_leaves_a_row_out(kit):
    weights = np.ones(15)
    weights[[2, 9]] = 0
    kept = np.flatnonzero(weights)
    fewer = kit.make().fit([kit.texts[i] for i in kept], [kit.labels[i] for i in kept])
    weighted = kit.make().fit(kit.texts, kit.labels, sample_weight=weights)
    np.testing.assert_array_equal(kit.answers(weighted), kit.answers(fewer))


@check
def a_weight_is_that_many_copies_of_a_row(kit):
    counts = np.random.default_rng(0).integers(1, 4, 15)
    weighted = kit.make().fit(kit.texts, kit.labels, sample_weight=counts)
    copies = [i for i in range(15) for _ in range(counts[i])]
    repeated = kit.make().fit([kit.texts[i] for i in copies], [kit.labels[i] for i in copies])
    np.testing.assert_array_equal(kit.answers(weighted), kit.answers(repeated))
    assert not np.array_equal(kit.answers(weighted), kit.answers(kit.fitted))


@check
def only_the_ratio_of_weights_matters(kit):
    weights = np.random.default_rng(0).uniform(1, 4, 15)
    small, large = (
        kit.make().fit(kit.texts, kit.labels, sample_weight=weights * factor)
        for factor in (2**-10, 2**10)  # exact in binary, so the bits can be compared
    )
    np.testing.assert_array_equal(kit.answers(small), kit.answers(large))


@check
def every_row_twice_is_every_row_once(kit):
    kit.same(kit.make().fit(kit.texts * 2, kit.labels * 2))


@check
def a_heavier_class_is_likelier(kit):
    weights = np.where(np.array(kit.labels) == "tech", 8.0, 1.0)
    heavy = kit.make().fit(kit.texts, kit.labels, sample_weight=weights)
    assert kit.answers(heavy)[:, 2].mean() > kit.answers(kit.fitted)[:, 2].mean()
    by_class = kit.make(class_weight={"tech": 8.0, "sports": 1.0, "business": 1.0})
    np.testing.assert_array_equal(
        kit.answers(by_class.fit(kit.texts, kit.labels)), kit.answers(heavy)
    )


@check
def balanced_weights_make_up_for_missing_rows(kit):
    plain = kit.make().fit(kit.texts[:12], kit.labels[:12])
    balanced = kit.make(class_weight="balanced").fit(kit.texts[:12], kit.labels[:12])
    assert kit.answers(balanced)[:, 2].mean() > kit.answers(plain)[:, 2].mean()


@check
def the_same_text_with_two_labels_is_undecided(kit):
    estimator = kit.make().fit(["the same words"] * 4, [0, 1, 0, 1])
    np.testing.assert_allclose(kit.answers(estimator, ["the same words"]), 0.5, atol=1e-6)


# --- the containers that texts come in --------------------------------------------------------


@check
def arrays_columns_and_tables_of_one_column_are_lists(kit):
    strings = np.array(kit.texts)
    frame = pd.DataFrame({"text": kit.texts, "n": range(15)}, index=range(100, 115))
    for rows in (
        tuple(kit.texts),
        strings,
        strings.astype(object),
        strings.reshape(-1, 1),
        strings.astype(object).reshape(-1, 1),
        [[text] for text in kit.texts],
        frame["text"],
        frame[["text"]],
        frame["text"].astype("category"),
        pl.Series(kit.texts),
        pl.DataFrame({"text": kit.texts}),
    ):
        kit.same(kit.make().fit(rows, kit.labels))


@check
def labels_come_in_arrays_and_columns_too(kit):
    frame = pd.DataFrame({"label": kit.labels}, index=range(100, 115))
    for labels in (np.array(kit.labels), frame["label"], frame["label"].astype("category")):
        kit.same(kit.make().fit(kit.texts, labels))
    with pytest.warns(DataConversionWarning):
        kit.same(kit.make().fit(kit.texts, frame[["label"]].to_numpy()))


@check
def tuples_are_texts_that_belong_together(kit):
    pairs = [(text, "a second text") for text in kit.texts]
    estimator = kit.make().fit(pairs, kit.labels)
    assert estimator.predict(pairs).tolist() == kit.labels
    frame = pd.DataFrame(pairs, columns=["first", "second"])
    table = kit.make().fit(frame, kit.labels)
    np.testing.assert_array_equal(kit.answers(table, frame), kit.answers(estimator, pairs))


@check
def very_long_texts_are_taken(kit):
    estimator = kit.make().fit([text * 300 for text in kit.texts], kit.labels)
    assert np.isfinite(kit.answers(estimator, [kit.unseen[0] * 2000])).all()


@check
def texts_of_any_characters_are_taken(kit):
    odd = ["", " \n\t", "\x00", "日本語のニュース", "🏆⚽️👩‍👩‍👧", "é" * 5000, "\ud83c", "-" * 3000]
    estimator = kit.make().fit(kit.texts + odd, [*kit.labels, *["odd"] * len(odd)])
    assert np.isfinite(kit.answers(estimator, odd)).all()
    assert np.isfinite(kit.answers(kit.fitted, odd)).all()


# --- in scikit-learn's company ----------------------------------------------------------------


@check
def it_stands_at_the_end_of_a_pipeline(kit):
    kit.same(make_pipeline(FunctionTransformer(list), kit.make()).fit(kit.texts, kit.labels))
    frame = pd.DataFrame({"n": range(15), "text": kit.texts})
    columns = make_column_transformer(("passthrough", ["text"]))
    piped = make_pipeline(columns, kit.make()).fit(frame, kit.labels)
    np.testing.assert_array_equal(kit.answers(piped, frame), kit.answers(kit.fitted, kit.texts))


@check
def it_is_cross_validated(kit):
    texts, labels = np.array(kit.texts), np.array(kit.labels)
    chances = cross_val_predict(kit.make(), texts, labels, cv=3, method="predict_proba")
    scores = cross_val_score(kit.make(), kit.texts, kit.labels, cv=3, error_score="raise")
    for fold, (train, test) in enumerate(StratifiedKFold(3).split(texts, labels)):
        by_hand = kit.make().fit(texts[train], labels[train])
        np.testing.assert_array_equal(chances[test], kit.answers(by_hand, texts[test]))
        assert scores[fold] == by_hand.score(texts[test], labels[test])


@check
def it_is_searched_over_methods_and_options(kit):
    grid = [
        {"method": ["majority", kit.fitted.method]},
        {"method": ["bag_of_words"], "options": [{"pairs": False}, {"strength": 0.5}]},
    ]
    search = GridSearchCV(kit.make(options=None), grid, cv=3, error_score="raise")
    search.fit(kit.texts, kit.labels)
    scores = search.cv_results_["mean_test_score"]
    assert len(scores) == 4
    assert scores.max() > scores[0]
    assert search.predict(kit.unseen).shape == (12,)


@check
def two_processes_cross_validate_like_one(kit):
    scores = [
        cross_val_score(kit.make(), kit.texts, kit.labels, cv=3, n_jobs=jobs, error_score="raise")
        for jobs in (1, 2)
    ]
    np.testing.assert_array_equal(*scores)
    # The processes would be kept for the next check, and loky takes a backbone that is loaded
    # after the first task for a leak of memory.
    get_reusable_executor().shutdown(wait=True)


@check
def a_pickle_answers_with_the_same_bits_in_a_fresh_process(kit):
    path = kit.folder / "fitted.pickle"
    path.write_bytes(pickle.dumps((kit.fitted, kit.unseen)))  # written here, and read by us alone
    code = """
import hashlib, pathlib, pickle, sys
# scikit-learn's users pickle estimators; this file is the one that the test has just written
estimator, rows = pickle.loads(pathlib.Path(sys.argv[1]).read_bytes())
print(hashlib.sha256(estimator.predict_proba(rows).tobytes()).hexdigest())
print(*estimator.predict(rows))
"""
    done = kit.python(code.strip(), str(path))
    chances = kit.answers(kit.fitted, kit.unseen)
    assert done.stdout.split() == [
        hashlib.sha256(chances.tobytes()).hexdigest(), *kit.fitted.predict(kit.unseen),
    ], done.stderr  # fmt: skip
    assert path.stat().st_size < 200_000  # numbers that were tuned, and no backbone


@check
def a_deep_copy_answers_with_the_same_bits(kit):
    kit.same(copy.deepcopy(kit.fitted))


# --- what is refused --------------------------------------------------------------------------


def refused(code: str, call: Callable[..., Any], *arguments: Any, **named: Any) -> str:
    with pytest.raises(InputError) as caught:
        call(*arguments, **named)
    assert caught.value.code == code
    assert isinstance(caught.value, ValueError)  # what scikit-learn's callers look for
    return str(caught.value)


@check
def one_class_is_refused(kit):
    message = refused("one_class", kit.make().fit, kit.texts[:5], kit.labels[:5])
    assert "business" in message
    weights = [1.0] * 5 + [0.0] * 10
    refused("one_class", kit.make().fit, kit.texts, kit.labels, sample_weight=weights)


@check
def one_row_is_too_few_to_learn_from_and_enough_to_answer(kit):
    refused("one_class", kit.make().fit, ["a text"], ["a"])
    assert kit.fitted.predict(kit.unseen[:1]).shape == (1,)


@check
def no_rows_are_refused(kit):
    for nothing in ([], (), np.array([], dtype=str), pd.Series([], dtype=object)):
        with pytest.raises(ValueError, match=r"(?i)0 sample|no rows|array=\[\]"):
            kit.make().fit(nothing, [])
    refused("no_rows", kit.fitted.predict, [])


@check
def what_is_not_a_text_is_refused_by_its_row(kit):
    for odd in (None, 3, float("nan"), b"bytes", ["nested", 2], (), {"text": "x"}):
        rows = [*kit.texts[:3], odd, *kit.texts[4:]]
        assert "Row 4 of X" in refused("not_a_text", kit.make().fit, rows, kit.labels)
        assert "Row 4 of X" in refused("not_a_text", kit.fitted.predict, rows)
    column = pd.Series(kit.texts).mask(pd.Series(range(15)) == 6)
    assert "Row 7 of X" in refused("not_a_text", kit.make().fit, column, kit.labels)


@check
def one_text_without_a_list_is_refused(kit):
    assert "list" in refused("one_text_given", kit.make().fit, "a text", ["a"])
    assert "list" in refused("one_text_given", kit.fitted.predict, "a text")


@check
def what_has_no_rows_at_all_is_refused(kit):
    for odd in (None, 3, {"text": "x"}, iter(kit.texts)):
        refused("not_rows", kit.fitted.predict, odd)


@check
def numbers_are_refused_by_what_was_fitted_on_texts(kit):
    message = refused("other_kind_of_rows", kit.fitted.predict, [[1.0, 2.0]])
    assert "Received: numeric features" in message


@check
def rows_without_labels_are_refused_by_their_row(kit):
    refused("labels_missing", kit.make().fit, kit.texts, None)
    for odd in (None, float("nan"), pd.NA):
        labels = pd.Series([*kit.labels[:2], odd, *kit.labels[3:]], dtype=object)
        assert "Row 3 of y" in refused("label_missing", kit.make().fit, kit.texts, labels)


@check
def labels_and_weights_of_another_length_are_refused(kit):
    with pytest.raises(ValueError, match="inconsistent"):
        kit.make().fit(kit.texts, kit.labels[:-1])
    with pytest.raises(ValueError, match="sample_weight"):
        kit.make().fit(kit.texts, kit.labels, sample_weight=[1.0, 2.0])


@check
def weights_below_nothing_and_labels_with_decimals_are_refused(kit):
    with pytest.raises(ValueError, match=r"(?i)negative"):
        kit.make().fit(kit.texts, kit.labels, sample_weight=[-1.0] * 15)
    with pytest.raises(ValueError, match="Unknown label type"):
        kit.make().fit(kit.texts, np.linspace(0, 1, 15))


@check
def unknown_names_are_refused_with_what_there_is(kit):
    def fit(**parameters: Any) -> FewShotClassifier:
        return kit.make(**parameters).fit(kit.texts, kit.labels)

    assert "'bag_of_words'" in refused("unknown_method", fit, method="bag_of_word")
    refused("bad_options", fit, options="max_length=3")
    assert "strenght" in refused("bad_recipe", fit, method="bag_of_words", options={"strenght": 1})
    for key in ("label", "seed", "method"):
        assert key in refused("not_an_option", fit, options={key: "x"})
    for odd in ({"random_state": -1}, {"time_limit": 0}, {"threads": 0}):
        refused("bad_recipe", fit, **odd)


def test_there_are_at_least_25_checks():
    assert len(TEXT_CHECKS) >= 25


SLOW = {"two_processes_cross_validate_like_one",
        "a_pickle_answers_with_the_same_bits_in_a_fresh_process"}  # fmt: skip


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow if n in SLOW else ()) for n in TEXT_CHECKS]
)
def test_texts(kit, name):
    TEXT_CHECKS[name](kit)
