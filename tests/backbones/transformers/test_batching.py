"""How pieces become batches."""

from __future__ import annotations

import numpy as np
import pytest

from supertune.backbones.transformers.batching import (
    EXACT_TOKENS,
    SORTED_TOKENS,
    WIDTHS,
    Piece,
    exact_batches,
    exact_shape,
    sorted_batches,
)


def pieces(lengths):
    return [Piece(tuple(range(length))) for length in lengths]


LENGTHS = np.random.default_rng(0).integers(1, 700, 300).tolist()


@pytest.mark.parametrize("length", [1, 7, 8, 63, 64, 127, 128, 129, 256, 257, 512, 513, 5000])
def test_a_width_holds_its_length_and_wastes_little(length):
    _, width = exact_shape(length, 1 << 30)
    assert length <= width
    assert width <= max(length + 8, length * 1.26)


def test_no_batch_is_wider_than_the_model_can_read():
    for length in range(1, 78):
        rows, width = exact_shape(length, 77)
        assert length <= width <= 77
        assert rows == 1 or length < width


def test_the_ladder_of_widths_rises():
    assert list(WIDTHS) == sorted(set(WIDTHS))


def test_every_piece_is_in_one_exact_batch_that_holds_it():
    seen = []
    for index, rows, width in exact_batches(pieces(LENGTHS)):
        assert 1 <= len(index) <= rows
        assert all(LENGTHS[i] <= width for i in index)
        seen += index
    assert sorted(seen) == list(range(len(LENGTHS)))


def test_the_shape_of_an_exact_batch_follows_from_a_piece_alone():
    among = {
        i: (rows, width) for index, rows, width in exact_batches(pieces(LENGTHS)) for i in index
    }
    for i, length in enumerate(LENGTHS):
        ((_, rows, width),) = exact_batches(pieces([length]))
        assert among[i] == (rows, width)


def test_where_rows_share_an_exact_batch_each_is_padded():
    for length in range(1, 600):
        ((_, rows, width),) = exact_batches(pieces([length]))
        assert rows == 1 or length < width
        assert rows * width <= max(width, EXACT_TOKENS)


def test_sorted_batches_hold_every_piece_once_without_one_too_many():
    seen = []
    for index, rows, width in sorted_batches(pieces(LENGTHS)):
        assert rows == len(index)
        assert width == max(LENGTHS[i] for i in index)
        assert rows == 1 or rows * width <= SORTED_TOKENS
        seen += index
    assert sorted(seen) == list(range(len(LENGTHS)))


def test_sorted_batches_pad_a_hundredth_of_what_batches_in_order_pad():
    lengths = LENGTHS * 20
    padded = sum(rows * width for _, rows, width in sorted_batches(pieces(lengths)))
    in_order = sum(
        max(lengths[at : at + 32]) * len(lengths[at : at + 32]) for at in range(0, len(lengths), 32)
    )
    assert padded - sum(lengths) < 0.01 * (in_order - sum(lengths))


def test_sorted_batches_are_the_same_in_any_order_of_the_pieces():
    given = pieces(LENGTHS)
    order = np.random.default_rng(1).permutation(len(given))

    def contents(some):
        return [([some[i].ids for i in index], rows, width) for index, rows, width in
                sorted_batches(some)]  # fmt: skip

    assert contents(given) == contents([given[i] for i in order])


def test_nothing_makes_no_batch():
    assert list(exact_batches([])) == list(sorted_batches([])) == []
