"""Tiny random models that read recordings: no real ones but whisper-base are at hand.

What is held to transformers' own run is arithmetic, which random weights show as well as others.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

SMALL = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
}
WAVES: dict[str, Any] = {
    **SMALL,
    "conv_dim": (16, 16, 16),
    "conv_kernel": (10, 8, 8),
    "conv_stride": (5, 8, 8),
    "num_feat_extract_layers": 3,
    "num_conv_pos_embeddings": 8,
    "num_conv_pos_embedding_groups": 4,
}


def wav2vec2(folder: Path) -> Path:
    """A tiny random wav2vec 2.0, told by a mask which samples are sound."""
    from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model

    config = Wav2Vec2Config(**WAVES, feat_extract_norm="layer", do_stable_layer_norm=True)
    extractor = Wav2Vec2FeatureExtractor(return_attention_mask=True)
    return _saved(Wav2Vec2Model, config, extractor, folder)


def hubert(folder: Path) -> Path:
    """A tiny random HuBERT, which reads silence behind a clip as it is."""
    from transformers import HubertConfig, HubertModel, Wav2Vec2FeatureExtractor

    extractor = Wav2Vec2FeatureExtractor(return_attention_mask=False)
    return _saved(HubertModel, HubertConfig(**WAVES), extractor, folder)


def ctc(folder: Path, kind: str = "Wav2Vec2", *, depth: int = 3) -> Path:
    """A tiny random wav2vec 2.0, ``Hubert`` or ``WavLM`` with a CTC head over capital letters."""
    import json

    import transformers

    made = ["<pad>", "<s>", "</s>", "<unk>", "|", "'", *map(chr, range(ord("A"), ord("Z") + 1))]
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = folder / "vocab.json"
    vocabulary.write_text(json.dumps({sign: place for place, sign in enumerate(made)}), "utf-8")
    transformers.Wav2Vec2CTCTokenizer(str(vocabulary)).save_pretrained(folder)
    sizes = {**WAVES, "num_hidden_layers": depth, "conv_stride": (5, 8, 4)}
    numbers = {"vocab_size": len(made), "pad_token_id": 0, "ctc_loss_reduction": "sum"}
    config = getattr(transformers, f"{kind}Config")(**sizes, **numbers)
    extractor = transformers.Wav2Vec2FeatureExtractor(return_attention_mask=False)
    return _saved(getattr(transformers, f"{kind}ForCTC"), config, extractor, folder)


def ast(folder: Path) -> Path:
    """A tiny random AST, which reads patches of a spectrum of one length."""
    from transformers import ASTConfig, ASTFeatureExtractor, ASTModel

    config = ASTConfig(**SMALL, max_length=128, num_mel_bins=32, patch_size=16)
    return _saved(ASTModel, config, ASTFeatureExtractor(max_length=128, num_mel_bins=32), folder)


def whisper(folder: Path) -> Path:
    """A tiny random Whisper, its encoder and decoder, with a window of 15 s."""
    from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperForConditionalGeneration

    config = WhisperConfig(
        vocab_size=40,
        d_model=32,
        encoder_layers=3,
        decoder_layers=2,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=64,
        decoder_ffn_dim=64,
        max_source_positions=750,
        max_target_positions=16,
        num_mel_bins=80,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=1,
        decoder_start_token_id=2,
        begin_suppress_tokens=None,
        suppress_tokens=None,
    )
    extractor = WhisperFeatureExtractor(chunk_length=15)
    return _saved(WhisperForConditionalGeneration, config, extractor, folder)


def _saved(kind: Any, config: Any, extractor: Any, folder: Path) -> Path:
    import torch

    torch.manual_seed(0)
    model = kind(config)
    model.save_pretrained(folder)
    extractor.save_pretrained(folder)
    return folder
