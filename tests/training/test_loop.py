"""The one training loop, on minilm."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from supertune import registry
from supertune.contracts import Encoding, Injection
from supertune.errors import InputError, SupertuneError
from supertune.methods.linear_probe import LinearProbe, LinearProbeOptions
from supertune.training import descent, loop
from supertune.training.cache import ActivationCache
from supertune.training.lens import CachedLens

LORA, FULL = registry.method("lora"), registry.method("full")


def lora(**keys):
    return LORA.options(**{"epochs": 2, **keys})


def arrays(tuned):
    state = tuned.state()
    return {**state.arrays, **state.adapter}


def same(one, other):
    return one.keys() == other.keys() and all(np.array_equal(one[n], other[n]) for n in one)


class FromInput:
    """LoRA in the same blocks, trained without replaying anything."""

    def __getattr__(self, name):
        return getattr(LORA, name)

    def injection(self, offer, options):
        injection = LORA.injection(offer, options)
        numbers = "|".join(map(str, injection.blocks))
        settings = {"target_modules": rf".*layer\.({numbers})\..*\.(query|value)"}
        return replace(injection, blocks=None, settings={**injection.settings, **settings})


# --- where it starts and what moves -----------------------------------------------------------


def test_the_head_starts_at_the_solution_on_frozen_features(problem_of, news, lens):
    tuned = loop.train(LORA, problem_of(news), lora(epochs=1, learning_rate=1e-12))
    probe = LinearProbe().fit(problem_of(news), LinearProbeOptions())
    np.testing.assert_allclose(tuned.readout.weight, probe.weight, atol=1e-6)
    found, expected = (model.logits(news.inputs, lens) for model in (tuned, probe))
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("method", [LORA, FULL], ids=["lora", "full"])
def test_the_loss_falls(problem_of, news, method):
    tuned = loop.train(method, problem_of(news), method.options(epochs=3))
    assert len(tuned.losses) == 3  # 20 rows are one batch
    assert tuned.losses[-1] < tuned.losses[0]


def test_replaying_what_lies_below_the_cut_trains_the_same_model(problem_of, news, lens):
    replayed = loop.train(LORA, problem_of(news), lora())
    whole = loop.train(FromInput(), problem_of(news), lora())
    assert whole.tunable.from_input
    assert not replayed.tunable.from_input
    np.testing.assert_allclose(replayed.losses, whole.losses, rtol=1e-4)
    found, expected = (model.logits(news.inputs, lens) for model in (replayed, whole))
    np.testing.assert_allclose(found, expected, atol=2e-3 * np.abs(expected).max())


def test_below_the_cut_nothing_is_computed_again_in_later_fits(problem_of, news, lens):
    own = CachedLens(lens.backbone, lens.encoding, ActivationCache(None))
    loop.train(LORA, problem_of(news, lens=own), lora(epochs=1))
    assert own.computed == len(news)  # features for the head, what enters block 3 on the way
    loop.train(LORA, problem_of(news, lens=own, seed=1), lora(epochs=1, rank=2))
    loop.train(FULL, problem_of(news.take(range(10)), lens=own), FULL.options(epochs=1))
    assert own.computed == len(news)


@pytest.mark.parametrize("how", ["chunk", "head_tail"])
def test_long_texts_are_learned_from_as_they_are_read(problem_of, news, lens, how):
    encoding = Encoding(max_length=12, long_text=how)
    own = CachedLens(lens.backbone, encoding, ActivationCache(None))
    tuned = loop.train(LORA, problem_of(news, lens=own), lora(epochs=1, learning_rate=1e-12))
    probe = LinearProbe().fit(problem_of(news, lens=own), LinearProbeOptions())
    np.testing.assert_allclose(
        tuned.logits(news.inputs, own), probe.logits(news.inputs, own), atol=1e-4
    )
    # The loss of the first step is that of the probe: training sees the chunks' mean as well.
    logits = probe.logits(news.inputs, own)
    expected = np.log(np.exp(logits).sum(1)) - logits[np.arange(len(news)), news.targets]
    assert tuned.losses[0] == pytest.approx(expected.mean(), rel=1e-4)


# --- the same bytes ---------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_bytes_and_another_others(problem_of, news):
    options = lora(batch_size=8)
    first = arrays(loop.train(LORA, problem_of(news), options))
    assert same(first, arrays(loop.train(LORA, problem_of(news), options)))
    assert not same(first, arrays(loop.train(LORA, problem_of(news, seed=1), options)))


def test_a_persons_own_random_numbers_are_left_alone(problem_of, news):
    import torch

    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    loop.train(LORA, problem_of(news), lora(epochs=1))
    assert torch.equal(torch.rand(3), expected)


def test_each_epoch_sees_every_row_once_in_an_order_of_its_own(problem_of, news):
    batches = [b for b, _ in descent.orders(np.arange(len(news)), 0, lora(epochs=3, batch_size=8))]
    assert [len(batch) for batch in batches] == [8, 8, 4] * 3
    epochs = [[*batches[at], *batches[at + 1], *batches[at + 2]] for at in (0, 3, 6)]
    assert all(sorted(epoch) == list(range(20)) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]


def test_the_rate_rises_over_a_tenth_and_falls_to_nearly_nothing():
    rates = [descent.rate(step, 50) for step in range(50)]
    assert rates[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert rates[5:] == sorted(rates[5:], reverse=True)
    assert max(rates) == 1.0
    assert 0 < rates[-1] < 0.03
    assert [descent.rate(0, 1), descent.rate(0, 2), descent.rate(1, 2)] == [1.0, 1.0, 1.0]


# --- rows of other kinds ----------------------------------------------------------------------


def test_several_labels_a_row_are_learned(problem_of, news, lens):
    targets = np.eye(5)[news.targets]
    targets[:, 4] = targets[:, 0] + targets[:, 4]
    examples = replace(news, targets=targets)
    tuned = loop.train(LORA, problem_of(examples), lora())
    assert ((tuned.logits(news.inputs, lens) > 0) == targets).mean() > 0.9


def test_the_loss_of_a_batch_is_the_mean_of_its_rows_by_weight(problem_of, news, lens):
    weights = np.linspace(0.1, 3.0, len(news))
    problem = problem_of(replace(news, weights=weights))
    tuned = loop.train(LORA, problem, lora(epochs=1))
    logits = LinearProbe().fit(problem, LinearProbeOptions()).logits(news.inputs, lens)
    each = np.log(np.exp(logits).sum(1)) - logits[np.arange(len(news)), news.targets]
    assert tuned.losses[0] == pytest.approx(np.average(each, weights=weights), rel=1e-3)


def test_smoothing_makes_answers_less_certain(problem_of, news, lens):
    def largest(smoothing):
        options = lora(epochs=6, learning_rate=5e-3, label_smoothing=smoothing)
        return np.abs(loop.train(LORA, problem_of(news), options).logits(news.inputs, lens)).max()

    assert largest(0.4) < largest(0.0)


# --- what goes wrong --------------------------------------------------------------------------


def test_training_that_diverges_says_so_and_what_to_do(problem_of, news, lens):
    before = lens.backbone.fingerprint()
    # The update is nothing at first and, after one step, as good as infinite.
    with pytest.raises(SupertuneError) as caught:
        loop.train(LORA, problem_of(news), lora(alpha=1e38, epochs=4, learning_rate=1.0))
    assert caught.value.code == "loss_not_finite"
    assert caught.value.next == "Lower it: --set learning_rate=0.1."
    assert lens.backbone.fingerprint() == before


@pytest.mark.parametrize("blocks", [(6,), (-1, 5), ()])
def test_blocks_that_are_not_there_are_refused(problem_of, news, blocks):
    with pytest.raises(InputError) as caught:
        loop.train(LORA, problem_of(news), lora(blocks=blocks))
    assert caught.value.code == "block_out_of_range"
    assert caught.value.allowed == "0 to 5"


def test_a_model_of_other_blocks_is_refused_at_once(problem_of, news, lens):
    tuned = loop.train(LORA, problem_of(news), lora(epochs=1))
    before = lens.backbone.fingerprint()
    with pytest.raises(InputError) as caught:
        loop.restore(LORA, tuned.state(), lora(blocks=(5,)), problem_of(news).head, lens)
    assert caught.value.code == "adapter_mismatch"
    assert lens.backbone.fingerprint() == before


def test_any_kind_that_tunes_layers_is_trained(problem_of, news, lens):
    class Ia3:
        def __getattr__(self, name):
            return getattr(LORA, name)

        def injection(self, offer, options):
            targets = {"target_modules": ["key", "value"], "feedforward_modules": []}
            return Injection("IA3", None, targets)

    tuned = loop.train(Ia3(), problem_of(news), lora(learning_rate=1e-2))
    assert tuned.losses[-1] < tuned.losses[0]
    again = loop.restore(Ia3(), tuned.state(), lora(), problem_of(news).head, lens)
    np.testing.assert_array_equal(again.logits(news.inputs, lens), tuned.logits(news.inputs, lens))
