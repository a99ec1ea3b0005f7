"""What the files beside an ONNX encoder of pictures declare, read without onnxruntime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from supertune.backbones._picture_rows import PIXELS, PROCESSOR, declared
from supertune.backbones._sentence_folder import read_json
from supertune.backbones.onnx.header import Header, Port
from supertune.backbones.transformers import declared_pictures
from supertune.backbones.transformers.preprocessing import Preprocessing
from supertune.contracts import Offer, Pooling, ResizeMode

BESIDE = (PROCESSOR, "labels.json")
_MODES: dict[str, ResizeMode] = {"stretch": "stretch", "crop": "crop", "pad": "pad"}


def reads_pixels(found: Header) -> bool:
    """Whether the one thing that a graph reads are pixels (pictures, 3, side, side) float32."""
    if len(found.inputs) != 1 or found.inputs[0].name != PIXELS:
        return False
    shape = found.inputs[0].shape
    return found.inputs[0].floats and (shape is None or (len(shape) == 4 and shape[1] in (0, 3)))


def reading(folder: Path, name: str) -> Preprocessing:
    """How a picture becomes pixels.

    Raises:
        InputError: ``image_processor_unreadable``.
    """
    ours = read_json(folder / "labels.json") or {}
    if "edge" in ours:  # of a graph that `supertune export` wrote
        mean, spread = (tuple(map(float, ours[key])) for key in ("mean", "spread"))
        squeezed = ours["resize"] == "squeeze"
        return Preprocessing(
            ours["side"], ours["edge"], squeezed, ours["resample"], ours["scale"], mean, spread
        )
    return declared(folder, name)


def offer(
    folder: Path,
    found: Header,
    made: Preprocessing,
    vectors: Port | None,
    states: Port | None,
) -> Offer:
    config = read_json(folder / "config.json") or {}
    ours = read_json(folder / "labels.json") or {}
    origin = read_json(folder / "supertune-origin.json") or {}
    read = vectors or states
    assert read is not None
    maps = states is not None and states.shape is not None and len(states.shape) == 4
    sized = (read.shape[1] if maps and vectors is None else read.shape[-1]) if read.shape else 0
    shape = found.inputs[0].shape or (0, 3, 0, 0)
    side = shape[2] or int(origin.get("resolution") or made.side)
    pooling: Pooling = "projected"
    if vectors is None:
        kind = str(config.get("model_type", ""))
        summary = not maps and found.summary
        pooling = origin.get("pooling") or declared_pictures.pooling(kind, summary)
    return Offer(
        capabilities=frozenset({"features"}),
        family="encoder",
        architecture=str((config.get("architectures") or ["ONNX graph"])[0]),
        width=sized or int(config.get("hidden_size") or 0),
        depth=0,
        parameters=found.parameters,
        max_length=max(8, (side // (patch(config) or 16)) ** 2 + 1),
        pooling=pooling,
        modality="image",
        resolution=side,
        resize_mode=origin.get("resize_mode") or _MODES.get(str(ours.get("resize"))),
    )


def patch(config: dict[str, Any]) -> int:
    """Pixels a side of a patch; 0 where nothing is said, or where lower stages merge patches."""
    size = config.get("patch_size") or 0
    size = size if isinstance(size, int) else size[0]
    return 0 if config.get("depths") else int(size)
