from dataclasses import replace

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from supertune.evaluation.splits import repeated_folds
from supertune.methods.bag_of_words import METHOD, hashed, terms
from supertune.methods.linear_probe import one_hot

OPTIONS = METHOD.options()


def test_words_are_counted_alone_and_in_pairs():
    assert terms("The cat, the CAT!", pairs=True) == {
        "the": 2, "cat": 2, "the cat": 2, "cat the": 1,
    }  # fmt: skip
    assert terms("The cat, the CAT!", pairs=False) == {"the": 2, "cat": 2}


def test_scripts_without_spaces_are_cut_into_characters():
    assert terms("很好 ok", pairs=True) == {"很": 1, "好": 1, "ok": 1, "很 好": 1, "好 ok": 1}


def test_a_pair_of_texts_is_read_as_one():
    assert terms(("good", "film"), pairs=True) == terms("good film", pairs=True)


def test_the_vocabulary_is_that_of_the_training_rows(news, problem_of):
    half = news.take(range(0, len(news), 2))
    words = METHOD.fit(problem_of(half), OPTIONS)
    known = set().union(*(terms(text, True) for text in half.inputs))
    assert set(words.vocabulary) == {hashed(term) for term in known}
    assert words.weight.shape == (len(words.vocabulary), 5)


def test_words_never_seen_change_nothing(news, problem_of):
    words = METHOD.fit(problem_of(news), OPTIONS)
    text = "the film opened in cinemas"
    np.testing.assert_array_equal(
        words.logits([text], None), words.logits([text + " zyxxy quuxly"], None)
    )
    np.testing.assert_array_equal(words.logits([""], None)[0], words.bias)


def test_all_folds_answer_like_models_fitted_one_by_one(news, problem_of):
    weights = np.random.default_rng(0).uniform(0.5, 2, len(news))
    problem = problem_of(replace(news, weights=weights / weights.mean()))
    folds = [fold for one in repeated_folds(news, folds=4, repeats=1, seed=0) for fold in one]
    together = METHOD.out_of_fold(problem, OPTIONS, folds)
    for (train, test), logits in zip(folds, together, strict=True):
        alone = METHOD.fit(replace(problem, examples=problem.examples.take(train)), OPTIONS)
        np.testing.assert_allclose(
            logits, alone.logits([news.inputs[i] for i in test], None), atol=1e-4
        )


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_it_answers_like_tf_idf_and_logistic_regression_of_scikit_learn(draw, problem_of, seed):
    train, test = draw(seed, test_rows=300)
    ours = METHOD.fit(problem_of(train), OPTIONS).logits(test.inputs, None).argmax(axis=1)
    peer = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"\w{2,}"),
        LogisticRegression(C=OPTIONS.strength, max_iter=300),
    )
    theirs = peer.fit(train.inputs, train.targets).predict(test.inputs)
    assert (ours == theirs).mean() > 0.99
    assert (ours == test.targets).mean() > 0.6


def test_a_class_without_rows_is_never_answered(news, problem_of):
    rows = np.flatnonzero(news.targets != 2)
    words = METHOD.fit(problem_of(news.take(rows)), OPTIONS)
    assert not np.any(words.logits(news.inputs, None).argmax(axis=1) == 2)


def test_two_classes_are_answered_from_one_regression(news, problem_of):
    rows = np.flatnonzero(news.targets < 2)
    two = replace(news.take(rows), labels=news.labels[:2])
    words = METHOD.fit(problem_of(two), OPTIONS)
    assert (words.logits(two.inputs, None).argmax(axis=1) == two.targets).all()
    np.testing.assert_allclose(words.weight[:, 0], -words.weight[:, 1], atol=1e-7)


def test_several_labels_a_row_are_that_many_yes_or_no_answers(news, problem_of):
    several = one_hot(news.targets, 5)
    several[:, 0] = np.maximum(several[:, 0], several[:, 1])
    several[:, 4] = 1  # a label of every row: nothing to learn, the answer is yes
    words = METHOD.fit(problem_of(replace(news, targets=several)), OPTIONS)
    answers = words.logits(news.inputs, None) > 0
    assert (answers == several.astype(bool)).mean() > 0.9
    assert answers[:, 4].all()


def test_it_comes_back_from_its_state(news, problem_of):
    problem = problem_of(news)
    words = METHOD.fit(problem, OPTIONS)
    again = METHOD.restore(words.state(), problem.head, None)
    np.testing.assert_array_equal(words.logits(news.inputs, None), again.logits(news.inputs, None))
