"""What is predicted before anything is loaded."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from supertune import registry
from supertune.evaluation.splits import repeated_folds
from supertune.training import estimate, fitting
from supertune.training.cache import ActivationCache
from supertune.training.lens import CachedLens

METHODS = ("linear_probe", "lora", "full")


@pytest.fixture(scope="module")
def offer(lens):
    return lens.backbone.offer


def seconds(name, offer, tokens=5000, folds=5, **keys):
    method = registry.method(name)
    return estimate.fit_seconds(method, method.options(**keys), offer, tokens, folds)


def test_a_closed_form_is_quicker_than_a_few_numbers_and_these_than_all(offer):
    probe, lora, full = (
        seconds(name, offer, **({} if name == "linear_probe" else {"epochs": 8}))
        for name in METHODS
    )
    assert 10 * probe < lora < full


def test_folds_cost_nothing_in_closed_form_and_a_model_each_otherwise(offer):
    assert seconds("linear_probe", offer, folds=50) == seconds("linear_probe", offer, folds=5)
    assert 5 < seconds("lora", offer, folds=50) / seconds("lora", offer, folds=5) < 10


def test_more_tokens_epochs_and_blocks_take_longer(offer):
    for name in METHODS:
        assert seconds(name, offer, tokens=50_000) > 5 * seconds(name, offer, tokens=5000)
    usual = seconds("lora", offer)
    assert seconds("lora", offer, epochs=24) > 1.7 * usual
    assert seconds("lora", offer, blocks="all") > 1.5 * usual
    assert seconds("lora", offer, blocks=(5,)) < 0.6 * usual
    assert seconds("lora", replace(offer, depth=12)) > 1.7 * usual


def test_without_a_backbone_a_fit_takes_seconds_at_most():
    assert 0 < seconds("bag_of_words", None, folds=50) < 5


def test_tokens_are_counted_up_to_the_longest_that_is_read():
    long, short = "word " * 1000, "word"
    assert estimate.token_count([long, long], 256) == 512
    assert estimate.token_count([short], 256) < 10
    assert estimate.token_count([("word " * 100, "word " * 100)], 999) > 150
    assert estimate.token_count([], 256) == 0


def test_memory_of_all_weights_tuned_is_a_multiple_of_the_weights(offer):
    def needed(name):
        method = registry.method(name)
        return estimate.memory_bytes(method, method.options(), offer, 256)

    probe, lora, full = (needed(name) for name in METHODS)
    weights = offer.parameters * 4
    assert weights < probe < lora < full
    assert full - lora >= 3 * weights


def test_the_folder_of_all_weights_tuned_is_as_large_as_the_weights(offer):
    def needed(name):
        method = registry.method(name)
        return estimate.disk_bytes(method, method.options(), offer, 40, 5000)

    assert needed("full") > offer.parameters * 4 > needed("lora") > needed("linear_probe")


@pytest.mark.parametrize("name", METHODS)
def test_predicted_seconds_are_those_it_takes_within_a_small_factor(problem_of, news, lens, name):
    import torch

    # Processor time of one thread: what else the machine does is not counted.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        estimate.operations_per_second.cache_clear()
        method = registry.method(name)
        options = method.options(**({} if name == "linear_probe" else {"epochs": 1}))
        lens.features(["once, to warm up"], prediction=True)
        own = CachedLens(lens.backbone, lens.encoding, ActivationCache(None))
        problem = problem_of(news, lens=own)
        folds = repeated_folds(news, folds=4, repeats=1, seed=0)
        start = time.process_time()
        fitting.out_of_fold(method, problem, options, folds)
        fitting.fit(method, problem, options)
        taken = time.process_time() - start
        tokens = estimate.token_count(news.inputs, lens.encoding.max_length)
        predicted = estimate.fit_seconds(method, options, own.backbone.offer, tokens, 4)
    finally:
        torch.set_num_threads(threads)
        estimate.operations_per_second.cache_clear()
    assert predicted / 4 < taken < predicted * 4
    print(f"{name}: predicted {predicted:.2f} s, took {taken:.2f} s")
