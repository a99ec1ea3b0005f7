"""Without a fault, no fit raises an alarm."""

from __future__ import annotations

import pytest

NAMES = (
    *("lora", "top_blocks", "full", "tied", "adapter", "words", "causal", "soft_prompt"),
    *("contrastive", "probe", "centroid", "asked"),
)


@pytest.mark.parametrize("name", NAMES)
def test_a_healthy_fit_of_a_tiny_model_finds_nothing(setting, name):
    assert setting(name).run() == set()
