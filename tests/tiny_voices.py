"""A tiny random voice in the layout of MMS-TTS: no real one but piper-joe is at hand."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

# How words are pronounced is asked of a program that pip cannot bring; the real voice is tested
# where it is.
needs_espeak = pytest.mark.skipif(
    shutil.which("espeak-ng") is None, reason="apt-get install espeak-ng"
)
LETTERS = " abcdefghijklmnopqrstuvwxyz'"
SMALL: dict[str, Any] = {
    "vocab_size": 1 + len(LETTERS),
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "ffn_dim": 32,
    "flow_size": 16,
    "spectrogram_bins": 9,
    "upsample_initial_channel": 32,
    "upsample_rates": [4, 4],
    "upsample_kernel_sizes": [8, 8],
    "resblock_kernel_sizes": [3],
    "resblock_dilation_sizes": [[1, 3]],
    "depth_separable_num_layers": 1,
    "duration_predictor_num_flows": 2,
    "prior_encoder_num_flows": 2,
    "prior_encoder_num_wavenet_layers": 2,
    "posterior_encoder_num_wavenet_layers": 2,
    "sampling_rate": 8000,
}


def vits(folder: Path, *, phonemize: bool = False, **changed: Any) -> Path:
    """A random `VitsModel` that reads letters."""
    import torch
    from transformers import VitsConfig, VitsModel

    torch.manual_seed(0)
    model = VitsModel(VitsConfig(**{**SMALL, **changed}))
    model.save_pretrained(folder)
    words = {"<pad>": 0, **{sign: 1 + place for place, sign in enumerate(LETTERS)}}
    (folder / "vocab.json").write_text(json.dumps(words), "utf-8")
    settings = {
        "tokenizer_class": "VitsTokenizer",
        "language": "eng",
        "add_blank": True,
        "normalize": True,
        "phonemize": phonemize,
        "is_uroman": False,
        "pad_token": "<pad>",
        "unk_token": "<pad>",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), "utf-8")
    return folder
