"""Small pipelines with random weights, for a family that has no weights in the registries."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

WORDS = ("a", "an", "clock", "cat", "red", "blue", "round", "picture", "of", "drawing", "face")


def random_pixel_pipeline(folder: Path, *, side: int = 16, predicts: str = "v_prediction") -> Path:
    """A denoiser of pixels by the states of a two-layer BERT."""
    from diffusers import DDIMScheduler
    from transformers import BertConfig, BertModel

    _seeded()
    text = BertConfig(
        vocab_size=len(_bert_words()), hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=64, max_position_embeddings=64,
    )  # fmt: skip
    BertModel(text).save_pretrained(folder / "text_encoder")
    _bert_tokenizer(folder / "tokenizer")
    _unet(folder, side, 3, 32)
    DDIMScheduler(num_train_timesteps=100, prediction_type=predicts).save_pretrained(
        folder / "scheduler"
    )
    return _listed(folder, "BertModel", "BertTokenizer", vae=False)


def random_latent_pipeline(folder: Path, *, side: int = 16, predicts: str = "epsilon") -> Path:
    """As Stable Diffusion is laid out: an autoencoder, a U-Net of latents, CLIP's text encoder."""
    from diffusers import AutoencoderKL, PNDMScheduler
    from transformers import CLIPTextConfig, CLIPTextModel

    _seeded()
    ends = {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 1}
    words = _clip_tokenizer(folder / "tokenizer")
    text = CLIPTextConfig(
        vocab_size=words, hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=64, max_position_embeddings=16, **ends,
    )  # fmt: skip
    CLIPTextModel(text).save_pretrained(folder / "text_encoder")
    AutoencoderKL(
        block_out_channels=(8, 16), latent_channels=4, norm_num_groups=4, sample_size=2 * side,
        down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
    ).save_pretrained(folder / "vae")  # fmt: skip
    _unet(folder, side, 4, 32)
    PNDMScheduler(
        num_train_timesteps=100, prediction_type=predicts, skip_prk_steps=True, steps_offset=1,
        beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012,
    ).save_pretrained(folder / "scheduler")  # fmt: skip
    return _listed(folder, "CLIPTextModel", "CLIPTokenizer", vae=True)


def _unet(folder: Path, side: int, channels: int, width: int) -> None:
    from diffusers import UNet2DConditionModel

    UNet2DConditionModel(
        sample_size=side, in_channels=channels, out_channels=channels, layers_per_block=1,
        block_out_channels=(8, 16), norm_num_groups=4, cross_attention_dim=width,
        attention_head_dim=4, down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
    ).save_pretrained(folder / "unet")  # fmt: skip


def _seeded() -> None:
    import torch

    torch.manual_seed(0)


def _bert_words() -> list[str]:
    letters = [chr(c) for c in range(ord("a"), ord("z") + 1)]
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    alone = [one for one in letters if one not in WORDS]
    return [*special, *WORDS, *alone, *[f"##{one}" for one in letters]]


def _bert_tokenizer(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "vocab.txt").write_text("\n".join(_bert_words()) + "\n", encoding="utf-8")
    from transformers import BertTokenizer

    made = BertTokenizer(str(folder / "vocab.txt"))
    made.save_pretrained(folder)


def _clip_tokenizer(folder: Path) -> int:
    """Letters, letters that end a word, and the words themselves; how many there are."""
    folder.mkdir(parents=True)
    letters = [chr(c) for c in range(ord("a"), ord("z") + 1)]
    names = ["<|startoftext|>", "<|endoftext|>", *letters, *[f"{one}</w>" for one in letters]]
    merges: list[str] = []
    for word in WORDS:
        parts = [*word[:-1], f"{word[-1]}</w>"]
        while len(parts) > 1:
            merge = f"{parts[0]} {parts[1]}"
            parts = [parts[0] + parts[1], *parts[2:]]
            if merge not in merges:
                merges.append(merge)
            if parts[0] not in names:
                names.append(parts[0])
    vocab = {name: number for number, name in enumerate(names)}
    (folder / "vocab.json").write_text(json.dumps(vocab), encoding="utf-8")
    (folder / "merges.txt").write_text(
        "#version: 0.2\n" + "\n".join(merges) + "\n", encoding="utf-8"
    )
    from transformers import CLIPTokenizer

    made: Any = CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"))
    made.model_max_length = 16
    made.save_pretrained(folder)
    return len(vocab)


def _listed(folder: Path, text: str, tokenizer: str, *, vae: bool) -> Path:
    listed: dict[str, Any] = {
        "_class_name": "StableDiffusionPipeline",
        "_diffusers_version": "0.42.1",
        "unet": ["diffusers", "UNet2DConditionModel"],
        "scheduler": ["diffusers", "PNDMScheduler" if vae else "DDIMScheduler"],
        "text_encoder": ["transformers", text],
        "tokenizer": ["transformers", tokenizer],
        "vae": ["diffusers", "AutoencoderKL"] if vae else [None, None],
        "safety_checker": [None, None],
        "feature_extractor": [None, None],
    }
    (folder / "model_index.json").write_text(json.dumps(listed, indent=1), encoding="utf-8")
    return folder
