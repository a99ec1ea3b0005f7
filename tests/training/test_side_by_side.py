"""Features computed once for several heads."""

from __future__ import annotations

import numpy as np

from supertune.contracts import Encoding
from supertune.training.side_by_side import Prefetched


class Counting:
    """A lens that notes for how many inputs it was asked."""

    def __init__(self, lens):
        self.lens, self.asked = lens, []
        self.backbone, self.encoding = lens.backbone, lens.encoding

    def under(self, encoding):
        return Counting(self.lens.under(encoding))

    def features(self, inputs, *, prediction=False):
        self.asked.append(list(inputs))
        return self.lens.features(inputs, prediction=prediction)


def test_known_inputs_are_computed_once_and_each_gets_its_own(lens):
    counting = Counting(lens)
    known = Prefetched(counting, ["one", "two", "one", "three"])
    first = known.features(["three", "one"], prediction=True)
    second = known.features(["two", "one"], prediction=True)
    assert counting.asked == [["one", "two", "three"]]
    expected = lens.features(["one", "two", "three"], prediction=True)
    np.testing.assert_array_equal(first, expected[[2, 0]])
    np.testing.assert_array_equal(second, expected[[1, 0]])


def test_other_inputs_and_inputs_to_learn_from_are_passed_on(lens):
    counting = Counting(lens)
    known = Prefetched(counting, ["one"])
    known.features(["one", "four"], prediction=True)
    known.features(["one"])
    assert counting.asked == [["one", "four"], ["one"]]


def test_another_encoding_has_vectors_of_its_own(lens):
    known = Prefetched(lens, ["one two three four five"])
    other = Encoding(max_length=4)
    assert known.under(lens.encoding) is known
    assert known.under(other) is known.under(other)
    assert known.under(other).encoding == other
    inputs = ["one two three four five"]
    expected = lens.under(other).features(inputs, prediction=True)
    np.testing.assert_array_equal(known.under(other).features(inputs, prediction=True), expected)
    assert not np.allclose(expected, known.features(inputs, prediction=True))
