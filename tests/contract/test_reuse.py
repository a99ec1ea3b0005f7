"""What is reused is left out of training, and nothing else changes: the losses of every step are
those of training from the input that computes every position."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from supertune import registry
from supertune.config import Recipe
from supertune.contracts import HeadSpec, Problem
from supertune.pipeline import Workshop, reference
from supertune.prompts.resolving import candidates
from supertune.training import fitting

UPPER = (
    *("lora", "adapter", "ia3", "bitfit", "deep_prompts"),
    *("top_blocks", "layernorm", "contrastive"),
)
# bitfit needs biases, which smollm2 has none of; contrastive reads no words.
ON_SMOLLM2 = tuple(name for name in UPPER if name not in ("bitfit", "contrastive"))
# Tiny and random, since no real weights are at hand: a decoder over a frozen encoder, and the
# upper half of an encoder, whose positions T5 makes in its lowest block.
SEQ2SEQ = [
    *((name, "t5", {"blocks": "decoder"}) for name in ("lora", "adapter", "ia3", "layernorm")),
    *((name, "bart", {"blocks": "decoder"}) for name in ("lora", "adapter", "ia3", "bitfit")),
    *((name, "t5", {}) for name in ("lora", "top_blocks", "contrastive")),
]
CASES = [
    *((name, "minilm", {"pooling": "mean"}) for name in ("lora", "top_blocks", "contrastive")),
    *((name, "minilm", {"pooling": "cls"}) for name in UPPER),
    *((name, "smollm2", {}) for name in ON_SMOLLM2),
    *SEQ2SEQ,
]


def named(case):
    return "-".join((*case[:2], *case[2].values()))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """``tiny("t5")``: a folder with two blocks a stack of random weights, and real words."""
    import torch
    import transformers as t

    from supertune.backbones.transformers import loading

    ends = {"vocab_size": 30_522, "d_model": 32, "pad_token_id": 0, "decoder_start_token_id": 102}
    bart = {"encoder_layers": 2, "decoder_layers": 2, "init_std": 0.2, "eos_token_id": 102}
    bart |= {"encoder_attention_heads": 4, "decoder_attention_heads": 4, "bos_token_id": 101}
    bart |= {"encoder_ffn_dim": 48, "decoder_ffn_dim": 48, "forced_eos_token_id": 102}
    t5 = {"d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4, "eos_token_id": 102}
    build = {
        "t5": lambda: t.T5ForConditionalGeneration(t.T5Config(**ends, **t5)),
        "bart": lambda: t.BartForConditionalGeneration(
            t.BartConfig(**ends, **bart, max_position_embeddings=128)
        ),
    }

    def made(family):
        folder = tmp_path_factory.getbasetemp() / f"tiny-random-{family}"
        if not folder.exists():
            torch.manual_seed(0)
            build[family]().save_pretrained(folder)
            loading.tokenizer(reference("minilm")).save_pretrained(folder)
        return str(folder)

    return made


@pytest.fixture(scope="module")
def problem_of(news, request):
    """``problem_of("minilm", reuse=False)``: 12 short news of two topics."""

    def made(backbone, **keys):
        name = request.getfixturevalue("low_smollm2") if backbone == "smollm2" else backbone
        if backbone in ("t5", "bart"):
            name = request.getfixturevalue("tiny")(backbone)
        lens = Workshop(Recipe(max_length=24, threads=1, **keys)).lens(name)
        prompts = candidates(news.two.labels)
        return Problem(news.two, HeadSpec(2, False), lens, seed=0, prompts=prompts)

    return made


@pytest.fixture(scope="module")
def options_of():
    def made(name, **keys):
        # The upper half of six blocks is three; of two it is the last.
        own = {"count": 1} if name == "top_blocks" else {}
        return registry.method(name).options(epochs=2, batch_size=8, **own, **keys)

    return made


@pytest.mark.parametrize("case", CASES, ids=named)
def test_the_losses_of_every_step_are_those_of_training_without(problem_of, options_of, case):
    name, backbone, keys = case
    blocks = {"blocks": keys["blocks"]} if "blocks" in keys else {}
    keys = {key: value for key, value in keys.items() if key != "blocks"}
    method, options = registry.method(name), options_of(name, **blocks)
    on, off = (
        fitting.fit(method, problem_of(backbone, reuse=reuse, **keys), options)
        for reuse in (True, False)
    )
    assert not on.tunable.from_input
    assert on.tunable.cut > 0
    assert len(on.losses) == len(off.losses) == 4
    np.testing.assert_allclose(on.losses, off.losses, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("name", "backbone", "keys"),
    [
        ("lora", "minilm", {}),
        ("deep_prompts", "minilm", {}),
        ("deep_prompts", "smollm2", {}),
        ("lora", "t5", {"blocks": "decoder"}),
    ],
)
def test_rows_held_out_are_answered_from_the_cut_as_they_are_predicted(
    problem_of, options_of, name, backbone, keys
):
    problem = problem_of(backbone)
    tuned = fitting.fit(registry.method(name), problem, options_of(name, **keys))
    inputs = [*problem.examples.inputs[::-1], *problem.examples.inputs[:3]]
    found, expected = (read(inputs, problem.lens) for read in (tuned.held_out, tuned.logits))
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())
    without = replace(problem.lens.encoding, reuse=False)
    np.testing.assert_array_equal(
        tuned.held_out(inputs, problem.lens.under(without)),
        tuned.logits(inputs, problem.lens.under(without)),
    )


def test_the_scores_of_folds_run_no_frozen_block(problem_of, options_of, monkeypatch):
    problem = problem_of("minilm")
    method, options = registry.method("lora"), options_of("lora")
    rows = np.arange(len(problem.examples))
    folds = [[(rows[rows % 2 == part], rows[rows % 2 != part]) for part in (0, 1)]]
    expected = fitting.out_of_fold(method, problem, options, folds)
    tuned = fitting.fit(method, problem, options)
    ran = []
    handle = problem.lens.backbone.blocks[0].register_forward_hook(lambda *_: ran.append(1))
    try:
        tuned.held_out(problem.examples.inputs, problem.lens)
        assert not ran
        monkeypatch.setattr(fitting, "fit", lambda *_: tuned)
        found = fitting.out_of_fold(method, problem, options, folds)
        assert not ran
    finally:
        handle.remove()
    assert np.isfinite(found).all()
    assert np.isfinite(expected).all()
