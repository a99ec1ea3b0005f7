"""Vectors in front of the text at each tuned block, read there and dropped there."""

from __future__ import annotations

import numpy as np
import pytest

from supertune.contracts import Encoding, Injection
from supertune.errors import InputError

FAMILIES = ("bert", "roberta", "distilbert", "masked-bert", "gpt2", "llama", "opt")


def prompts(backbone, blocks=(2, 3), **settings):
    settings = {"tokens": 3, "init": "vocabulary", **settings}
    return backbone.inject(Injection("deep_prompts", blocks, settings), seed=0)


@pytest.mark.parametrize("family", FAMILIES)
def test_each_chosen_block_has_vectors_of_its_own_and_none_takes_a_position(tiny, family, stepped):
    tunable = prompts(tiny(family))
    largest = stepped(tunable)
    assert {n: a.shape for n, a in tunable.kept.items()} == {
        "deep_prompts.2": (3, 32), "deep_prompts.3": (3, 32),
    }  # fmt: skip
    assert min(largest.values()) > 0
    assert tunable.room == 0


@pytest.mark.parametrize("family", FAMILIES)
def test_a_row_s_vector_is_the_same_alone_and_among_longer_rows(tiny, family, shifted, texts):
    backbone = tiny(family)
    tunable = shifted(prompts(backbone), 0.5)
    tokens = backbone.tokens(texts, Encoding())
    with tunable:
        together = backbone.features(tokens, Encoding(), exact=False)
        exact = backbone.features(tokens, Encoding())
        alone = [backbone.features([each], Encoding(), exact=False)[0] for each in tokens]
    np.testing.assert_allclose(together, alone, atol=2e-5)
    np.testing.assert_allclose(exact, alone, atol=2e-5)


@pytest.mark.parametrize("family", ["bert", "llama", "gpt2"])
def test_a_block_reads_them_as_if_they_were_tokens(tiny, family, shifted):
    """Of one row without padding: the block itself, given the longer sequence."""
    import torch

    from supertune.backbones.transformers.model import Batch

    backbone = tiny(family)
    tunable = shifted(prompts(backbone, (3,)), 0.5)
    ids = torch.tensor([backbone.tokenizer("the long dull story")["input_ids"]])
    batch = Batch({"input_ids": ids, "attention_mask": torch.ones_like(ids)}, torch.ones_like(ids))
    with torch.no_grad():
        entering = backbone.entering(batch, 3)
        front = torch.from_numpy(tunable.kept["deep_prompts.3"])[None]
        longer = torch.cat([front, entering], dim=1)
        extra = {}
        if family == "llama":
            still = torch.zeros(1, 3, dtype=torch.long)
            places = torch.cat([still, torch.arange(ids.shape[1])[None]], dim=1)
            extra["position_embeddings"] = backbone.body.rotary_emb(longer, places)
        whole = backbone.blocks[3](longer, **extra)
        whole = whole[0] if isinstance(whole, tuple) else whole
        last = {"llama": "norm", "gpt2": "ln_f"}.get(family)
        expected = whole[:, 3:] if last is None else getattr(backbone.body, last)(whole[:, 3:])
        with tunable:
            found = backbone.body(**batch.inputs).last_hidden_state
    assert torch.allclose(found, expected, atol=1e-5)


def test_a_token_of_a_causal_model_still_sees_nothing_that_follows(tiny, shifted):
    import torch

    backbone = tiny("llama")
    with shifted(prompts(backbone), 0.5), torch.no_grad():
        found = []
        for tail in ("good", "bad"):
            ids = torch.tensor([backbone.tokenizer(f"the film was {tail}")["input_ids"]])
            mask = torch.ones_like(ids)
            found.append(backbone.body(input_ids=ids, attention_mask=mask).last_hidden_state)
    assert torch.equal(found[0][:, :-1], found[1][:, :-1])
    assert not torch.allclose(found[0][:, -1], found[1][:, -1])


def test_they_start_at_what_enters_the_block_where_words_stand(tiny):
    import torch

    backbone = tiny("bert")
    ids = torch.tensor([backbone.tokenizer("good film", add_special_tokens=False)["input_ids"]])
    tunable = prompts(backbone, tokens=2, init="text", init_text="good film")
    with tunable:
        pass
    with torch.no_grad():
        states = backbone.body(input_ids=ids, output_hidden_states=True).hidden_states
    for block in (2, 3):
        start = tunable.kept[f"deep_prompts.{block}"]
        np.testing.assert_allclose(start, states[block][0].numpy(), atol=1e-6)


@pytest.mark.parametrize("family", ["t5", "mpnet"])
def test_relative_positions_cannot_be_lengthened_and_are_refused(tiny, family, unchanged):
    with unchanged(tiny(family)), pytest.raises(InputError) as caught:
        prompts(tiny(family))
    assert caught.value.code == "prompts_unsupported"
    assert caught.value.received == "position_bias"
