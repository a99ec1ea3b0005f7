"""Training on pictures: dinov2-small at 56 pixels a side, beside plain peft, and through folds.

What every method promises is asked in tests/contract.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from supertune import registry
from supertune.catalogue.corpora import few_shot
from supertune.config import Recipe
from supertune.contracts import Examples, HeadSpec, Lens, Problem
from supertune.pipeline import Workshop
from supertune.training import fitting, loop, readout
from supertune.training.cache import ActivationCache
from supertune.training.lens import CachedLens
from supertune.training.verify import verified

LORA = registry.method("lora")
BLOCKS, EPOCHS, BATCH = (10, 11), 3, 8
SOLVED = ("linear_probe", "nearest_centroid", "layered_probe")


@pytest.fixture(scope="module")
def lens(own_activations: Path) -> Lens:
    found = Workshop(Recipe(resolution=56, threads=1)).lens("dinov2-small")
    assert found is not None
    return found


@pytest.fixture(scope="module")
def emoji(own_activations: Path) -> Examples:
    """18 of three categories."""
    rows, _ = few_shot("emoji", per_class=6, test_rows=1, seed=0)
    labels = ("Flags", "Food & Drink", "Smileys & Emotion")
    some = [(picture, label) for picture, label in rows if label in labels]
    targets = np.array([labels.index(label) for _, label in some])
    pictures = tuple(picture for picture, _ in some)
    return Examples(pictures, targets, labels, np.arange(1, len(some) + 1)).canonical()


def problem(rows: Examples, lens: Lens) -> Problem:
    return Problem(rows, HeadSpec(len(rows.labels)), lens, seed=0)


def test_lora_from_the_cache_has_the_losses_of_plain_peft_from_the_pixels(emoji, lens):
    options = LORA.options(blocks=BLOCKS, epochs=EPOCHS, batch_size=BATCH)
    tuned = loop.train(LORA, problem(emoji, lens), options)
    wanted = by_peft(emoji, lens, options)
    assert len(tuned.losses) == len(wanted) == EPOCHS * -(-len(emoji) // BATCH)
    np.testing.assert_allclose(tuned.losses, wanted, atol=1e-5)
    assert tuned.losses[-1] < tuned.losses[0]


def test_the_number_of_pixels_is_chosen_like_the_layers_and_kept_with_them(emoji, lens):
    method = registry.method("layered_probe")
    asked = problem(emoji, lens)
    losses = {}
    for side in (28, 56):
        alone = fitting.fit(method, asked, method.options(resolutions=(side,)))
        assert alone.resolution == side
        losses[side] = alone
    tuned = fitting.fit(method, asked, method.options(resolutions=(56, 28)))
    best = losses[tuned.resolution]
    np.testing.assert_array_equal(best.head.weight, tuned.head.weight)
    again = method.restore(tuned.state(), asked.head, lens)
    inputs = list(emoji.inputs[:3])
    wanted = tuned.logits(inputs, lens)
    np.testing.assert_array_equal(again.logits(inputs, lens), wanted)
    read = lens.under(replace(lens.encoding, resolution=tuned.resolution))
    unchosen = replace(tuned, resolution=None)
    np.testing.assert_array_equal(unchosen.logits(inputs, read), wanted)


@pytest.mark.parametrize("name", SOLVED)
def test_views_of_pictures_are_learned_from(name, emoji, lens):
    method = registry.method(name)
    asked = replace(problem(emoji, lens), varied=registry.modality("image").varied)
    plain, wide = (fitting.fit(method, asked, method.options(views=m)) for m in (0, 1))
    one, other = (tuned.logits(list(emoji.inputs), lens) for tuned in (plain, wide))
    assert np.abs(one - other).max() > 1e-3
    assert (one.argmax(1) == other.argmax(1)).mean() > 0.8


def test_prompts_at_their_own_rate_do_not_throw_a_solved_head_off(emoji, lens):
    """States of dinov2-small are a sixtieth of those of smollm2, where the rate was chosen."""
    method = registry.method("deep_prompts")
    losses = loop.train(method, problem(emoji, lens), method.options(epochs=4)).losses
    assert max(losses) < 1.5 * losses[0]
    assert losses[-1] < losses[0]


def by_peft(rows: Examples, lens: Lens, options) -> list[float]:
    """The same adapter and head from the same numbers, by peft and PyTorch alone."""
    import torch
    from peft import LoraConfig, get_peft_model, set_peft_model_state_dict
    from transformers import AutoModel

    tunable = lens.backbone.inject(LORA.injection(lens.backbone.offer, options), seed=0)
    with tunable:
        adapter = {name: torch.tensor(array) for name, array in tunable.state().items()}
    base = AutoModel.from_pretrained(lens.backbone.ref.folder)
    config = LoraConfig(
        r=options.rank, lora_alpha=options.alpha, target_modules=["q_proj", "v_proj"],
        layers_to_transform=list(BLOCKS),
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # peft asks transformers by an older name
        model = get_peft_model(base, config).eval()
    set_peft_model_state_dict(model, adapter)
    head = readout.solved(problem(rows, lens), lens.features(rows.inputs))
    weight, bias = (torch.nn.Parameter(torch.tensor(part)) for part in (head.weight, head.bias))
    tuned = [parameter for parameter in model.parameters() if parameter.requires_grad]
    made = torch.optim.AdamW(
        [{"params": tuned, "weight_decay": options.weight_decay},
         {"params": [weight, bias], "weight_decay": 0.0}],
        lr=options.learning_rate,
    )  # fmt: skip
    pieces = [pieces[0] for pieces in lens.backbone.tokens(rows.inputs, lens.encoding)]
    pixels = lens.backbone.tensors(pieces, len(pieces), len(pieces[0])).inputs["pixel_values"]
    targets = torch.tensor(rows.targets)
    rng, steps, losses = np.random.default_rng(0), EPOCHS * -(-len(rows) // BATCH), []
    rise = max(1, round(0.1 * steps))
    for _ in range(EPOCHS):
        order = rng.permutation(len(rows))
        for index in (order[start : start + BATCH] for start in range(0, len(rows), BATCH)):
            step = len(losses)
            rate = (step + 1) / rise if step < rise else (steps - step) / max(1, steps - rise)
            for group in made.param_groups:
                group["lr"] = options.learning_rate * rate
            last = model(pixel_values=pixels[index]).last_hidden_state
            vectors = torch.cat([last[:, 0], last[:, 1:].mean(1)], dim=1)
            loss = torch.nn.functional.cross_entropy(vectors @ weight + bias, targets[index])
            made.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_([*tuned, weight, bias], 1.0)
            made.step()
            losses.append(loss.item())
    return losses


def test_one_pass_over_the_pictures_serves_every_layer_every_fold_and_every_method(
    emoji, lens, tmp_path
):
    with ActivationCache(tmp_path) as store:
        own = CachedLens(lens.backbone, lens.encoding, store)
        asked = problem(emoji, own)
        fitting.fit(LORA, asked, LORA.options(blocks=BLOCKS, epochs=1))
        assert own.computed == len(emoji)  # what enters the cut came on the way
        folds = [[(np.arange(0, 12), np.arange(12, 18)), (np.arange(6, 18), np.arange(6))]]
        for name in SOLVED:
            method = registry.method(name)
            fitting.out_of_fold(method, asked, method.options(), folds)
        for layer in (7, 12):
            own.under(replace(lens.encoding, layer=layer, pooling="mean")).features(emoji.inputs)
        assert own.computed == len(emoji)


def test_a_layer_below_the_top_is_tuned_up_to_it_and_no_further(emoji, lens):
    low = lens.under(replace(lens.encoding, layer=8))
    asked = problem(emoji, low)
    options = LORA.options(epochs=1)
    tuned = fitting.fit(LORA, asked, options)
    blocks = {int(name.split("layer.")[1].split(".")[0]) for name in tuned.state().adapter}
    assert blocks == {4, 5, 6, 7}
    assert not verified(LORA, asked, options, tuned)


def test_an_encoder_of_pictures_is_given_no_texts_and_reads_no_names(lens):
    from supertune.contracts import misfit

    offer = lens.backbone.offer
    reads = "Dinov2Model reads image, not text"
    assert misfit(registry.method("linear_probe"), "classify", offer) == reads
    for name, lacks in (("label_names", "names"), ("prompt_tuning", "tokens")):
        why = misfit(registry.method(name), "classify", offer, "image")
        assert why == f"{name} needs {lacks}, which Dinov2Model lacks"
