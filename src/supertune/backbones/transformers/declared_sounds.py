"""What a folder of an encoder of recordings declares, read without torch or any weight."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from supertune.contracts import Offer

# Types whose position that stands for the whole has its own place, at the front.
_SUMMARY = frozenset({"audio-spectrogram-transformer"})


def hears(config: Mapping[str, Any], processor: Mapping[str, Any]) -> bool:
    """Whether a model reads recordings, and nothing else: its processor says how often a second
    they are sampled."""
    words = {"text_config", "vision_config"} & set(config)
    return not words and bool(processor.get("sampling_rate"))


def offer(
    config: Mapping[str, Any],
    processor: Mapping[str, Any],
    origin: Mapping[str, Any],
    shapes: Mapping[str, Sequence[int]],
    biases: bool,
) -> Offer:
    """The offer of an encoder of recordings.

    Args:
        processor: the content of ``preprocessor_config.json``.
        origin: what the catalogue noted about how the model is best read: ``pooling``, ``layer``.
        shapes: of the arrays of its weights, by name.
        biases: whether the linear layers of its blocks have them.
    """
    kind = str(config.get("model_type", ""))
    depth = int(config.get("encoder_layers") or config.get("num_hidden_layers") or 0)
    found = {"features", "torch"}
    if depth:
        found |= {"blocks", "layers", "linears"}
    if biases:
        found.add("biases")
    return Offer(
        capabilities=frozenset(found),
        family="seq2seq" if config.get("is_encoder_decoder") else "encoder",
        architecture=str((config.get("architectures") or [kind or "model"])[0]),
        width=int(config.get("d_model") or config.get("hidden_size") or 0),
        depth=depth,
        parameters=sum(math.prod(shape) for shape in shapes.values()),
        max_length=int(config.get("max_source_positions") or 1500),
        pooling=origin.get("pooling") or ("cls" if kind in _SUMMARY else "mean"),
        modality="audio",
        layer=origin.get("layer"),
    )
