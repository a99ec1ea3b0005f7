"""Activations that are kept for a fit: in memory, in a file, or computed again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from supertune import registry
from supertune.contracts import Encoding
from supertune.errors import InputError
from supertune.training import fitting, replay
from supertune.training.cache import ActivationCache
from supertune.training.lens import CachedLens
from supertune.training.replay import Replay

LORA = registry.method("lora")


@pytest.fixture(scope="module")
def pieces(lens, news):
    return [pieces[0] for pieces in lens.backbone.tokens(news.inputs, lens.encoding)]


@pytest.fixture(scope="module")
def expected(lens, pieces):
    return lens.backbone.activations(pieces, 3)


def everything(kept):
    return [np.array(kept[number]) for number in range(len(kept))]


@pytest.mark.parametrize(
    ("memory", "disk"),
    [(1 << 30, None), (0, None), (200_000, 1 << 30), (200_000, 300_000), (0, 0)],
    ids=["memory", "file", "both", "all three", "nothing"],
)
def test_it_is_the_same_wherever_it_is_kept(lens, pieces, expected, memory, disk):
    kept = Replay(lens, pieces, 3, memory=memory, disk=disk)
    assert len(kept) == len(pieces)
    assert kept.held <= memory
    assert disk is None or kept.written <= disk
    for order in (1, -1):
        for found, wanted in list(zip(everything(kept), expected, strict=True))[::order]:
            np.testing.assert_array_equal(found, wanted)


def test_batches_are_padded_with_zeros(lens, pieces, expected):
    kept, numbers = Replay(lens, pieces, 3), [4, 0, 4]
    found = kept.padded(numbers)
    assert found.shape == (3, max(len(expected[n]) for n in numbers), 384)
    for row, number in zip(found, numbers, strict=True):
        np.testing.assert_array_equal(row[: len(expected[number])], expected[number])
        assert not row[len(expected[number]) :].any()


def test_numbers_of_bfloat16_take_half_and_come_back_bit_for_bit(lens, pieces):
    import torch

    class Rounded:
        backbone = lens.backbone

        def activations(self, some, cut, **_):
            found = lens.activations(some, cut)
            return [torch.tensor(a).bfloat16().float().numpy() for a in found]

    whole, half = Replay(lens, pieces, 3), Replay(Rounded(), pieces, 3, memory=100_000)
    assert half.held + half.written == whole.held / 2
    for found, wanted in zip(everything(half), Rounded().activations(pieces, 3), strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_a_disk_that_is_full_costs_time_alone(lens, pieces, expected, monkeypatch):
    class Full:
        def seek(self, place):
            return place

        def write(self, _):
            raise OSError(28, "No space left on device")

        def close(self):
            pass

    monkeypatch.setattr(replay.tempfile, "TemporaryFile", lambda **_: Full())
    kept = Replay(lens, pieces, 3, memory=100_000)
    assert kept.written == 0
    for found, wanted in zip(everything(kept), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_what_is_computed_again_in_training_leaves_dropout_on(lens, pieces):
    import torch

    own = CachedLens(lens.backbone, Encoding(max_length=24), ActivationCache(None))
    kept = Replay(own, pieces[:2], 3, memory=0, disk=0)
    layer = lens.backbone.blocks[4].output.dropout
    assert isinstance(layer, torch.nn.Dropout)
    lens.backbone.tuned, layer.training = True, True
    try:
        assert kept[0].shape == (len(pieces[0].ids), 384)
        assert layer.training
    finally:
        lens.backbone.tuned, layer.training = False, False


# --- dropout below the cut --------------------------------------------------------------------


def test_what_is_dropped_depends_on_the_text_and_the_draw_alone(lens, pieces):
    first = lens.backbone.activations(pieces[:3], 3, dropout=0.2, draw=0)
    again = lens.backbone.activations(pieces[2::-1], 3, dropout=0.2, draw=0)[::-1]
    other = lens.backbone.activations(pieces[:3], 3, dropout=0.2, draw=1)
    plain = lens.backbone.activations(pieces[:3], 3)
    for one, same, drawn, without in zip(first, again, other, plain, strict=True):
        np.testing.assert_array_equal(one, same)
        assert one.shape == without.shape
        assert np.abs(one - drawn).max() > 0.1
        assert np.abs(one - without).max() > 0.1
    assert not any(module.training for module in lens.backbone.model.modules())


def test_augmentations_are_computed_once_and_taken_in_turn(problem_of, news, lens):
    own = CachedLens(lens.backbone, lens.encoding, ActivationCache(None))
    few = news.take(range(8))

    def losses(**keys):
        options = LORA.options(epochs=4, learning_rate=1e-9, dropout=0.1, **keys)
        return fitting.fit(LORA, problem_of(few, lens=own), options).losses

    drawn = losses(cached_augmentations=2)
    assert own.computed == len(few) + 2 * len(few), "features with the cut, and two draws"
    assert losses(cached_augmentations=2) == drawn
    assert own.computed == 3 * len(few)
    assert losses() != drawn
    assert losses(cached_augmentations=1) != drawn
    assert own.computed == 3 * len(few)


def test_augmentations_without_dropout_or_reuse_are_refused(problem_of, news, lens):
    few = news.take(range(8))
    with pytest.raises(InputError) as caught:
        fitting.fit(LORA, problem_of(few), LORA.options(cached_augmentations=2))
    assert caught.value.code == "augmentations_without_dropout"
    without = lens.under(replace(lens.encoding, reuse=False))
    options = LORA.options(cached_augmentations=2, dropout=0.1)
    with pytest.raises(InputError) as caught:
        fitting.fit(LORA, problem_of(few, lens=without), options)
    assert caught.value.code == "augmentations_not_kept"
