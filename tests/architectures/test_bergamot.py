"""Bergamot's architecture on tiny random weights: one step after another, masks, int8."""

from __future__ import annotations

import pytest
import torch

from supertune.architectures.bergamot import (
    BergamotConfig,
    BergamotForTranslation,
    as_int8,
    positions,
)


@pytest.fixture(scope="module")
def tiny() -> BergamotForTranslation:
    torch.manual_seed(0)
    config = BergamotConfig(
        vocab_size=40,
        d_model=16,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=2,
        encoder_ffn_dim=32,
        activation_scales={"encoder.layers.0.fc1": 4.0, "lm_head": 4.0},
    )
    return BergamotForTranslation(config).eval()


IDS = torch.tensor([[5, 9, 3, 0], [7, 0, 0, 0]])
MASK = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]])
WRITTEN = torch.tensor([[4, 8, 2], [6, 1, 3]])


def test_writing_word_by_word_is_writing_all_at_once(tiny: BergamotForTranslation) -> None:
    with torch.inference_mode():
        states = tiny.encoder(IDS, MASK).last_hidden_state
        whole = tiny.decoder(WRITTEN, tiny.decoder.begin(states, MASK))
        memory = tiny.decoder.begin(states, MASK)
        steps = [tiny.decoder(None, memory)]
        steps += [tiny.decoder(WRITTEN[:, i : i + 1], memory) for i in range(3)]
    assert torch.allclose(torch.cat(steps, dim=1), whole, atol=1e-6)
    assert whole.shape == (2, 4, 16)


def test_padding_is_not_seen_and_rows_can_be_let_go(tiny: BergamotForTranslation) -> None:
    with torch.inference_mode():
        alone = tiny(IDS[1:, :2], MASK[1:, :2], decoder_input_ids=WRITTEN[1:]).logits
        both = tiny(IDS, MASK, decoder_input_ids=WRITTEN).logits
        memory = tiny.decoder.begin(tiny.encoder(IDS, MASK).last_hidden_state, MASK)
        tiny.decoder(None, memory)
        memory.take(torch.tensor([1]), torch.tensor([1]))
        later = tiny.words(tiny.decoder(WRITTEN[1:], memory))
    assert torch.allclose(alone, both[1:], atol=1e-6)
    assert torch.allclose(later, both[1:, 1:], atol=1e-6)


def test_losses_are_of_the_wanted_words_and_reach_every_weight(
    tiny: BergamotForTranslation,
) -> None:
    labels = torch.tensor([[4, 8, 0], [6, 0, -100]])
    found = tiny(IDS, MASK, labels=labels)
    own = torch.log_softmax(found.logits, dim=-1)
    wanted = -(own[0, range(3), [4, 8, 0]].sum() + own[1, range(2), [6, 0]].sum()) / 5
    assert torch.allclose(found.loss, wanted)
    found.loss.backward()
    assert all(p.grad is not None and bool(p.grad.any()) for n, p in tiny.named_parameters()
               if "k_proj.bias" not in n)  # fmt: skip
    tiny.zero_grad(set_to_none=True)


def test_int8_rounds_what_enters_and_leaves_the_model_as_it_was(
    tiny: BergamotForTranslation,
) -> None:
    with torch.inference_mode():
        before = tiny(IDS, MASK, decoder_input_ids=WRITTEN).logits
        with as_int8(tiny, tiny.config.activation_scales):
            rounded = tiny(IDS, MASK, decoder_input_ids=WRITTEN).logits
        after = tiny(IDS, MASK, decoder_input_ids=WRITTEN).logits
    assert torch.equal(before, after)
    assert 0 < (rounded - before).abs().max() < 1


def test_positions_are_sines_then_cosines() -> None:
    found = positions(3, 8, start=1)
    assert torch.allclose(found[:, 0], torch.sin(torch.tensor([1.0, 2.0, 3.0])))
    assert torch.allclose(found[:, 4], torch.cos(torch.tensor([1.0, 2.0, 3.0])))
    assert torch.allclose(found[1:], positions(2, 8, start=2))
