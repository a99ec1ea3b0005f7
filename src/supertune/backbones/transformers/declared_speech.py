"""What a folder of a model that writes down speech declares, read without torch or any weight."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from supertune.contracts import Offer

CAPABILITIES = frozenset(
    {
        *("transcribe", "features", "blocks", "layers", "linears", "biases", "torch"),
        *("decoder_prompts", "hints"),
    }
)
# Encoders of samples, with a head that gives each moment a character or none.
ALIGNING = frozenset({"wav2vec2", "hubert", "wavlm"})
FAMILIES = frozenset({"whisper"})  # encoders and decoders that read a window of sound at a time


def writes(config: Mapping[str, Any]) -> bool:
    """Whether a configuration is that of a model that writes down speech."""
    named = "ConditionalGeneration" in str(config.get("architectures"))
    return config.get("model_type") in FAMILIES and named


def offer(
    config: Mapping[str, Any], shapes: Mapping[str, Sequence[int]], languages: tuple[str, ...]
) -> Offer:
    """The offer of such a model."""
    return Offer(
        capabilities=CAPABILITIES,
        family="seq2seq",
        architecture=str(config["architectures"][0]),
        width=int(config["d_model"]),
        depth=int(config["encoder_layers"]),
        parameters=sum(
            math.prod(shape) for name, shape in shapes.items() if name != "proj_out.weight"
        ),
        max_length=int(config["max_target_positions"]),
        pooling="max",
        languages=languages,
        decoder_depth=int(config["decoder_layers"]),
        modality="audio",
        positions=500,  # of a window of ten seconds
    )


def aligning(config: Mapping[str, Any], found: Offer) -> Offer:
    """The offer of an encoder of recordings, which writes down speech where it has a CTC head."""
    named = "ForCTC" in str(config.get("architectures"))
    if config.get("model_type") not in ALIGNING or not named:
        return found
    return replace(found, capabilities=found.capabilities | {"transcribe"})
