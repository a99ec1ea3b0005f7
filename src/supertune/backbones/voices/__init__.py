"""Voices that speak texts: VITS of transformers (MMS-TTS), and Piper's."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

from supertune.backbones._modules import ModuleEngine
from supertune.contracts import Backbone, BackboneRef, Offer

LONGEST = 512  # symbols of a piece of text that are foreseen
PIPER = 15_650_459  # weights of a Piper voice of medium size


def offer(
    architecture: str, width: int, depth: int, parameters: int, languages: tuple[str, ...]
) -> Offer:
    """What a voice offers. Its rows are recordings of a speaker, with what is said in them."""
    return Offer(
        capabilities=frozenset({"synthesise", "torch"}),
        family="encoder",
        architecture=architecture,
        width=width,
        depth=depth,
        parameters=parameters,
        max_length=LONGEST,
        pooling="mean",
        languages=languages,
        modality="audio",
        positions=500,
    )


def _offered(ref: BackboneRef, config: Mapping[str, Any]) -> Offer:
    piper = config.get("model_type") == "piper"
    return offer(
        "PiperModel" if piper else "VitsModel",
        int(config.get("hidden_size", 192)),
        int(config.get("num_hidden_layers", 6)),
        _weights(ref) or PIPER,
        (str(config.get("espeak_voice", "en-us")).split("-")[0],) if piper else (),
    )


def _weights(ref: BackboneRef) -> int:
    """By the header of the file of weights; 0 where it has none that can be read."""
    import json

    place = None if ref.folder is None else ref.folder / "model.safetensors"
    if place is None or not place.is_file():
        return 0
    with place.open("rb") as stream:
        size = int.from_bytes(stream.read(8), "little")
        if size > 10_000_000:
            return 0
        try:
            header = json.loads(stream.read(size))
        except ValueError:
            return 0
    return sum(prod(one["shape"]) for name, one in header.items() if name != "__metadata__")


def _opened(ref: BackboneRef, config: Mapping[str, Any], threads: int | None) -> Backbone:
    from supertune.backbones.voices.model import VoiceBackbone

    return VoiceBackbone.load(ref, config, threads)


ENGINE = ModuleEngine(
    name="voices",
    summary="Voices that speak texts: VITS of transformers (MMS-TTS) and Piper's, by folder or id",
    what="voice",
    example="piper-joe",
    model_types=frozenset({"vits", "piper"}),
    offered=_offered,
    opened=_opened,
    modalities=("audio",),
    extra="speech",
)
