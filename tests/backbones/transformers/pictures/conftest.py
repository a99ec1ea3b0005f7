"""Tiny encoders of pictures with random weights, one a family, and pictures drawn here.

They show that an architecture is handled; what a model is worth is never asked of them.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from supertune.backbones.transformers import ENGINE
from supertune.backbones.transformers.model import TransformersBackbone
from supertune.contracts import BackboneRef, Picture

TRANSFORMERS = ("vit", "dinov2", "registers", "deit", "beit")
CONVOLUTIONS = ("resnet", "convnext", "efficientnet_lite")
SIDE = 28


def picture(size: tuple[int, int], seed: int, kind: str = "PNG") -> Picture:
    """Coarse noise of (width, height) pixels."""
    from PIL import Image

    coarse = np.random.default_rng(seed).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    image = Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)
    stream = io.BytesIO()
    image.save(stream, format=kind)
    return Picture.of(stream.getvalue(), f"{seed}.{kind.lower()}")


@pytest.fixture(scope="session")
def pictures() -> list[Picture]:
    """Of unequal sizes."""
    sizes = [(28, 28), (40, 25), (31, 90), (64, 64), (17, 13), (200, 120), (28, 30)]
    return [picture(size, seed) for seed, size in enumerate(sizes)]


@pytest.fixture(scope="session")
def picture_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """``picture_folder("vit")``: a saved model of 4 blocks (stages) and its image processor."""
    made: dict[str, Path] = {}

    def folder(family: str) -> Path:
        if family not in made:
            made[family] = tmp_path_factory.mktemp("models") / f"tiny-random-{family}"
            _model(family).save_pretrained(made[family])
            _processor().save_pretrained(made[family])
        return made[family]

    return folder


@pytest.fixture(scope="session")
def tiny_picture(picture_folder: Callable[[str], Path]) -> Callable[[str], TransformersBackbone]:
    """``tiny_picture("vit")``: the same, opened."""
    known: dict[str, TransformersBackbone] = {}

    def found(family: str) -> TransformersBackbone:
        if family not in known:
            ref = BackboneRef(f"tiny-random-{family}", "transformers", picture_folder(family))
            known[family] = ENGINE.open(ref, device="cpu", threads=None)
        return known[family]

    return found


def _processor() -> Any:
    from transformers import AutoImageProcessor, ViTImageProcessorPil  # noqa: F401

    return ViTImageProcessorPil(size={"height": SIDE, "width": SIDE}, image_std=[0.3, 0.4, 0.5])


def _model(family: str) -> Any:
    import torch
    import transformers as t

    torch.manual_seed(3)
    patches = {"hidden_size": 32, "num_hidden_layers": 4, "num_attention_heads": 4}
    patches |= {"image_size": SIDE, "patch_size": 7}
    wide = {**patches, "intermediate_size": 48}
    stages = {"hidden_sizes": [8, 12, 16, 32], "depths": [1, 1, 2, 1]}
    build: dict[str, Callable[[], Any]] = {
        "vit": lambda: t.ViTModel(t.ViTConfig(**wide)),
        "dinov2": lambda: t.Dinov2Model(t.Dinov2Config(**patches, mlp_ratio=2)),
        "registers": lambda: t.Dinov2WithRegistersModel(
            t.Dinov2WithRegistersConfig(**patches, mlp_ratio=2, num_register_tokens=3)
        ),
        "deit": lambda: t.DeiTModel(t.DeiTConfig(**wide)),
        "beit": lambda: t.BeitModel(
            t.BeitConfig(**wide, use_relative_position_bias=True, use_mean_pooling=False)
        ),
        "swin": lambda: t.SwinModel(
            t.SwinConfig(
                image_size=32, patch_size=4, embed_dim=8, depths=[1, 1], num_heads=[2, 2],
                window_size=4,
            )
        ),
        "resnet": lambda: t.ResNetModel(t.ResNetConfig(**stages, embedding_size=8)),
        "convnext": lambda: t.ConvNextModel(t.ConvNextConfig(**stages, patch_size=2)),
        "efficientnet_lite": _efficientnet_lite,
    }  # fmt: skip
    return build[family]()


def _efficientnet_lite() -> Any:
    from supertune.architectures.efficientnet_lite import (
        EfficientNetLiteConfig,
        EfficientNetLiteModel,
        blocks_of,
    )

    stages = ((1, 3, 1, 1, 8), (2, 5, 2, 2, 12), (1, 3, 2, 2, 16))
    return EfficientNetLiteModel(
        EfficientNetLiteConfig(block_args=blocks_of(stages, 8), stem_channels=8, hidden_size=32)
    )
