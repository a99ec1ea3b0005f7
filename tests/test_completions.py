"""Metrics of answers, and the structures that answers have."""

from __future__ import annotations

import json

import numpy as np
import pytest

from supertune import completions, structures
from supertune.contracts.speech import numbered


def test_rouge_l_is_of_the_longest_common_subsequence() -> None:
    # The example of Lin 2004: 3 of 4 words in order, and 2 of 4.
    assert completions.rouge_l("police killed the gunman", "police kill the gunman") == 0.75
    assert completions.rouge_l("police killed the gunman", "the gunman kill police") == 0.5
    assert completions.rouge_l("", "") == 1.0
    assert completions.token_f1("a b", "b a") == 1.0


def test_fields_count_together_and_lists_by_element() -> None:
    said = np.array(['{"topic": "Sport", "who": ["a", "b"]}', '{"topic": "news", "who": []}'])
    written = ['{"who": ["b"], "topic": "sport"}', "no object"]
    found = completions.scores(numbered(written, 60), said)
    assert found["field_f1"][0] == pytest.approx(2 * 2 / (3 + 2 + 1))
    assert found["valid"][0] == 0.5
    weights = np.array([[2.0, 0.0], [1.0, 1.0]])
    again = completions.scores(numbered(written, 60), said, weights)
    assert again["field_f1"] == pytest.approx([4 / 5, 4 / 6])
    assert "valid" not in completions.scores(numbered(["a"], 9), np.array(["a"]))


def test_a_schema_is_as_narrow_as_its_answers() -> None:
    answers = [json.dumps({"topic": "ab"[i % 2], "size": i, "name": f"n{i}"}) for i in range(8)]
    found = structures.of_answers(answers)
    assert found["properties"]["topic"] == {"enum": ["a", "b"]}
    assert found["properties"]["size"] == {"type": "integer"}
    assert found["properties"]["name"]["type"] == "string"
    assert found["required"] == ["topic", "size", "name"]
    assert structures.of_answers(["yes", "no"] * 4) == ("yes", "no")
    assert structures.of_answers(["a", "b"]) is None
