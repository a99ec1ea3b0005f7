"""NanoDet as a backbone: pictures to maps, and what is tuned above a cut."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from supertune.architectures.nanodet import BLOCKS, STAGES, NanoDet, NanoDetConfig
from supertune.backbones._modules import fill
from supertune.backbones.detectors import offer
from supertune.backbones.detectors.head import NanoDetHead
from supertune.backbones.detectors.pixels import Pixels
from supertune.backbones.detectors.unfrozen import Unfrozen
from supertune.catalogue.weights import digest
from supertune.contracts import (
    BackboneRef,
    Encoding,
    FloatArray,
    Injection,
    Input,
    Offer,
    Picture,
    Tunable,
    View,
)
from supertune.data.boxes.sizes import upright
from supertune.errors import InputError

COARSEST = 32  # pixels of a picture for each place of the coarsest map


@dataclass(eq=False)
class DetectorBackbone:
    """See `supertune.contracts.Backbone` and `supertune.contracts.Detecting`.

    Every view is computed by itself, so that its bits do not depend on the others.
    """

    ref: BackboneRef
    offer: Offer
    sha256: str
    module: NanoDet
    pixels: Pixels
    precision: Literal["fp32", "bf16"] = "fp32"
    arithmetic: str = field(default_factory=lambda: f"torch {torch.__version__}")

    @classmethod
    def load(cls, ref: BackboneRef, threads: int | None) -> DetectorBackbone:
        if threads is not None:
            torch.set_num_threads(threads)
        folder = ref.folder or Path(ref.name)
        values = json.loads((folder / "config.json").read_text("utf-8"))
        config = NanoDetConfig.from_dict(values)
        module = NanoDet(config)
        fill(module, folder, what="a NanoDet-g", example="nanodet-g")
        module.eval().requires_grad_(False)
        found = offer(len(config.classes), config.resolution)
        return cls(ref, found, digest(folder), module, Pixels(config.mean, config.std))

    @property
    def classes(self) -> tuple[str, ...]:
        return self.module.config.classes

    def side(self, encoding: Encoding) -> int:
        wanted = encoding.resolution or self.offer.resolution
        return max(COARSEST, round(wanted / COARSEST) * COARSEST)

    def size(self, picture: Picture) -> tuple[int, int]:
        return upright(picture)

    def tokens(self, inputs: Sequence[Input], encoding: Encoding) -> list[Any]:
        """Of each picture its one piece, a view of the whole."""
        side = self.side(encoding)
        return [
            (View(value, (0, 0, *upright(value)), side),)
            for value in inputs
            if isinstance(value, Picture)
        ]

    def features(
        self, tokens: Sequence[Any], encoding: Encoding, *, exact: bool = True
    ) -> FloatArray:
        """(n, 512) means of the coarsest map of the trunk."""
        if not tokens:
            return np.zeros((0, self.offer.width), dtype=np.float32)
        maps = (self._below(view, BLOCKS - 1)[-1] for (view,) in tokens)
        return np.stack([one.mean((0, 2, 3)).numpy() for one in maps])

    def scores(
        self, tokens: Sequence[Any], encoding: Encoding, *, exact: bool = True
    ) -> FloatArray:
        raise NotImplementedError("a detector is not asked in words")

    def activations(
        self, pieces: Sequence[Any], cut: int, *, dropout: float = 0.0, draw: int = 0
    ) -> list[FloatArray]:
        """The maps that enter block ``cut``, one array a view: (places, channels) where all have
        as many channels, as at the head, and otherwise (numbers, 1)."""
        return [flattened(self._below(view, cut)) for view in pieces]

    def tapped(self, cut: int) -> AbstractContextManager[Mapping[Any, FloatArray]]:
        return nullcontext({})

    def inject(
        self,
        injection: Injection,
        *,
        seed: int,
        numbers: Mapping[str, npt.NDArray[Any]] | None = None,
    ) -> Tunable:
        """Blocks themselves, or nothing below the head."""
        if injection.kind not in ("unfreeze", "head"):
            raise InputError(
                "injection_unsupported",
                f"A {self.offer.architecture} cannot be tuned so.",
                received=injection.kind,
                allowed="its head, its upper blocks, or all of it",
                next="Choose the method detection_head.",
            )
        cut = 0 if injection.blocks is None else min(*injection.blocks, BLOCKS)
        return Unfrozen(self._parts(cut), cut, self._above, numbers)

    def at(self, precision: Literal["fp32", "bf16"]) -> AbstractContextManager[None]:
        return nullcontext()

    def maps(self, arrays: Sequence[FloatArray], cut: int, side: int) -> list[Tensor]:
        return unflattened(arrays, cut, side, self.module.config.width)

    def detection_head(self, like: Sequence[int | None], *, seed: int = 0) -> NanoDetHead:
        return NanoDetHead.begun(self.module, like, seed)

    def responses(
        self, maps: Iterable[list[Tensor]], truths: Sequence[FloatArray], count: int
    ) -> FloatArray:
        own = NanoDetHead.begun(self.module, range(len(self.classes)), 0)
        total, seen = np.zeros((count, len(self.classes))), np.zeros(count)
        for one, boxes in zip(maps, truths, strict=True):
            found = own.seen_in(one, boxes)
            np.add.at(total, boxes[:, 4].astype(int), found)
            np.add.at(seen, boxes[:, 4].astype(int), 1.0)
        return np.asarray(total / np.maximum(seen, 1.0)[:, None])

    def write_onnx(self, head: Any, side: int, path: Path) -> dict[str, Any]:
        """See `supertune.api.detector_exporting.Graphing`."""
        from supertune.backbones.detectors import onnx_graph

        onnx_graph.write_maps(self.module, head, side, path)
        return onnx_graph.reading(self.pixels)

    def _parts(self, cut: int) -> dict[str, nn.Parameter]:
        """Everything from a block on; the stem, 896 numbers, is never tuned."""
        held = {f"stages.{i}": one for i, one in enumerate(self.module.stages)}
        chosen = [*held.items(), ("neck", self.module.neck)][cut:]
        return {f"{name}.{n}": p for name, part in chosen for n, p in part.named_parameters()}

    def _above(self, batch: Any, hidden: Any, cut: int) -> list[Tensor]:
        return self.module.above(hidden, cut)

    def _below(self, view: View, cut: int) -> list[Tensor]:
        with torch.inference_mode():
            return self.module.below(torch.from_numpy(self.pixels.of(view))[None], cut)


def flattened(maps: Sequence[Tensor]) -> FloatArray:
    """One array of the maps of one view, the finest first."""
    if len({one.shape[1] for one in maps}) == 1:
        return np.concatenate([one[0].flatten(1).T.numpy() for one in maps]).copy()
    return np.concatenate([one[0].flatten().numpy() for one in maps])[:, None]


def unflattened(arrays: Sequence[FloatArray], cut: int, side: int, width: int) -> list[Tensor]:
    """The maps (B, channels, h, w) of which `flattened` made one array a view."""
    shapes = shapes_at(cut, side, width)
    found: list[list[Tensor]] = [[] for _ in shapes]
    for array in arrays:
        at = 0
        alike = len({channels for channels, _ in shapes}) == 1
        flat = torch.from_numpy(np.array(array))  # those of the cache are read-only
        for place, (channels, edge) in enumerate(shapes):
            count = edge * edge
            if alike:
                part = flat[at : at + count].T.reshape(channels, edge, edge)
                at += count
            else:
                part = flat[at : at + channels * count, 0].reshape(channels, edge, edge)
                at += channels * count
            found[place].append(part)
    return [torch.stack(parts) for parts in found]


def shapes_at(cut: int, side: int, width: int) -> list[tuple[int, int]]:
    """(channels, edge) of the maps that enter block ``cut``."""
    after = [(2 * channels, side // (4 << place)) for place, (channels, _, _) in enumerate(STAGES)]
    if cut == 0:
        return [(STAGES[0][0], side // 4)]
    if cut == BLOCKS:
        return [(width, side // stride) for stride in (8, 16, 32)]
    return [after[0]] if cut == 1 else after[1:cut]
