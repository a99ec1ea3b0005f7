"""Activations that are kept for a fit: in memory, in a file, or computed again."""

from __future__ import annotations

import numpy as np
import pytest

from supertune.contracts import Encoding
from supertune.training import replay
from supertune.training.cache import ActivationCache
from supertune.training.lens import CachedLens
from supertune.training.replay import Replay


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

        def activations(self, some, cut):
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
