"""A detector with a head of its own as one ONNX graph.

The graph reads views (n, 3, side, side) float32, made as `reading` says, and gives what a detector
says before it chooses: ``scores`` (n, P, K), chances of each class at P places or queries, and
``boxes`` (n, P, 4), corners in pixels of the view. Views may be of any number.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from supertune.architectures.nanodet import NanoDet
from supertune.backbones.detectors.head import LEAST, MANY, SAME, NanoDetHead
from supertune.backbones.detectors.pixels import Pixels
from supertune.backbones.detectors.queries.head import QueryHead
from supertune.backbones.detectors.queries.running import Entered
from supertune.backbones.transformers.onnx_graph import write_graph

INPUT, OUTPUTS = "pixel_values", ("scores", "boxes")


def write_maps(module: NanoDet, head: NanoDetHead, side: int, path: Path) -> None:
    """Of a detector whose head reads maps, with what was tuned in its weights."""
    _write(_OfMaps(module, head), side, path)


def write_queries(model: Any, head: QueryHead, side: int, path: Path) -> None:
    """Of a detector of transformers, with what was tuned in its weights."""
    with head.in_place():
        _write(_OfQueries(model, head, side), side, path)


def reading(pixels: Pixels) -> dict[str, Any]:
    """What a program does before and after it calls the graph."""
    return {**pixels.as_dict(), "least": LEAST, "many": MANY, "same": SAME}


def _write(whole: nn.Module, side: int, path: Path) -> None:
    given = (torch.zeros(2, 3, side, side),)
    open_rows = ({0: torch.export.Dim.DYNAMIC},)
    with _unchecked():
        write_graph(whole.eval(), given, (INPUT,), OUTPUTS, open_rows, path)


@contextmanager
def _unchecked() -> Iterator[None]:
    """Without transformers' checks of what tensors hold, which are no part of a graph."""
    name = "TRANSFORMERS_DISABLE_TORCH_CHECK"
    before = os.environ.get(name)
    os.environ[name] = "1"
    try:
        yield
    finally:
        del os.environ[name]
        if before is not None:
            os.environ[name] = before


class _OfMaps(nn.Module):
    """``branches`` is named so that its weights are the graph's."""

    def __init__(self, module: NanoDet, head: NanoDetHead) -> None:
        super().__init__()
        self.module, self.branches, self.head = module, head.branches, head

    def forward(self, pixel_values: Tensor) -> tuple[Tensor, Tensor]:
        return self.head.said(self.module.maps(pixel_values))


class _OfQueries(nn.Module):
    def __init__(self, model: Any, head: QueryHead, side: int) -> None:
        super().__init__()
        self.model, self.head, self.side = model, head, side

    def forward(self, pixel_values: Tensor) -> tuple[Tensor, Tensor]:
        return self.head.read(Entered((pixel_values,), self.side, None))
