"""What a folder of a translator declares, read without torch or any weight."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from supertune.contracts import Offer

CAPABILITIES = frozenset(
    {"translate", "aligned", "blocks", "linears", "biases", "decoder_prompts", "torch"}
)
LANGUAGES = ("source_language", "target_language")
# What else transformers has of them: encoders and decoders, told a pair of languages or knowing it.
OF_TRANSFORMERS = {
    "marian": "MarianMTModel",
    "m2m_100": "M2M100ForConditionalGeneration",
    "t5": "T5ForConditionalGeneration",
    "mt5": "MT5ForConditionalGeneration",
    "umt5": "UMT5ForConditionalGeneration",
}
_MANY = {"m2m_100", "mt5", "umt5"}


def translates(config: Mapping[str, Any]) -> bool:
    """Whether a configuration is that of a translator which does nothing else."""
    return config.get("model_type") == "bergamot"


def offer(config: Mapping[str, Any], shapes: Mapping[str, Sequence[int]]) -> Offer:
    """The offer of such a model."""
    known = (str(config.get(name) or "") for name in LANGUAGES)
    return Offer(
        capabilities=CAPABILITIES,
        family="seq2seq",
        architecture=str((config.get("architectures") or ["BergamotForTranslation"])[0]),
        width=int(config["d_model"]),
        depth=int(config["encoder_layers"]),
        parameters=sum(math.prod(shape) for shape in shapes.values()),
        max_length=int(config.get("max_position_embeddings") or 512),
        pooling="mean",
        languages=tuple(language for language in known if language),
        decoder_depth=int(config["decoder_layers"]),
    )


def translating(config: Mapping[str, Any], tokenizer: Mapping[str, Any], found: Offer) -> Offer:
    """The offer of a reader of texts, which translates too where it has a decoder for that.

    Args:
        tokenizer: what ``tokenizer_config.json`` holds.
    """
    kind = str(config.get("model_type"))
    if OF_TRANSFORMERS.get(kind, "-") not in str(config.get("architectures")):
        return found
    told = (str(tokenizer.get(name) or "") for name in ("source_lang", "target_lang"))
    languages = ("*",) if kind in _MANY else tuple(language for language in told if language)
    depth = config.get("decoder_layers") or config.get("num_decoder_layers")
    return replace(
        found,
        capabilities=found.capabilities | {"translate"},
        languages=languages or found.languages,
        decoder_depth=int(depth or found.decoder_depth or found.depth),
    )
