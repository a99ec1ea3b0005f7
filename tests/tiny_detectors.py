"""Detectors of transformers with random weights, some ten thousand numbers each, made here.

They show that an architecture is handled; what a detector is worth is never asked of them. Their
convolutional part is transformers' own small ResNet.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

KINDS = ("detr", "conditional_detr", "yolos", "rt_detr", "rt_detr_v2", "d_fine")
CLASSES = {0: "cat", 1: "dog", 2: "apple"}
SIDE = 64


def written(kind: str, folder: Path) -> Path:
    """A tiny random detector of that ``model_type``, in ``folder``."""
    import torch
    from transformers import AutoModelForObjectDetection

    from supertune.backbones.transformers.loading import quiet

    with torch.random.fork_rng(devices=[]), quiet():
        torch.manual_seed(0)
        model = AutoModelForObjectDetection.from_config(configuration(kind))
        if kind.startswith("rt_detr"):
            _settle(model)
        model.save_pretrained(folder)
    return folder


def configuration(kind: str) -> Any:
    import transformers

    known = {"id2label": CLASSES, "label2id": {name: i for i, name in CLASSES.items()}}
    if kind == "yolos":
        return transformers.YolosConfig(
            hidden_size=32, num_hidden_layers=3, num_attention_heads=2, intermediate_size=64,
            image_size=[SIDE, SIDE], patch_size=8, num_detection_tokens=8,
            use_mid_position_embeddings=True, **known,
        )  # fmt: skip
    two_stage = kind in ("rt_detr", "rt_detr_v2", "d_fine")
    convolutions = transformers.ResNetConfig(
        embedding_size=8, hidden_sizes=[16, 24, 32], depths=[1, 1, 1], layer_type="basic",
        out_features=["stage1", "stage2", "stage3"] if two_stage else ["stage3"],
    )  # fmt: skip
    shared = {
        "backbone_config": convolutions, "d_model": 32, "encoder_layers": 1, "decoder_layers": 2,
        "encoder_attention_heads": 2, "decoder_attention_heads": 2, "encoder_ffn_dim": 64,
        "decoder_ffn_dim": 64, "num_queries": 10, "dropout": 0.1, **known,
    }  # fmt: skip
    if not two_stage:
        made = {"detr": transformers.DetrConfig}.get(kind, transformers.ConditionalDetrConfig)
        return made(use_timm_backbone=False, **shared)
    made = {"rt_detr": transformers.RTDetrConfig, "rt_detr_v2": transformers.RTDetrV2Config}
    return made.get(kind, transformers.DFineConfig)(
        encoder_hidden_dim=32, encoder_in_channels=[16, 24, 32], feat_strides=[4, 8, 16],
        decoder_in_channels=[32, 32, 32], num_feature_levels=3, hidden_expansion=1.0,
        decoder_n_points=[2, 2, 2] if kind == "d_fine" else 2, freeze_backbone_batch_norms=False,
        num_denoising=4, **shared,
    )  # fmt: skip


def _settle(model: Any) -> None:
    """Batch norms learn what passes through them, without which random maps all look alike."""
    import torch

    for one in model.modules():
        if isinstance(one, torch.nn.BatchNorm2d):
            one.momentum = 0.5
    pixels = torch.rand(4, 3, SIDE, SIDE)
    pixels[:, 0, 12:40, 12:40], pixels[:, 1:, 12:40, 12:40] = 0.9, 0.1
    model.train()
    with torch.no_grad():
        for _ in range(8):
            model(pixel_values=pixels)
