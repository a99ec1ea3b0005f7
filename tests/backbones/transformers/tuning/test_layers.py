"""Which layers of a block do what, over architectures that name them differently."""

from __future__ import annotations

import re

import pytest

from supertune.backbones.transformers.tuning import layers

FOUND = {
    "bert": ("attention.output.dense", "intermediate.dense", "output.dense"),
    "roberta": ("attention.output.dense", "intermediate.dense", "output.dense"),
    "electra": ("attention.output.dense", "intermediate.dense", "output.dense"),
    "mpnet": ("attention.attn.o", "intermediate.dense", "output.dense"),
    "distilbert": ("attention.out_lin", "ffn.lin1", "ffn.lin2"),
    "t5": ("layer.0.SelfAttention.o", "layer.1.DenseReluDense.wi", "layer.1.DenseReluDense.wo"),
    "gpt2": ("attn.c_proj", "mlp.c_fc", "mlp.c_proj"),
    "llama": ("self_attn.o_proj", "mlp.gate_proj", "mlp.down_proj"),
    "opt": ("self_attn.out_proj", "fc1", "fc2"),
}


@pytest.mark.parametrize("family", FOUND)
def test_the_feed_forward_half_is_found_by_shape(tiny, family):
    for block in range(4):
        found = layers.feed_forward(tiny(family), block)
        assert (found.attention_output, found.input, found.output) == FOUND[family]


@pytest.mark.parametrize("family", FOUND)
def test_a_pattern_is_for_the_blocks_chosen_and_no_other(tiny, family):
    backbone = tiny(family)
    name = FOUND[family][2].rsplit(".", 1)[-1]
    for blocks, count in (((1, 3), 2), (None, 4)):
        wanted = layers.pattern(backbone, [FOUND[family][2]], blocks)
        hit = [n for n, _ in backbone.model.named_modules() if re.fullmatch(wanted, n)]
        assert len([n for n in hit if n.endswith(name)]) == len(hit)
        assert len({re.search(r"\.(\d+)\.", n)[1] for n in hit}) == count


@pytest.mark.parametrize(
    ("family", "names"),
    [
        ("bert", ["key", "value"]),
        ("gpt2", ["c_attn"]),
        ("llama", ["k_proj", "v_proj"]),
        ("distilbert", ["k_lin", "v_lin"]),
    ],
)
def test_attention_is_known_by_name(tiny, family, names):
    assert layers.attention_names(tiny(family), "key", "value") == names
