"""What is worth trying is said by the rows alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from supertune import registry
from supertune.choose import prior
from supertune.config import recipe
from supertune.contracts import Examples


@pytest.fixture(scope="module")
def rows() -> Examples:
    texts = tuple(f"the parcel number {i} came late and was damaged" for i in range(12))
    return Examples(texts, np.arange(12) % 2, ("bad", "good"), np.arange(1, 13))


def test_facts_are_those_of_the_rows(rows: Examples) -> None:
    known = prior.facts(rows, recipe({"max_length": 8}))
    assert (known.rows, known.classes, known.fewest) == (12, 2, 6)
    assert known.named
    assert known.language == "en"
    assert known.lengths == (8,) * 12


def test_names_that_are_numbers_are_not_asked_for(rows: Examples) -> None:
    known = prior.facts(replace(rows, labels=("0", "1")), recipe({}))
    assert "numbers" in prior.unwise("label_names", known)
    assert not prior.unwise("linear_probe", known)
    assert not prior.unwise("label_names", prior.facts(rows, recipe({})))


def test_too_few_rows_of_a_label_teach_a_backbone_nothing(rows: Examples) -> None:
    few = prior.facts(replace(rows, targets=np.array([0] * 10 + [1] * 2)), recipe({}))
    assert "2 rows" in prior.unwise("lora", few)
    assert not prior.unwise("linear_probe", few)
    assert not prior.unwise("lora", prior.facts(rows, recipe({})))


def test_values_on_a_scale_and_several_labels_a_row_have_facts_too(rows: Examples) -> None:
    values = prior.facts(replace(rows, targets=np.linspace(0, 1, 12), labels=()), recipe({}))
    assert (values.classes, values.fewest) == (0, 12)
    several = np.zeros((12, 2), dtype=int)
    several[:4, 0] = several[:, 1] = 1
    assert prior.facts(replace(rows, targets=several), recipe({})).fewest == 4


def test_the_better_backbone_and_the_better_method_are_expected_to_win() -> None:
    seen = {"minilm": 0.7, "e5-small": 0.8, None: 0.5}
    assert prior.promising(seen, "e5-small", 1.4) > prior.promising(seen, "minilm", 3.1)
    assert prior.promising(seen, "minilm", 3.1) > prior.promising(seen, "minilm", 1.4)
    assert prior.promising({}, "minilm", 3.1) == pytest.approx(0.031)


def test_gains_are_of_methods_that_there_are(rows: Examples) -> None:
    for name in prior.GAINS:
        assert registry.method(name).name == name
