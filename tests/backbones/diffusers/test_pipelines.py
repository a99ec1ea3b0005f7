"""Pipelines of random weights: what is cached, drawn and judged is what diffusers itself does."""

from __future__ import annotations

import contextlib
import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.conftest import write_wugs

import supertune as tune
from supertune.backbones.diffusers import ENGINE, declared
from supertune.backbones.diffusers.tuning import ATTENTION, CONVOLUTIONS
from supertune.contracts import BackboneRef, Caption, Imagined, Noise, Picture, Sampling, Still
from supertune.contracts.diffusion import DENOISER, fixed
from supertune.data.pictures import captions

HOW = Sampling(steps=3, guidance=2.0)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Picture]:
    folder = write_wugs(tmp_path_factory.mktemp("seen") / "wugs", 3)
    return [Picture.of(one.read_bytes(), one.name) for one in sorted(folder.glob("*.png"))]


@pytest.fixture(scope="module", params=["pixel_pipeline", "latent_pipeline"])
def backbone(request: pytest.FixtureRequest) -> Any:
    folder = request.getfixturevalue(request.param)
    return ENGINE.open(BackboneRef("random", "diffusers", folder), device="cpu", threads=1)


@contextlib.contextmanager
def plain_diffusers(folder: Path) -> Iterator[Any]:
    """A plain pipeline with the scheduler that pictures are drawn by here."""
    from diffusers import DDIMScheduler, StableDiffusionPipeline

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of diffusers and of the libraries below it
        pipe = StableDiffusionPipeline.from_pretrained(folder, safety_checker=None)
        pipe.scheduler = DDIMScheduler.from_config(pipe.scheduler.config)
        pipe.set_progress_bar_config(disable=True)
        yield pipe


def drawn_plainly(pipe: Any, prompt: str, seed: int) -> np.ndarray[Any, Any]:
    noise = torch.randn((1, 4, 16, 16), generator=torch.Generator().manual_seed(seed))
    image = pipe(
        prompt, latents=noise, num_inference_steps=HOW.steps, guidance_scale=HOW.guidance,
        output_type="np", height=32, width=32,
    ).images[0]  # fmt: skip
    return np.asarray((image * 255).round(), dtype=np.uint8)


def test_what_it_offers_is_read_without_a_weight(pixel_pipeline: Path) -> None:
    offer = ENGINE.offers(BackboneRef("random", "diffusers", pixel_pipeline))
    assert {"denoise", "torch"} <= offer.capabilities
    assert "features" not in offer.capabilities
    assert (offer.modality, offer.resolution) == ("image", 16)
    assert offer.parameters > 50_000


def test_a_picture_enters_as_pixels_or_as_latents(backbone: Any, pictures: list[Picture]) -> None:
    side = backbone.declared.side
    (found,) = backbone.activations([Still(pictures[0], side)], DENOISER)
    assert found.shape == (backbone.declared.channels, 16, 16)
    if backbone.vae is None:
        assert -1.0 <= found.min() < found.max() == pytest.approx(1.0)
    (mirrored,) = backbone.activations([Still(pictures[0], side, mirrored=True)], DENOISER)
    if backbone.vae is None:
        assert np.array_equal(mirrored, found[:, :, ::-1])


def test_no_bits_depend_on_what_is_beside_them(backbone: Any, pictures: list[Picture]) -> None:
    pieces = [Still(one, backbone.declared.side) for one in pictures]
    pieces += [Caption("a clock"), Caption("")]
    pieces += [Imagined("a cat", seed, HOW) for seed in (1, 2)]
    together = backbone.activations(pieces, DENOISER)
    alone = [backbone.activations([piece], DENOISER)[0] for piece in pieces]
    for one, other in zip(together, alone, strict=True):
        assert one.tobytes() == other.tobytes()
    size = backbone.declared.side
    several = backbone.sample(["a cat", "a clock", "a cat"], [5, 6, 7], HOW, size=size)
    one = backbone.sample(["a cat"], [7], HOW, size=size)
    assert several[2].tobytes() == one[0].tobytes()
    assert several[0].shape == (size, size, 3)
    assert several[0].tobytes() != several[2].tobytes()


def test_losses_are_those_of_the_definition(backbone: Any, pictures: list[Picture]) -> None:
    side = backbone.declared.side
    latents, states = backbone.activations([Still(pictures[0], side), Caption("a cat")], DENOISER)
    noise = Noise(np.array([10, 60]), (3, 4), (1, -1))
    given = backbone.judged(latents, states, noise)
    kept = backbone.scheduler.alphas_cumprod[torch.tensor([10, 60])].view(2, 1, 1, 1)
    made = torch.stack(
        [
            sign * torch.randn(latents.shape, generator=torch.Generator().manual_seed(seed))
            for seed, sign in ((3, 1), (4, -1))
        ]
    )
    shown = torch.from_numpy(latents)[None].expand(2, -1, -1, -1)
    noisy = backbone.scheduler.add_noise(shown, made, torch.tensor([10, 60]))
    read = torch.from_numpy(states)[None].expand(2, -1, -1)
    mask = read[..., -1] if backbone.declared.masked else None
    with torch.no_grad():
        said = backbone.unet(
            noisy, torch.tensor([10, 60]), encoder_hidden_states=read[..., :-1],
            encoder_attention_mask=mask,
        ).sample  # fmt: skip
    wanted = made
    if backbone.foretells == "v_prediction":
        wanted = backbone.scheduler.get_velocity(shown, made, torch.tensor([10, 60]))
    expected = ((said - wanted) ** 2).mean(dim=(1, 2, 3))
    assert np.allclose(given, expected.numpy(), rtol=1e-5)
    assert float(kept[0]) > float(kept[1])


def test_fixed_draws_cover_the_levels_and_come_in_opposites() -> None:
    one, again, other = fixed("a", 1000, 16), fixed("a", 1000, 16), fixed("b", 1000, 16)
    assert (one.levels == again.levels).all()
    assert one.seeds == again.seeds != other.seeds
    assert one.signs == (1, -1) * 8
    assert one.seeds[::2] == one.seeds[1::2]
    assert [int(level) // 125 for level in one.levels[::2]] == list(range(8))


def test_padding_of_a_caption_says_nothing(pixel_pipeline: Path, pictures: list[Picture]) -> None:
    backbone: Any = ENGINE.open(
        BackboneRef("random", "diffusers", pixel_pipeline), device="cpu", threads=1
    )
    latents, states = backbone.activations([Still(pictures[0], 16), Caption("a cat")], DENOISER)
    noise = Noise(np.array([40]), (3,), (1,))
    before = backbone.judged(latents, states, noise)
    shouted = states.copy()
    shouted[states[:, -1] == 0, :-1] = 9.0
    assert (states[:, -1] == 0).any()
    assert np.allclose(backbone.judged(latents, shouted, noise), before, rtol=1e-6)


def test_plain_diffusers_draws_the_same_and_reads_what_was_tuned(
    latent_pipeline: Path, tmp_path: Path, own_activations: Path
) -> None:
    wugs = write_wugs(tmp_path / "wugs", 4)
    fit: dict[str, Any] = {"task": "image_generation", "backbone": str(latent_pipeline)}
    fit |= {"concept": "a wug clock", "test": wugs, "learning_rate": 0.02, "seed": 1}
    held = [Picture.of(p.read_bytes(), p.name) for p in sorted(wugs.glob("*.png"))]
    fit["test"] = [captions.quarters(held[0])[0]]
    loras = {
        targets: tune.fit(
            wugs,
            method="lora",
            epochs=1,
            batch_size=16,
            targets=targets,
            output=tmp_path / f"l{len(targets)}",
            **fit,
        )
        for targets in (ATTENTION, (*ATTENTION, *CONVOLUTIONS))
    }
    word = tune.fit(
        wugs, method="textual_inversion", vectors=2, steps=4, output=tmp_path / "w", **fit
    )
    how = HOW.model_dump()
    prompt, seed = "a wug clock", 4
    (untuned,) = tune.generate(latent_pipeline, prompt, seed=seed, **how)["pictures"]
    with plain_diffusers(latent_pipeline) as pipe:
        assert np.array_equal(drawn_plainly(pipe, prompt, seed), untuned)
        for targets, lora in loras.items():
            pipe.load_lora_weights(tmp_path / f"l{len(targets)}")
            (ours,) = lora.generate(prompt, seed=seed, **how)
            assert np.array_equal(drawn_plainly(pipe, prompt, seed), ours)
            assert not np.array_equal(ours, untuned)
            pipe.unload_lora_weights()
        pipe.load_textual_inversion(tmp_path / "w")
        (ours,) = word.generate(prompt, seed=seed, **how)
        assert np.array_equal(drawn_plainly(pipe, prompt, seed), ours)
        assert not np.array_equal(ours, untuned)


def test_half_precision_and_pieces_of_weights_are_found(latent_pipeline: Path) -> None:
    assert [
        one.name for one in declared.weights(latent_pipeline / "unet", declared.WEIGHTS["unet"])
    ]
    text = json.loads((latent_pipeline / "text_encoder" / "config.json").read_text())
    found = declared.read(BackboneRef("random", "diffusers", latent_pipeline))
    assert (found.length, found.masked) == (text["max_position_embeddings"], False)
    assert (found.side, found.shrinks, found.multiple) == (32, 2, 4)
