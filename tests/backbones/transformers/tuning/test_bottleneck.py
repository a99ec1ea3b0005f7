"""Bottleneck adapters: where they stand and what they compute."""

from __future__ import annotations

import numpy as np
import pytest

from supertune.contracts import Encoding, Injection

FAMILIES = ("bert", "roberta", "distilbert", "mpnet", "t5", "gpt2", "llama", "opt", "masked-bert")


def adapters(backbone, placement, blocks=(2, 3), **settings):
    settings = {"placement": placement, "reduction": 4, **settings}
    return backbone.inject(Injection("adapter", blocks, settings), seed=0)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("placement", "places"),
    [
        ("houlsby", {"attention", "feed_forward"}),
        ("pfeiffer", {"feed_forward"}),
        ("parallel", {"parallel"}),
    ],
)
def test_each_chosen_block_has_adapters_at_the_places_of_its_kind(
    tiny, family, placement, places, stepped
):
    tunable = adapters(tiny(family), placement)
    largest = stepped(tunable)
    assert {tuple(name.split(".")[1:3]) for name in tunable.kept} == {
        (block, place) for block in "23" for place in places
    }
    for place in places:
        shapes = {n: a.shape for n, a in tunable.kept.items() if f".2.{place}." in n}
        assert sorted(shapes.values()) == [(8,), (8, 32), (32,), (32, 8)]
    assert min(largest.values()) > 0


@pytest.mark.parametrize("placement", ["houlsby", "pfeiffer", "parallel"])
def test_they_start_as_nothing(tiny, placement, vectors):
    frozen = vectors(tiny("bert"))
    with adapters(tiny("bert"), placement):
        np.testing.assert_array_equal(vectors(tiny("bert")), frozen)


def by_hand(backbone, kept, placement, batch):
    """The last block of a BERT with its adapters, written out."""
    import torch

    def adapter(place, x):
        at = f"adapter.3.{place}."
        down = x @ torch.from_numpy(kept[at + "down.weight"]).T + torch.from_numpy(
            kept[at + "down.bias"]
        )
        inner = torch.nn.functional.gelu(down)
        up = torch.from_numpy(kept[at + "up.weight"])
        return inner @ up.T + torch.from_numpy(kept[at + "up.bias"])

    block = backbone.blocks[3]
    x = backbone.entering(batch, 3)
    mask = batch.mask[:, None, None, :].bool()
    found = block.attention.self(x, mask)[0]
    found = block.attention.output.dense(found)
    if placement == "houlsby":
        found = found + adapter("attention", found)
    x = block.attention.output.LayerNorm(found + x)
    found = block.output.dense(block.intermediate(x))
    if placement == "parallel":
        found = found + adapter("parallel", x)
    else:
        found = found + adapter("feed_forward", found)
    return block.output.LayerNorm(found + x)


@pytest.mark.parametrize("placement", ["houlsby", "pfeiffer", "parallel"])
def test_a_block_computes_what_the_papers_say(tiny, placement, shifted, batch_of):
    import torch

    backbone = tiny("bert")
    tunable = shifted(adapters(backbone, placement, (3,)), 0.3)
    with torch.no_grad():
        batch = batch_of(backbone)
        expected = by_hand(backbone, tunable.kept, placement, batch)
        with tunable:
            found = backbone.body(**batch.inputs).last_hidden_state
    real = batch.mask.bool()
    assert torch.allclose(found[real], expected[real], atol=1e-5)


def test_reduction_and_activation_are_the_person_s(tiny, shifted, batch_of):
    import torch

    backbone, found = tiny("bert"), []
    for activation in ("gelu", "relu"):
        tunable = shifted(adapters(backbone, "pfeiffer", reduction=16, activation=activation), 0.5)
        assert tunable.kept["adapter.2.feed_forward.down.weight"].shape == (2, 32)
        with tunable, torch.no_grad():
            found.append(tunable.run(batch_of(backbone), None, Encoding()))
    assert not torch.allclose(found[0], found[1])
