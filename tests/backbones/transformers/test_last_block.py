"""What is read of the last block, against the whole block."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from supertune.backbones.transformers import last_block
from supertune.backbones.transformers.batching import exact_batches, sorted_batches
from supertune.backbones.transformers.model import TransformersBackbone
from supertune.backbones.transformers.packing import Padded
from supertune.contracts import Encoding, Injection, Prompt

TEXTS = ["good", "a very long film and a dull story of two", "the film was good", "bad bad"] * 3
NARROW = ("bert", "roberta", "electra", "distilbert", "llama")
WORDS = (("good",), ("bad", "very dull"))


@pytest.fixture
def positions(monkeypatch):
    """How many positions of each row each last block's feed-forward half was given."""
    seen = []
    original = last_block._replaced

    def watching(block, places, width):
        seen.append(tuple(places.shape))
        return original(block, places, width)

    monkeypatch.setattr(last_block, "_replaced", watching)
    return seen


def planned(self, flat, exact):
    return exact_batches(flat, self.offer.max_length) if exact else sorted_batches(flat)


@pytest.fixture(autouse=True)
def padded(monkeypatch):
    """Packs of set size run the last block whole, so that their bits do not depend on how many
    rows are in them: here rows stay padded."""
    monkeypatch.setattr(TransformersBackbone, "laid", lambda _self, batch: Padded(batch))
    monkeypatch.setattr(TransformersBackbone, "plan", planned)


def vectors(backbone, encoding, texts=TEXTS, exact=True):
    return backbone.features(backbone.tokens(texts, encoding), encoding, exact=exact)


def whole(encoding):
    return replace(encoding, reuse=False)


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("pooling", ["cls", "last"])
@pytest.mark.parametrize("family", NARROW)
def test_one_position_is_what_the_whole_block_has_there(tiny, family, pooling, exact):
    backbone, how = tiny(family), Encoding(max_length=32, pooling=pooling)
    assert backbone.last_block.exact()
    found, expected = (vectors(backbone, e, exact=exact) for e in (how, whole(how)))
    np.testing.assert_allclose(found, expected, atol=2e-6 * np.abs(expected).max())


@pytest.mark.parametrize(("name", "pooling"), [("minilm", "cls"), ("smollm2", "last")])
def test_real_models_are_read_at_one_position(request, name, pooling, positions):
    backbone, how = request.getfixturevalue(name), Encoding(max_length=24, pooling=pooling)
    found, expected = (vectors(backbone, e, TEXTS[:4]) for e in (how, whole(how)))
    assert backbone.last_block.exact()
    assert positions
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


def test_the_bits_of_what_is_read_do_not_depend_on_what_stands_beside(minilm):
    how = Encoding(max_length=24, pooling="cls")
    together = vectors(minilm, how)
    alone = np.concatenate([vectors(minilm, how, [text]) for text in TEXTS])
    np.testing.assert_array_equal(together, alone)


@pytest.mark.parametrize("family", ["masked-bert", "masked-roberta", "masked-distilbert", "llama"])
def test_words_are_scored_at_the_answer_alone(tiny, family, positions):
    backbone = tiny(family)
    how = Encoding(max_length=32, prompt=Prompt("{text} and {answer}", WORDS))
    backbone.last_block.exact()
    positions.clear()
    tokens = backbone.tokens(TEXTS, how)
    found = backbone.scores(tokens, how)
    assert positions
    assert max(reads for _, reads in positions) == 2, "the longest word has two tokens"
    np.testing.assert_allclose(found, backbone.scores(tokens, whole(how)), atol=1e-5)


def test_a_prompt_that_was_read_once_goes_on_into_the_last_block(tiny):
    backbone = tiny("llama")
    how = Encoding(max_length=16, prompt=Prompt("{text} and {answer}", WORDS, shown="film " * 20))
    tokens = backbone.tokens(TEXTS, how)
    found, expected = (backbone.scores(tokens, e) for e in (how, whole(how)))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_mean_over_all_positions_is_never_cut_short(tiny, positions):
    backbone = tiny("bert")
    backbone.last_block.exact()
    positions.clear()
    vectors(backbone, Encoding(max_length=32, pooling="mean"))
    vectors(backbone, Encoding(max_length=32, pooling="cls", reuse=False))
    assert not positions


@pytest.mark.parametrize("family", ["gpt2", "mpnet", "opt", "t5"])
def test_an_architecture_that_is_not_known_runs_whole(tiny, family):
    backbone, how = tiny(family), Encoding(max_length=32, pooling="last")
    assert not backbone.last_block.exact()
    np.testing.assert_array_equal(vectors(backbone, how), vectors(backbone, whole(how)))


@pytest.mark.parametrize("family", ["roberta-prelayernorm", "olmo2", "granite"])
def test_parts_of_known_names_that_do_other_things_are_found_out(tiny, family):
    # The first two have a norm beside; the third has the very parts of Llama, but adds a share.
    backbone, how = tiny(family), Encoding(max_length=24, pooling="last")
    assert (last_block._reader(backbone.blocks[-1]) is None) == (family != "granite")
    assert not backbone.last_block.exact()
    np.testing.assert_array_equal(vectors(backbone, how), vectors(backbone, whole(how)))


@pytest.mark.parametrize(
    "injection",
    [
        Injection("adapter", (2, 3), {"placement": "houlsby", "reduction": 4}),
        Injection("adapter", (3,), {"placement": "parallel", "reduction": 4}),
        Injection("deep_prompts", (2, 3), {"tokens": 3}),
        Injection("LORA", (3,), {"r": 2}),
        Injection("IA3", (3,), {}),
        Injection("unfreeze", (3,), {"only": "biases"}),
        Injection("PREFIX_TUNING", None, {"num_virtual_tokens": 3}),
        Injection("PROMPT_TUNING", None, {"num_virtual_tokens": 3, "init": "random"}),
    ],
    ids=lambda injection: f"{injection.kind}-{injection.settings.get('placement', '')}",
)
@pytest.mark.parametrize("family", ["bert", "llama"])
def test_what_is_tuned_is_read_as_the_whole_block_gives_it(tiny, family, injection):
    import torch

    backbone = tiny(family)
    if (family, injection.kind) == ("llama", "unfreeze"):
        injection = replace(injection, settings={"only": "norms"})
    how = Encoding(max_length=24, pooling="last")
    plain, tunable = vectors(backbone, how), backbone.inject(injection, seed=0)
    with tunable, torch.no_grad():
        for parameter in tunable.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
        found, expected = (vectors(backbone, e) for e in (how, whole(how)))
    assert np.abs(expected - plain).max() > 1e-3 * np.abs(plain).max()
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


def test_a_module_that_is_gone_around_but_listened_to_runs(tiny):
    backbone, how = tiny("bert"), Encoding(max_length=24, pooling="cls")
    assert backbone.last_block.exact()
    heard = []
    attention = backbone.blocks[-1].attention
    handle = attention.register_forward_hook(lambda _m, _i, output: heard.append(output[0].shape))
    found = vectors(backbone, how, TEXTS[:4])
    handle.remove()
    assert heard
    np.testing.assert_allclose(found, vectors(backbone, whole(how), TEXTS[:4]), atol=1e-5)


def test_a_failure_inside_leaves_the_block_as_it_was(minilm):
    block, how = minilm.blocks[-1], Encoding(max_length=24, pooling="cls")

    def fail(*_):
        raise KeyboardInterrupt

    handle = block.output.register_forward_pre_hook(fail)
    with pytest.raises(KeyboardInterrupt):
        vectors(minilm, how, TEXTS[:1])
    handle.remove()
    assert "forward" not in block.__dict__
