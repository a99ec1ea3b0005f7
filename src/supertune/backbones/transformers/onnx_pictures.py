"""An encoder of pictures with a linear head as one ONNX graph.

The graph reads squares of pixels (n, 3, side, side) float32 as the model's own preprocessing makes
them, and gives ``scores`` (n, C), the ``vectors`` (n, d) behind them and, of labels,
``probabilities`` (n, C). Rows may be of any number.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from supertune.backbones.transformers.model import TransformersBackbone
from supertune.backbones.transformers.onnx_graph import Head, refused, write_graph
from supertune.backbones.transformers.pixels import PixelReader
from supertune.backbones.transformers.pooling import as_rows
from supertune.contracts import BackboneRef, Encoding, FloatArray, Offer

INPUT = "pixel_values"
_POOLED = ("mean", "cls", "cls_mean")


def write_onnx(
    ref: BackboneRef,
    offer: Offer,
    encoding: Encoding,
    head: tuple[FloatArray, FloatArray],
    shares: str | None,
    path: Path,
) -> None:
    """As `onnx_graph.write_onnx`, of a backbone that reads pictures."""
    pooling = encoding.pooling or offer.pooling
    if (encoding.layer or offer.layer or offer.depth) != offer.depth or pooling not in _POOLED:
        raise refused(ref.name, f"its vectors are those of an inner block, or pooled by {pooling}")
    backbone = TransformersBackbone(ref, offer, device="cpu", threads=None)
    reader = backbone.reader
    assert isinstance(reader, PixelReader)
    side = reader.side(encoding)
    body = backbone.body.float().eval()
    if hasattr(body, "set_attn_implementation"):
        body.set_attn_implementation("eager")
    whole = _Whole(body, reader, side, pooling, Head(*head, shares)).eval()
    pixels = torch.zeros(2, 3, side, side)
    open_rows = ({0: torch.export.Dim.DYNAMIC},)
    write_graph(whole, (pixels,), (INPUT,), whole.head.outputs, open_rows, path)


def reading(backbone: Any, encoding: Encoding) -> dict[str, Any]:
    """What a program does with a picture before it calls the graph."""
    reader: PixelReader = backbone.reader
    made, side, mode = reader.preprocessing, reader.side(encoding), reader.mode(encoding)
    return {
        "side": side,
        "resize": mode or ("squeeze" if made.squeezed else "crop"),
        "edge": max(side, round(made.edge * side / made.side)),
        "resample": made.resample,
        "scale": made.scale,
        "mean": list(made.mean),
        "spread": list(made.spread),
        "margin": list(made.mean_colour),
        "beneath": list(made.beneath(mode)),
        "specials": reader.layout[0],
        "called_with": {n: v for n, v in reader.called_with(None, side).items() if n != INPUT},
    }


class _Whole(nn.Module):
    """Pixels to scores and vectors."""

    def __init__(self, body: Any, reader: PixelReader, side: int, pooling: str, head: Head) -> None:
        super().__init__()
        self.body, self.head, self.pooling = body, head, pooling
        self.specials = reader.layout[0]  # positions that stand for no patch
        self.called = {n: v for n, v in reader.called_with(None, side).items() if n != INPUT}

    def forward(self, pixel_values: Any) -> Any:
        states = as_rows(self.body(pixel_values=pixel_values, **self.called).last_hidden_state)
        mean = states[:, self.specials :].mean(1)
        if self.pooling == "mean" or not self.specials:
            return self.head(mean)
        first = states[:, 0]
        vectors = first if self.pooling == "cls" else torch.cat([first, mean], dim=1)
        return self.head(vectors)
