import dataclasses
import pickle

import numpy as np
import pytest
from sklearn.datasets import make_blobs
from tests.openai_server import Hashes, Server

import supertune
from supertune.config import Recipe
from supertune.errors import InputError
from supertune.pipeline import Workshop
from supertune.sklearn import FewShotClassifier

SHORT = {"max_length": 48}


@pytest.fixture(scope="module")
def blobs():
    """(90, 6) numbers around three centres."""
    numbers, labels = make_blobs(90, n_features=6, centers=3, cluster_std=4.0, random_state=0)
    return numbers, np.array(["left", "middle", "right"])[labels]


# --- numbers ----------------------------------------------------------------------------------


def test_features_of_a_backbone_give_what_the_texts_give(few, unseen):
    lens = Workshop(Recipe(max_length=48)).lens("minilm")
    texts, labels = few
    of_texts = FewShotClassifier(options=SHORT).fit(texts, labels)
    of_numbers = FewShotClassifier().fit(lens.features(texts), labels)
    answers = of_texts.predict_proba(unseen[0])
    numbers = of_numbers.predict_proba(lens.features(unseen[0]))
    np.testing.assert_allclose(answers, numbers, atol=1e-3)
    assert (of_numbers.backbone_, of_numbers.method_) == (None, "linear_probe")


@pytest.mark.parametrize(("scale", "shift"), [(1e-9, 0.0), (1e9, 0.0), (1.0, 1e6)])
def test_units_and_offsets_do_not_matter(blobs, scale, shift):
    numbers, labels = blobs
    plain = FewShotClassifier().fit(numbers, labels).predict_proba(numbers)
    moved = numbers * scale + shift
    np.testing.assert_allclose(
        FewShotClassifier().fit(moved, labels).predict_proba(moved), plain, atol=1e-6
    )


def test_rows_that_are_all_alike_are_answered_with_the_larger_class():
    fitted = FewShotClassifier().fit(np.full((5, 3), 7.0), [0, 1, 1, 1, 0])
    assert fitted.predict(np.full((2, 3), 7.0)).tolist() == [1, 1]


def test_columns_are_not_standardised(blobs):
    numbers, labels = blobs
    stretched = numbers * np.array([100, 1, 1, 1, 1, 1])
    answers = [
        FewShotClassifier().fit(part, labels).predict_proba(part) for part in (numbers, stretched)
    ]
    assert np.abs(answers[0] - answers[1]).max() > 0.01


def test_the_order_of_rows_and_their_copies_do_not_change_a_bit(blobs):
    numbers, labels = blobs
    order = np.tile(np.random.default_rng(0).permutation(90), 2)
    plain = FewShotClassifier().fit(numbers, labels).predict_proba(numbers)
    other = FewShotClassifier().fit(numbers[order], labels[order]).predict_proba(numbers)
    np.testing.assert_array_equal(plain, other)


def test_a_zero_below_zero_is_a_zero():
    numbers = [[0.0, 1.0], [1.0, 0.0], [-0.0, 1.0], [1.0, 0.5]]
    copies, weighted = FewShotClassifier(), FewShotClassifier()
    copies.fit(numbers, [0, 1, 0, 1])
    weighted.fit([numbers[0], numbers[1], numbers[3]], [0, 1, 1], sample_weight=[2, 1, 1])
    np.testing.assert_array_equal(copies.predict_proba(numbers), weighted.predict_proba(numbers))


def test_penalties_are_an_option_for_numbers_too(blobs):
    numbers, labels = blobs
    weak, strong = (
        FewShotClassifier(options={"penalties": [penalty]}).fit(numbers, labels)
        for penalty in (0.01, 1000.0)
    )
    assert weak.score(numbers, labels) > 0.8
    assert np.ptp(strong.decision_function(numbers)) < np.ptp(weak.decision_function(numbers))


def test_a_method_that_reads_texts_is_refused_for_numbers(blobs):
    with pytest.raises(InputError) as caught:
        FewShotClassifier(method="bag_of_words").fit(*blobs)
    assert caught.value.code == "method_needs_texts"
    assert caught.value.allowed == "linear_probe, auto"


def test_texts_are_refused_by_what_was_fitted_on_numbers(blobs):
    with pytest.raises(InputError) as caught:
        FewShotClassifier().fit(*blobs).predict(["a text"])
    assert caught.value.code == "other_kind_of_rows"


def test_numbers_need_neither_torch_nor_a_backbone(python):
    code = """
import sys
from supertune.sklearn import FewShotClassifier
fitted = FewShotClassifier().fit([[0.0, 1.0], [1.0, 0.0], [0.1, 1.0], [1.0, 0.1]], [0, 1, 0, 1])
print(fitted.predict([[0.0, 0.9]])[0], "torch" in sys.modules, "transformers" in sys.modules)
"""
    done = python(code)
    assert done.stdout.split() == ["0", "False", "False"], done.stderr


def test_a_class_of_weight_nothing_is_kept_and_not_answered(blobs):
    numbers, labels = blobs
    weight = {"left": 1.0, "middle": 0.0, "right": 1.0}
    fitted = FewShotClassifier(class_weight=weight).fit(numbers, labels)
    assert fitted.classes_.tolist() == ["left", "middle", "right"]
    assert "middle" not in fitted.predict(numbers)


# --- texts ------------------------------------------------------------------------------------


def test_it_answers_like_the_model_of_fit_bit_for_bit(few, unseen):
    model = supertune.fit(
        list(zip(*few, strict=True)),
        backbone="minilm",
        method="linear_probe",
        max_length=48,
        repeats=1,
    )
    fitted = FewShotClassifier(options=SHORT).fit(*few)
    assert tuple(fitted.classes_) == model.labels
    np.testing.assert_array_equal(fitted.predict_proba(unseen[0]), model.predict_proba(unseen[0]))


def test_auto_compares_and_says_what_it_took(few, unseen):
    options = {**SHORT, "max_candidates": 3, "repeats": 2, "folds": 3}
    fitted = FewShotClassifier("auto", "auto", options=options).fit(*few)
    assert fitted.method_ in {"bag_of_words", "label_names", "named_probe", "linear_probe"}
    assert fitted.backbone_ == (None if fitted.method_ == "bag_of_words" else "minilm")
    by_name = FewShotClassifier(method=fitted.method_, options=SHORT).fit(*few)
    np.testing.assert_array_equal(fitted.predict_proba(unseen[0]), by_name.predict_proba(unseen[0]))


def test_one_candidate_is_taken_without_folds_so_one_row_a_class_is_enough(few):
    texts, labels = few[0][::5], few[1][::5]
    fitted = FewShotClassifier("auto", "bag_of_words").fit(texts, labels)
    assert fitted.score(texts, labels) == 1


def test_random_state_is_a_number_a_generator_or_nothing(few):
    def seed(random_state):
        fitted = FewShotClassifier(method="majority", random_state=random_state).fit(*few)
        return fitted._fitted.recipe.seed

    assert seed(7) == seed(np.int64(7)) == 7
    assert seed(np.random.RandomState(1)) == seed(np.random.RandomState(1)) != 0
    generator = np.random.RandomState(1)
    assert seed(generator) != seed(generator)
    assert seed(None) != seed(None)


def test_another_backbone_under_the_same_name_is_refused(few):
    fitted = FewShotClassifier(options=SHORT).fit(*few)
    fitted._fitted = dataclasses.replace(fitted._fitted, sha256="0" * 64)
    with pytest.raises(InputError) as caught:
        pickle.loads(pickle.dumps(fitted)).predict(["a text"])  # noqa: S301 - written here
    assert caught.value.code == "backbone_changed"


def test_a_method_trained_by_gradients_is_pickled_without_its_backbone(few, unseen):
    options = {**SHORT, "epochs": 1, "rank": 2, "blocks": [5]}
    fitted = FewShotClassifier(method="lora", options=options).fit(*few)
    written = pickle.dumps(fitted)
    again = pickle.loads(written)  # noqa: S301 - written here
    np.testing.assert_array_equal(again.predict_proba(unseen[0]), fitted.predict_proba(unseen[0]))
    assert len(written) < 100_000


# --- rows without a label ----------------------------------------------------------------------


def taught(few, pool):
    options = {**SHORT, "guard": False}
    return FewShotClassifier(method="semi_supervised", options=options).fit(*few, unlabeled=pool)


def test_unlabelled_texts_teach_as_they_do_by_the_command_line(few, unseen, pool):
    found = taught(few, [*pool, few[0][0], pool[0]])
    rows = list(zip(*few, strict=True))
    options = {**SHORT, "guard": False, "backbone": "minilm", "folds": 2, "repeats": 1}
    model = supertune.fit(rows, unlabeled=pool, method="semi_supervised", **options)
    np.testing.assert_allclose(
        found.decision_function(unseen[0]),
        model.tuned.logits(unseen[0], Workshop(model.recipe).lens("minilm")),
        atol=1e-5,
    )


def test_which_unlabelled_texts_matters_and_their_order_does_not(few, pool):
    found = taught(few, pool).predict_proba(few[0])
    np.testing.assert_array_equal(taught(few, pool[::-1]).predict_proba(few[0]), found)
    assert np.abs(taught(few, pool[:31]).predict_proba(few[0]) - found).max() > 1e-4
    plain = FewShotClassifier(method="named_probe", options=SHORT).fit(*few)
    assert np.abs(plain.predict_proba(few[0]) - found).max() > 1e-3


@pytest.mark.parametrize(
    ("method", "unlabeled", "code"),
    [
        ("linear_probe", ["one more text"], "unlabelled_not_used"),
        ("semi_supervised", [[1.0], [2.0]], "unlabelled_not_texts"),
        ("semi_supervised", "labelled", "no_unlabelled_rows"),
    ],
)
def test_unlabelled_rows_that_cannot_be_used_are_refused(few, method, unlabeled, code):
    given = few[0] if unlabeled == "labelled" else unlabeled
    with pytest.raises(InputError) as caught:
        FewShotClassifier(method=method, options=SHORT).fit(*few, unlabeled=given)
    assert caught.value.code == code


def test_numbers_without_a_label_are_refused(blobs):
    with pytest.raises(InputError) as caught:
        FewShotClassifier().fit(*blobs, unlabeled=blobs[0])
    assert caught.value.code == "unlabelled_not_used"


def test_texts_go_to_a_server_with_consent_which_a_pickle_does_not_bring(
    own_activations: object,
) -> None:
    texts = [f"a text of number {i}" for i in range(8)]
    with Server(hashes=Hashes()) as server:
        options = {"base_url": server.url, "allow_remote": True, "max_requests": 9}
        fitted = FewShotClassifier("openai:hashes", options=options).fit(texts, ["a", "b"] * 4)
        again = pickle.loads(pickle.dumps(fitted))  # noqa: S301 - written here
        assert list(again.predict(texts)) == list(fitted.predict(texts))  # these are kept
        with pytest.raises(InputError) as caught:
            again.predict(["a text of none"])
        assert caught.value.code == "remote_not_allowed"
        assert fitted.predict(["a text of none"])[0] in ("a", "b")
