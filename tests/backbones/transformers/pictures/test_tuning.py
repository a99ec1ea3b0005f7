"""What is tuned in encoders of pictures, put in and taken out by the kinds that serve texts."""

from __future__ import annotations

import numpy as np
import pytest

from supertune.contracts import Encoding, Injection

KINDS = {
    "lora": Injection("LORA", (2, 3), {"r": 2}),
    "named": Injection("LORA", (2, 3), {"r": 2, "target_modules": ["q_proj", "v_proj"]}),
    "ia3": Injection("IA3", (2, 3), {}),
    "everything": Injection("unfreeze", None, {"only": "all"}),
    "blocks": Injection("unfreeze", (2, 3), {"only": "all"}),
    "biases": Injection("unfreeze", (2, 3), {"only": "biases"}),
    "norms": Injection("unfreeze", (2, 3), {"only": "norms"}),
    "pfeiffer": Injection("adapter", (2, 3), {"placement": "pfeiffer", "reduction": 4}),
    "deep": Injection("deep_prompts", (2, 3), {"tokens": 3}),
    "shallow": Injection("deep_prompts", (2, 3), {"tokens": 3, "depth": "shallow"}),
}


def vectors(backbone, pictures):
    return backbone.features(backbone.tokens(pictures, Encoding()), Encoding())


def moved(tunable, by=0.2):
    import torch

    noise = torch.Generator().manual_seed(5)
    with tunable, torch.no_grad():
        for parameter in tunable.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=noise) * by)
    return tunable


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("family", ["vit", "dinov2", "registers"])
def test_it_changes_vectors_and_leaves_nothing_behind(kind, family, tiny_picture, pictures):
    backbone = tiny_picture(family)
    before, print_before = vectors(backbone, pictures), backbone.fingerprint()
    tunable = moved(backbone.inject(KINDS[kind], seed=0))
    with tunable:
        during = vectors(backbone, pictures)
    assert np.abs(during - before).max() > 1e-4
    assert backbone.fingerprint() == print_before
    np.testing.assert_array_equal(vectors(backbone, pictures), before)


@pytest.mark.parametrize("kind", KINDS)
def test_training_from_the_cut_is_training_from_the_pixels(kind, tiny_picture, pictures):
    import torch

    backbone = tiny_picture("dinov2")
    tunable = moved(backbone.inject(KINDS[kind], seed=0))
    pieces = [pieces[0] for pieces in backbone.tokens(pictures, Encoding())]
    batch = backbone.tensors(pieces, len(pieces), len(pieces[0]))
    hidden = None
    if not tunable.from_input:
        hidden = torch.from_numpy(np.stack(backbone.activations(pieces, tunable.cut)))
    with tunable:
        found = tunable.run(batch, hidden, Encoding())
        whole = backbone.forward(batch, Encoding())
        found.sum().backward()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in tunable.parameters())
    np.testing.assert_allclose(found.detach(), whole.detach(), atol=2e-5)


@pytest.mark.parametrize("family", ["resnet", "convnext", "efficientnet_lite"])
def test_the_upper_blocks_of_convolutions_are_tuned_from_their_maps(family, tiny_picture, pictures):
    import torch

    backbone = tiny_picture(family)
    tunable = moved(backbone.inject(Injection("unfreeze", (2, 3), {"only": "all"}), seed=0), 0.05)
    pieces = [pieces[0] for pieces in backbone.tokens(pictures, Encoding())]
    batch = backbone.tensors(pieces, len(pieces), len(pieces[0]))
    with tunable:
        hidden = torch.from_numpy(np.stack(backbone.activations(pieces, tunable.cut)))
        assert hidden.dim() == 4
        found = tunable.run(batch, hidden, Encoding())
        whole = backbone.forward(batch, Encoding())
    np.testing.assert_allclose(found.detach(), whole.detach(), atol=2e-5)
    assert not tunable.from_input


def test_shallow_prompts_are_read_by_every_block_above_and_dropped_at_the_end(
    tiny_picture, pictures
):
    import torch

    backbone = tiny_picture("dinov2")
    tunable = moved(backbone.inject(KINDS["shallow"], seed=0))
    assert {n: a.shape for n, a in tunable.kept.items()} == {"deep_prompts.2": (3, 32)}
    pieces = [pieces[0] for pieces in backbone.tokens(pictures, Encoding())]
    batch = backbone.tensors(pieces, len(pieces), len(pieces[0]))
    with torch.no_grad():
        entering = backbone.entering(batch, 2)
        front = torch.from_numpy(tunable.kept["deep_prompts.2"]).expand(len(entering), -1, -1)
        longer = torch.cat([front, entering], dim=1)
        for block in list(backbone.blocks)[2:]:
            longer = block(longer)
        wanted = backbone.model.layernorm(longer[:, 3:])
        with tunable:
            found = backbone.body(**batch.inputs).last_hidden_state
    np.testing.assert_allclose(found, wanted, atol=2e-5)


def test_lora_of_two_folds_goes_into_one_model(tiny_picture, pictures):
    backbone = tiny_picture("dinov2")
    both = [moved(backbone.inject(KINDS["lora"], seed=seed), 0.2) for seed in (0, 1)]
    assert {one.joins for one in both} == {"lora"}
    tokens = backbone.tokens(pictures, Encoding())
    alone = []
    for one in both:
        with one:
            alone.append(backbone.features(tokens, Encoding()))
    with backbone.join(both) as joined:
        found = joined.vectors([*tokens, *tokens], [0] * len(tokens) + [1] * len(tokens),
                               Encoding())  # fmt: skip
    np.testing.assert_allclose(found, np.concatenate(alone), atol=2e-5)
