"""Tiny random models of two towers, CLIP's and SigLIP's kind: no real ones are at hand.

What is held to published formulas is arithmetic, which random weights show as well as others.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

VISION = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "image_size": 28,
    "patch_size": 7,
}
TEXT = {
    "hidden_size": 24,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 48,
}
WIDTH = 16  # of the space that both towers share


def clip(folder: Path) -> Path:
    """A tiny random CLIP, with a tokenizer of single letters and a processor of Pillow's."""
    import torch
    from transformers import CLIPConfig, CLIPModel, CLIPTokenizer

    letters = _letters()
    words = [*letters, *(f"{one}</w>" for one in letters), "<|startoftext|>", "<|endoftext|>"]
    tokenizer = CLIPTokenizer(vocab={word: number for number, word in enumerate(words)}, merges=[])
    text = {**TEXT, "vocab_size": len(words), "bos_token_id": len(words) - 2}
    text |= {"eos_token_id": len(words) - 1, "pad_token_id": len(words) - 1}
    torch.manual_seed(0)
    config = CLIPConfig(text_config=text, vision_config=VISION, projection_dim=WIDTH)
    config.initializer_factor = config.text_config.initializer_factor = 3.0
    config.vision_config.initializer_factor = 3.0
    model = CLIPModel(config)
    return _saved(model, tokenizer, folder, "CLIPImageProcessor")


def siglip(folder: Path) -> Path:
    """A tiny random SigLIP, whose texts have no first token and are read at the last position."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast, SiglipConfig, SiglipModel

    words = {word: number for number, word in enumerate(["<pad>", "<unk>", *_letters()])}
    made = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<pad>", unk_token="<unk>", eos_token="<pad>"
    )
    torch.manual_seed(0)
    text = {**TEXT, "vocab_size": len(words), "projection_size": VISION["hidden_size"]}
    model = SiglipModel(SiglipConfig(text_config=text, vision_config=VISION))
    with torch.no_grad():  # as it is pretrained from; a random scale may be of any size
        model.logit_scale.fill_(2.3)
        model.logit_bias.fill_(-10.0)
    return _saved(model, tokenizer, folder, "SiglipImageProcessor")


def _saved(model: Any, tokenizer: Any, folder: Path, processor: str) -> Path:
    import json

    model.eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    side = {"height": VISION["image_size"], "width": VISION["image_size"]}
    clip = processor == "CLIPImageProcessor"
    size: dict[str, Any] = {"shortest_edge": VISION["image_size"]} if clip else side
    declared = {"image_processor_type": processor, "do_resize": True, "size": size, "resample": 3}
    declared |= {"do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True}
    declared |= {"image_mean": [0.48, 0.46, 0.41], "image_std": [0.27, 0.26, 0.28]}
    declared |= {"do_center_crop": clip, **({"crop_size": side} if clip else {})}
    (folder / "preprocessor_config.json").write_text(json.dumps(declared), "utf-8")
    return folder


def _letters() -> list[str]:
    from tokenizers.pre_tokenizers import ByteLevel

    return sorted(ByteLevel.alphabet())


COLOURS = {"blue sky": (50, 70, 210), "green_grass": (40, 180, 60), "red": (210, 50, 50)}


def coloured(each: int, seed: int = 0) -> Any:
    """Examples of so many pictures a label: noise around a colour, in memory."""
    import io

    import numpy as np
    from PIL import Image

    from supertune.contracts import Examples, Picture

    rng, inputs = np.random.default_rng(seed), []
    for name, colour in COLOURS.items():
        for number in range(each):
            noise = rng.normal(colour, 70, (28, 28, 3)).clip(0, 255).astype(np.uint8)
            stream = io.BytesIO()
            Image.fromarray(noise).save(stream, "PNG")
            inputs.append(Picture.of(stream.getvalue(), f"{name}-{number}.png"))
    targets = np.repeat(np.arange(3), each)
    rows = np.arange(1, len(inputs) + 1)
    return Examples(tuple(inputs), targets, tuple(COLOURS), rows)
