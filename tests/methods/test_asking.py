"""Methods that ask a language model in words, on the whole of smollm2 and real reviews."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import supertune
from supertune import registry
from supertune.catalogue.corpora import few_shot
from supertune.config import Recipe
from supertune.contracts import Asking, Examples, HeadSpec, Problem, Prompt, asked_by
from supertune.errors import InputError
from supertune.pipeline import Workshop
from supertune.prompts.likelihoods import bias, by_label, log_shares, reference_inputs

WORDS = (("terrible",), ("great",))
MOVIE = Prompt("{text} All in all, the movie was {answer}", WORDS)
OTHER = Prompt("{text} {answer}", WORDS)


@pytest.fixture(scope="module")
def lens(own_activations):
    return Workshop(Recipe(max_length=32)).lens("smollm2")


@pytest.fixture(scope="module")
def reviews():
    rows, _ = few_shot("pang-lee", per_class=6, test_rows=1, seed=0)
    targets = np.array([int(label == "positive") for _, label in rows])
    assert set(targets) == {0, 1}
    texts = tuple(text for text, _ in rows)
    return Examples(texts, targets, ("negative", "positive"), np.arange(1, len(rows) + 1))


def problem(reviews, lens, *prompts):
    return Problem(reviews, HeadSpec(2), lens, seed=0, prompts=prompts or (MOVIE,))


def fitted(name, given, **options):
    method = registry.method(name)
    return method.fit(given, method.options(**options))


def test_uncalibrated_the_commoner_word_wins_nearly_everywhere_and_calibrated_it_does_not(
    reviews, lens
):
    raw = fitted("zero_shot_prompt", problem(reviews, lens), calibration="none")
    even = fitted("zero_shot_prompt", problem(reviews, lens), calibration="batch")
    shares = [
        np.bincount(tuned.logits(reviews.inputs, lens).argmax(axis=1), minlength=2) / len(reviews)
        for tuned in (raw, even)
    ]
    assert shares[0].max() > shares[1].max()
    assert raw.tuned_parameters == 0
    assert even.tuned_parameters == 2


@pytest.mark.parametrize("how", ["contextual", "domain", "batch", "median"])
def test_every_calibration_is_a_bias_that_no_answer_was_needed_for(reviews, lens, how):
    blind = replace(reviews, targets=1 - reviews.targets)
    one, other = (
        fitted("zero_shot_prompt", problem(rows, lens), calibration=how)
        for rows in (reviews, blind)
    )
    np.testing.assert_array_equal(one.bias, other.bias)
    assert np.abs(one.bias).max() > 0


def test_the_prompt_with_the_least_loss_is_found_and_all_that_were_tried_are_told(reviews, lens):
    tuned = fitted("prompt_search", problem(reviews, lens, OTHER, MOVIE))
    assert {one["template"] for one in tuned.searched} == {OTHER.template, MOVIE.template}
    losses = {one["template"]: one["log_loss"] for one in tuned.searched}
    assert losses[tuned.prompt.template] <= min(losses.values()) + 0.3


def test_templates_of_ones_own_are_tried_first_and_a_bad_one_is_refused(reviews, lens):
    own = "{text} I found it {answer}"
    tuned = fitted("prompt_search", problem(reviews, lens), templates=(own,), most=1)
    assert tuned.prompt.template == own
    with pytest.raises(InputError) as caught:
        fitted("prompt_search", problem(reviews, lens), templates=("no text {answer}",))
    assert caught.value.code == "template_hides_text"


SHOWS = {"shots": 4, "orders": 3}


def test_orders_of_shown_rows_are_tried_behind_the_best_template(reviews, lens):
    tuned = fitted("prompt_search", problem(reviews, lens, OTHER, MOVIE), **SHOWS)
    templates, orders = tuned.searched[:2], [one["shown"] for one in tuned.searched[2:]]
    assert [one["template"] for one in templates] == [OTHER.template, MOVIE.template]
    assert len({tuple(order) for order in orders}) == 3
    assert len({tuple(sorted(order)) for order in orders}) == 1
    first = [reviews.targets[row - 1] for row in orders[0]]
    assert first in ([0, 1, 0, 1], [1, 0, 1, 0]), "labels take turns"
    losses = [one["log_loss"] for one in tuned.searched[2:]]
    assert len(set(losses)) == 3, "the order matters"
    # What is shown stands in front of the question, or nothing does where it is as good.
    heads = [" ".join(text.split()[:4]) for text in reviews.inputs]
    shown = [head for head in heads if head in tuned.prompt.shown]
    assert len(shown) in (0, 4)
    again = type(tuned).from_state(tuned.state())
    expected = tuned.logits(reviews.inputs[:3], lens)
    np.testing.assert_array_equal(again.logits(reviews.inputs[:3], lens), expected)


def test_few_rows_have_few_orders_and_half_of_them_stay_to_judge_by(reviews, lens):
    few = problem(reviews.take(np.array([0, 1, 6, 7, 8])), lens)
    tuned = fitted("prompt_search", few, shots=60, orders=24)
    orders = [one["shown"] for one in tuned.searched if "shown" in one]
    assert len(orders) == 2
    assert {len(order) for order in orders} == {2}


def test_the_search_has_not_seen_the_answers_it_is_judged_by(reviews, lens):
    method = registry.method("prompt_search")
    options = method.options(**SHOWS)
    train, test = np.array([0, 1, 2, 3, 6, 7, 8, 9]), np.array([4, 5, 10, 11])
    targets = reviews.targets.copy()
    targets[test] = 1 - targets[test]
    answers = [
        method.out_of_fold(problem(rows, lens, OTHER, MOVIE), options, [(train, test)])[0]
        for rows in (reviews, replace(reviews, targets=targets))
    ]
    np.testing.assert_array_equal(*answers)
    alone = method.fit(problem(reviews.take(train), lens, OTHER, MOVIE), options)
    asked = [reviews.inputs[i] for i in test]
    np.testing.assert_allclose(alone.logits(asked, lens), answers[0], atol=1e-4)


def test_a_search_that_shows_rows_is_refused_where_none_may_be_kept(reviews):
    rows = [
        (text, reviews.labels[i]) for text, i in zip(reviews.inputs, reviews.targets, strict=True)
    ]
    keys = {"method": "prompt_search", "backbone": "smollm2", "keep_rows": False}
    with pytest.raises(InputError) as caught:
        supertune.fit(rows, shots=4, **keys)
    assert caught.value.code == "method_holds_rows"
    assert registry.method("prompt_search").options().holds_rows is False


@pytest.mark.parametrize("select", ["random", "diverse", "nearest"])
def test_answered_rows_are_shown_in_turns_within_the_room(reviews, lens, select):
    tuned = fitted("in_context", problem(reviews, lens), select=select, shots=4)
    assert len(tuned.rows) == (len(reviews) if select == "nearest" else 4)
    words = [word for _, word in tuned.rows[:4]]
    assert select == "nearest" or words.count("great") == words.count("terrible") == 2
    found = tuned.logits(reviews.inputs[:3], lens)
    assert found.shape == (3, 2)
    assert np.isfinite(found).all()


def test_what_asks_in_words_tells_by_which_prompt_and_what_does_not_tells_none(reviews, lens):
    given = problem(reviews, lens)
    for name in ("zero_shot_prompt", "prompt_search", "in_context"):
        tuned = fitted(name, given)
        assert isinstance(tuned, Asking)
        assert asked_by(tuned) == MOVIE
    for name in ("majority", "nearest_centroid"):
        assert asked_by(fitted(name, given)) is None


def test_label_scores_are_the_mean_likelihood_of_a_labels_words():
    scores = np.log(np.array([[0.2, 0.4, 0.1]]))
    np.testing.assert_allclose(np.exp(by_label(scores, (0, 0, 1))), [[0.3, 0.1]])


def test_a_batch_bias_makes_the_mean_share_of_every_label_alike_to_first_order():
    labels = np.log(np.array([[0.9, 0.1], [0.7, 0.3]]))
    np.testing.assert_allclose(bias(labels, "batch"), -np.log([0.8, 0.2]))
    np.testing.assert_allclose(bias(labels, "median"), -np.median(log_shares(labels), axis=0))
    assert (bias(labels, "none") == 0).all()


def test_inputs_without_content_have_the_shape_of_the_rows():
    assert reference_inputs([("a b", "c")], "contextual", 0)[0] == ("N/A", "N/A")
    drawn = reference_inputs(["good film", "bad plot"], "domain", 0)
    assert {word for text in drawn for word in text.split()} <= {"good", "film", "bad", "plot"}
    assert reference_inputs(["a"], "none", 0) == []
