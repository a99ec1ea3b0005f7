"""What a folder of a translator declares, read without torch or any weight."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from supertune.contracts import Offer

CAPABILITIES = frozenset({"translate", "blocks", "linears", "biases", "decoder_prompts", "torch"})
FAMILIES = frozenset({"bergamot"})
LANGUAGES = ("source_language", "target_language")


def translates(config: Mapping[str, Any]) -> bool:
    """Whether a configuration is that of a translator."""
    return config.get("model_type") in FAMILIES


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
