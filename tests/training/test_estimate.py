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
from supertune.training.speed import Speed, measured

METHODS = ("linear_probe", "lora", "full")
SPEED = Speed(operations=6e10, frozen=2.1, trained=3.0, block=1e-3)


@pytest.fixture(scope="module")
def offer(lens):
    return lens.backbone.offer


def seconds(name, offer, tokens=5000, folds=5, **keys):
    method = registry.method(name)
    lengths = [50] * (tokens // 50)
    return estimate.fit_seconds(method, method.options(**keys), offer, lengths, folds, SPEED)


def test_a_closed_form_is_quicker_than_a_few_numbers_and_these_than_all(offer):
    probe, lora, full = (
        seconds(name, offer, **({} if name == "linear_probe" else {"epochs": 8}))
        for name in METHODS
    )
    assert 10 * probe < lora < full


def test_folds_cost_nothing_in_closed_form_and_a_model_each_otherwise(offer):
    few, many = (seconds("linear_probe", offer, folds=folds) for folds in (5, 50))
    assert few < many < 1.5 * few
    assert 5 < seconds("lora", offer, folds=50) / seconds("lora", offer, folds=5) < 10


def test_more_tokens_epochs_and_blocks_take_longer(offer):
    for name in METHODS:
        assert seconds(name, offer, tokens=50_000) > 5 * seconds(name, offer, tokens=5000)
    usual = seconds("lora", offer)
    assert seconds("lora", offer, epochs=24) > 1.7 * usual
    assert seconds("lora", offer, blocks="all") > 1.5 * usual
    assert seconds("lora", offer, blocks=(5,)) < 0.6 * usual
    assert seconds("lora", replace(offer, depth=12)) > 1.7 * usual


def test_a_tuned_decoder_takes_time_and_more_with_more_answers(offer):
    method = registry.method("lora")
    both = replace(offer, family="seq2seq", decoder_depth=6)
    options = method.options(blocks="decoder")
    few, many, longer = (
        estimate.fit_seconds(method, options, both, [length] * 40, 5, SPEED, answers)
        for answers, length in ((2, 50), (20, 50), (2, 200))
    )
    features = seconds("linear_probe", both, tokens=2000)
    assert few > 1.5 * features
    assert many > 3 * few
    assert longer > 1.5 * few


def test_a_head_that_is_solved_afterwards_reads_the_rows_once_more(offer):
    class Answering(type(registry.method("contrastive"))):
        def injection(self, offer, options):
            return replace(super().injection(offer, options), criterion="answer")

    method, options = registry.method("contrastive"), registry.method("contrastive").options()
    given = (options, offer, [50] * 100, 5, SPEED)
    more = estimate.fit_seconds(method, *given) - estimate.fit_seconds(Answering(), *given)
    assert more == pytest.approx(5 * estimate.encode_seconds(offer, 5000, SPEED, 3))


def test_without_a_backbone_a_fit_takes_seconds_at_most():
    assert 0 < seconds("bag_of_words", None, folds=50) < 5
    rows = [estimate.fit_seconds(registry.method("bag_of_words"), None, None, [50] * n, 50, None)
            for n in (100, 3000)]  # fmt: skip
    assert rows[1] > 60 * rows[0]


def test_memory_of_all_weights_tuned_is_a_multiple_of_the_weights(offer):
    def needed(name):
        method = registry.method(name)
        return estimate.memory_bytes(method, method.options(), offer, 40, 256)

    probe, lora, full = (needed(name) for name in METHODS)
    weights = offer.parameters * 4
    assert weights < probe < lora < full
    assert full - lora >= 3 * weights


def test_a_limit_makes_the_batch_smaller_down_to_one_row(offer):
    method = registry.method("contrastive")

    def needed(limit):
        return estimate.memory_bytes(method, method.options(), offer, 200, 256, limit)

    assert needed(None) > 1.5e9
    assert needed(10**12) == needed(None)
    assert needed(1_500_000_000) == 1_500_000_000
    assert 1_500_000_000 > needed(1) > 5e8


def test_the_folder_of_all_weights_tuned_is_as_large_as_the_weights(offer):
    def needed(name):
        method = registry.method(name)
        return estimate.disk_bytes(method, method.options(), offer, 40, 5000)

    assert needed("full") > offer.parameters * 4 > needed("lora") > needed("linear_probe")


@pytest.mark.parametrize("name", [*METHODS, "contrastive"])
def test_predicted_seconds_are_those_it_takes_within_a_factor_of_two(problem_of, news, lens, name):
    import torch

    # Processor time of one thread: what else the machine does is not counted.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        speed = measured("cpu", 1, lens.backbone.precision)
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
        lengths = registry.modality("text").lengths(news.inputs, None, lens.encoding.max_length)
        predicted = estimate.fit_seconds(method, options, own.backbone.offer, lengths, 4, speed)
    finally:
        torch.set_num_threads(threads)
    assert predicted / 2 < taken < predicted * 2
    print(f"{name}: predicted {predicted:.2f} s, took {taken:.2f} s")


PEAK = """
import sys
import supertune
words = "the board met on monday to talk about prices and went home late ".split()
rows = [(" ".join(words[i % 13 :] * 8), "even" if i % 2 else "odd") for i in range(40)]
model = supertune.fit(rows, method=sys.argv[1], backbone="minilm", max_length=64, folds=2,
    repeats=1, **({} if sys.argv[1] == "linear_probe" else {"epochs": 1}))
cost = model.report.data["cost"]
print(cost["peak_memory_bytes"], cost["predicted_memory_bytes"])
"""


@pytest.mark.parametrize("name", ["linear_probe", "contrastive"])
def test_predicted_memory_is_what_it_takes_within_a_factor_of_two(python, name):
    done = python(PEAK, name, OMP_NUM_THREADS="1")
    assert done.returncode == 0, done.stderr
    taken, predicted = map(int, done.stdout.split())
    assert predicted / 2 < taken < predicted * 2
