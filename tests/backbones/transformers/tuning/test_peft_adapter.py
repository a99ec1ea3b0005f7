"""Types of peft that change layers: which layers, and under which names their numbers are kept."""

from __future__ import annotations

import re

import numpy as np
import pytest

from supertune.contracts import Injection
from supertune.errors import InputError

FAMILIES = ("bert", "roberta", "distilbert", "masked-bert", "t5", "gpt2", "llama", "opt", "mpnet")


def lora(blocks=(2, 3), targets=None, **settings):
    return Injection("LORA", blocks, {"r": 2, "target_modules": targets, **settings})


def names_of(tunable):
    with tunable:
        pass
    return list(tunable.kept)


def blocks_in(names):
    """Numbers of the blocks that parameter names lie in; None for a name outside of blocks."""
    found = (re.search(r"(?:layers?|block|h)\.(\d+)\.", name) for name in names)
    return {match and int(match[1]) for match in found}


@pytest.mark.parametrize("family", FAMILIES)
def test_lora_goes_into_query_and_value_of_the_chosen_blocks_alone(tiny, family, unchanged):
    queries_and_values = {
        "bert": {"query", "value"},
        "roberta": {"query", "value"},
        "masked-bert": {"query", "value"},
        "distilbert": {"q_lin", "v_lin"},
        "t5": {"q", "v"},
        "mpnet": {"q", "v"},
        "gpt2": {"c_attn"},
        "llama": {"q_proj", "v_proj"},
        "opt": {"q_proj", "v_proj"},
    }
    with unchanged(tiny(family)):
        names = names_of(tiny(family).inject(lora((1, 3)), seed=0))
    assert blocks_in(names) == {1, 3}
    assert {name.split(".")[-3] for name in names} == queries_and_values[family]
    assert {name.split(".")[-2] for name in names} == {"lora_A", "lora_B"}


def test_of_two_stacks_only_the_encoder_is_changed(tiny):
    for injection in (lora(), lora(None), Injection("IA3", None, {})):
        names = names_of(tiny("t5").inject(injection, seed=0))
        assert all(".encoder.block." in name for name in names)


def test_lora_goes_into_the_layers_asked_for(tiny):
    names = names_of(tiny("bert").inject(lora(targets=["dense"]), seed=0))
    assert blocks_in(names) == {2, 3}, "the pooler has a layer of that name too"
    assert {name.split(".")[-3] for name in names} == {"dense"}
    assert len(names) == 2 * 3 * 2  # blocks, layers of that name, A and B
    everything = names_of(tiny("bert").inject(lora(targets="all-linear"), seed=0))
    assert blocks_in(everything) == {2, 3}
    assert len(everything) == 2 * 6 * 2


@pytest.mark.parametrize("targets", [["querry"], ["query", "querry"]])
def test_a_layer_that_is_not_there_is_refused_with_those_that_are(tiny, unchanged, targets):
    with unchanged(tiny("bert")), pytest.raises(InputError) as caught:
        tiny("bert").inject(lora(targets=targets), seed=0)
    assert caught.value.code == "target_not_found"
    assert caught.value.received == "querry"
    assert caught.value.allowed == "dense, key, query, value"
    assert "--set" in str(caught.value.next)


def test_a_kind_that_peft_does_not_have_is_refused_with_those_it_has(tiny, unchanged):
    with unchanged(tiny("bert")), pytest.raises(InputError) as caught:
        tiny("bert").inject(Injection("magic", (3,), {}), seed=0)
    assert caught.value.code == "unknown_peft_type"
    assert "LORA" in str(caught.value.allowed)


def test_what_peft_refuses_is_told_in_its_own_words(tiny, unchanged):
    for settings in ({"r": 0}, {"no_such_key": 1}, {"target_modules": ["LayerNorm"]}):
        with unchanged(tiny("bert")), pytest.raises(InputError) as caught:
            tiny("bert").inject(Injection("LORA", (3,), settings), seed=0)
        assert caught.value.code == "peft_refused"
        assert caught.value.received


def test_ia3_rescales_keys_values_and_what_enters_the_feed_forward_output(tiny):
    shapes = {
        "bert": {"key": (32, 1), "value": (32, 1), "dense": (1, 48)},
        "llama": {"k_proj": (16, 1), "v_proj": (16, 1), "down_proj": (1, 48)},
        "distilbert": {"k_lin": (32, 1), "v_lin": (32, 1), "lin2": (1, 48)},
        "t5": {"k": (32, 1), "v": (32, 1), "wo": (1, 48)},
        "gpt2": {"c_attn": (96, 1), "c_proj": (1, 128)},
    }
    for family, expected in shapes.items():
        tunable = tiny(family).inject(Injection("IA3", (2, 3), {}), seed=0)
        names_of(tunable)
        found = {name.split(".")[-2]: array.shape for name, array in tunable.kept.items()}
        assert found == expected, family
        assert len(tunable.kept) == 2 * len(expected)
        assert blocks_in(tunable.kept) == {2, 3}


@pytest.mark.parametrize("init", ["gaussian", "orthogonal", "pissa", "olora"])
def test_however_lora_starts_the_weights_beneath_are_as_before(tiny, unchanged, init, stepped):
    backbone = tiny("bert")
    with unchanged(backbone):
        tunable = backbone.inject(lora(init_lora_weights=init), seed=0)
        stepped(tunable)
    assert any(np.abs(array).max() > 0 for array in tunable.kept.values())


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")
def test_an_adapter_of_peft_names_its_numbers_as_peft_does(minilm):
    from peft import LoraConfig, get_peft_model
    from peft.utils import get_peft_model_state_dict
    from transformers import AutoConfig, AutoModel

    ours = minilm.inject(lora((4, 5), use_dora=True), seed=0)
    names_of(ours)
    config = AutoConfig.from_pretrained(str(minilm.ref.folder))
    settings = {"r": 2, "target_modules": ["query", "value"], "layers_to_transform": [4, 5]}
    made = get_peft_model(AutoModel.from_config(config), LoraConfig(**settings, use_dora=True))
    expected = {name: tuple(t.shape) for name, t in get_peft_model_state_dict(made).items()}
    assert {name: array.shape for name, array in ours.kept.items()} == expected
