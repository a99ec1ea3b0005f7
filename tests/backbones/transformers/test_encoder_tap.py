"""A frozen encoder under a tuned decoder: its output is computed once and replayed.

No real weights of such models are at hand: these are tiny and random.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from supertune.contracts import Encoding, Injection, Prompt
from supertune.errors import InputError
from supertune.methods._blocks import chosen_blocks
from supertune.training.cache import ActivationCache
from supertune.training.lens import CachedLens

TEXTS = ["good", "a very long film and a dull story of two", "the film was good", "bad bad"]
PROMPT = Prompt("{text} was {answer}", (("very good",), ("bad story", "very dull")))
ENCODING = Encoding(max_length=32, prompt=PROMPT)
BOTH = pytest.mark.parametrize("family", ["t5", "bart"])


def entering(backbone, texts=TEXTS):
    import torch

    tokens = backbone.tokens(texts, ENCODING)
    pieces = [piece for pieces in tokens for piece in pieces]
    batch = backbone.tensors(pieces, len(pieces), max(len(p.ids) for p in pieces))
    with torch.no_grad():
        return batch, backbone.entering(batch, backbone.offer.depth)


@BOTH
def test_a_decoder_goes_on_from_the_encoders_output(tiny, family):
    import torch

    backbone = tiny(family)
    batch, hidden = entering(backbone)
    cut = backbone.offer.depth
    ran = []
    with torch.no_grad():
        whole = backbone.forward(batch, ENCODING, words=True)
        handle = backbone.blocks[0].register_forward_hook(lambda *_: ran.append(1))
        found = backbone.forward(batch, ENCODING, words=True, cut=cut, hidden=hidden)
        swapped = hidden.flip(0)
        other = backbone.forward(batch, ENCODING, words=True, cut=cut, hidden=swapped)
        handle.remove()
    assert not ran
    np.testing.assert_allclose(found.numpy(), whole.numpy(), atol=1e-5)
    assert (other - whole).abs().max() > 1e-3, "the encoder's output is read"
    assert "forward" not in backbone.body.__dict__


@BOTH
def test_every_block_of_a_decoder_can_be_the_cut(tiny, family):
    backbone = tiny(family)
    depth = backbone.offer.depth
    assert backbone.offer.decoder_depth == len(backbone.decoder_blocks)
    assert all(backbone.resumes(depth + i) for i in range(backbone.offer.decoder_depth))


@BOTH
def test_an_encoder_runs_once_for_each_text_whatever_is_answered(tiny, family):
    backbone = tiny(family)
    lens = CachedLens(backbone, ENCODING, ActivationCache(None))
    pieces = [piece for pieces in backbone.tokens(TEXTS * 2, ENCODING) for piece in pieces]
    assert len(pieces) > 2 * len(TEXTS), "words of two tokens begin in two ways"
    found = lens.activations(pieces, backbone.offer.depth)
    assert lens.computed == len(TEXTS)
    assert [array.shape for array in found] == [(len(piece.ids), 32) for piece in pieces]
    lens.activations(pieces, backbone.offer.depth + 1)
    assert lens.computed == len(TEXTS), "what enters any block of the decoder is the same"


@BOTH
def test_the_name_decoder_stands_for_all_its_blocks(tiny, family):
    offer = tiny(family).offer
    chosen = chosen_blocks(offer, "decoder")
    assert chosen == tuple(range(4, 4 + offer.decoder_depth))
    with pytest.raises(InputError, match="no decoder") as caught:
        chosen_blocks(tiny("bert").offer, "decoder")
    assert caught.value.code == "decoder_missing"


@pytest.mark.parametrize(
    "injection",
    [
        Injection("LORA", None, {"r": 2}),
        Injection("IA3", None, {}),
        Injection("adapter", None, {"placement": "houlsby", "reduction": 4}),
        Injection("unfreeze", None, {"only": "norms"}),
        Injection("unfreeze", None, {"only": "all"}),
    ],
    ids=lambda injection: f"{injection.kind}-{injection.settings.get('only', '')}",
)
@BOTH
def test_what_is_tuned_in_a_decoder_lies_in_it_alone(tiny, family, injection):
    backbone = tiny(family)
    blocks = chosen_blocks(backbone.offer, "decoder")[1:]
    tunable = backbone.inject(replace(injection, blocks=blocks), seed=0)
    assert tunable.cut == 5
    assert not tunable.from_input
    with tunable:
        inside = {id(p) for i in blocks for p in backbone.block(i).parameters()}
        assert tunable.parameters()
        # Adapters of ours stand beside the model, on hooks.
        assert injection.kind == "adapter" or all(id(p) in inside for p in tunable.parameters())


@BOTH
def test_blocks_of_both_stacks_can_be_tuned_together(tiny, family):
    backbone = tiny(family)
    tunable = backbone.inject(Injection("LORA", (3, 4), {"r": 2}), seed=0)
    with tunable:
        stacks = {"decoder" in name for name in tunable.named()}
    assert stacks == {True, False}
    assert tunable.cut == 3
    assert not tunable.from_input


def test_deep_prompts_in_a_decoder_are_refused(tiny):
    with pytest.raises(InputError) as caught:
        tiny("bart").inject(Injection("deep_prompts", (4, 5), {"tokens": 2}), seed=0)
    assert caught.value.code == "prompts_unsupported"


@BOTH
def test_scores_leave_the_encoders_output_on_their_way(tiny, family):
    backbone = tiny(family)
    cut = backbone.offer.depth
    apart = CachedLens(backbone, ENCODING, ActivationCache(None))
    together = CachedLens(backbone, ENCODING, ActivationCache(None))
    pieces = [piece for row in backbone.tokens(TEXTS, ENCODING) for piece in row]
    expected = apart.activations(pieces, cut)
    together.read_through(TEXTS, cut)
    counted = together.computed
    for one, other in zip(together.activations(pieces, cut), expected, strict=True):
        np.testing.assert_array_equal(one, other)
    assert together.computed == counted, "nothing was read again"
