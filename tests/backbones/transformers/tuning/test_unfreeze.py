"""Weights tuned in place of the backbone's own."""

from __future__ import annotations

import re

import pytest

from supertune.contracts import Injection
from supertune.errors import InputError


def names_of(backbone, blocks, only="all"):
    tunable = backbone.inject(Injection("unfreeze", blocks, {"only": only}), seed=0)
    with tunable:
        pass
    return set(tunable.kept)


def test_everything_is_tuned_but_the_pooler_that_nothing_reads(tiny):
    every = {name for name, _ in tiny("bert").model.named_parameters()}
    pooler = {name for name in every if name.startswith("pooler.")}
    assert pooler
    assert names_of(tiny("bert"), None) == every - pooler


@pytest.mark.parametrize("family", ["masked-bert", "llama", "gpt2", "t5"])
def test_the_head_and_the_second_stack_are_left_out(tiny, family):
    backbone = tiny(family)
    inside = {id(p) for p in backbone.body.parameters()}
    expected = {name for name, p in backbone.model.named_parameters() if id(p) in inside}
    assert names_of(backbone, None) == expected
    assert not any(name.startswith(("cls.", "lm_head.", "decoder.")) for name in expected)


@pytest.mark.parametrize("only", ["all", "biases", "norms"])
@pytest.mark.parametrize("family", ["bert", "gpt2", "opt", "distilbert", "mpnet"])
def test_of_the_chosen_blocks_only_what_was_asked_for(tiny, family, only):
    backbone = tiny(family)
    names = names_of(backbone, (2,), only)
    assert {re.search(r"(?:layers?|h)\.(\d+)\.", name)[1] for name in names} == {"2"}
    if only == "biases":
        assert all(name.endswith(".bias") for name in names)
        own = [n for n, _ in backbone.blocks[2].named_parameters() if n.endswith("bias")]
        assert len(names) == len(own)
    if only == "norms":
        assert all(re.search("norm|ln_", name.lower()) for name in names)
        assert len(names) == 4, "factor and offset of two layers"
    assert len(names) < len(list(backbone.blocks[2].parameters())) or only == "all"


def test_a_model_without_biases_has_none_to_tune(tiny, unchanged):
    for family in ("llama", "t5"):
        with unchanged(tiny(family)), pytest.raises(InputError) as caught:
            names_of(tiny(family), (2, 3), "biases")
        assert caught.value.code == "nothing_to_tune"
