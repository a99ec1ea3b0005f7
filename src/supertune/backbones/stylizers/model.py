"""multistyle as a backbone: pictures painted in a style, and how far they are from another.

How far is asked of efficientnet-lite0, which is fetched when it is first needed; painting alone
does without.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, cast

import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from supertune import limits
from supertune.architectures import style_loss as losses
from supertune.architectures.multistyle import Multistyle
from supertune.backbones._modules import fill
from supertune.backbones.stylizers import offer
from supertune.backbones.stylizers.vector import StyleVector
from supertune.catalogue.resolve import resolve
from supertune.catalogue.weights import digest
from supertune.contracts import (
    BackboneRef,
    Encoding,
    FloatArray,
    Injection,
    Input,
    Offer,
    Seen,
    Tunable,
)
from supertune.contracts.styling import Array
from supertune.errors import InputError

JUDGE = "efficientnet-lite0"  # the network of the losses
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
KEPT = 4  # pictures whose published paintings are remembered
STEP = 4  # sides that the network takes are multiples of it
LEAST = 16  # pixels a side, below which nothing is left to be reflected


@dataclass(eq=False)
class StylizerBackbone:
    """See `supertune.contracts.Backbone` and `supertune.contracts.Stylizing`."""

    ref: BackboneRef
    offer: Offer
    sha256: str
    module: Multistyle
    precision: Literal["fp32", "bf16"] = "fp32"
    arithmetic: str = field(default_factory=lambda: f"torch {torch.__version__}")
    _published: dict[tuple[bytes, tuple[int, ...]], tuple[Tensor, ...]] = field(
        default_factory=dict, init=False, repr=False
    )

    @classmethod
    def load(cls, ref: BackboneRef, threads: int | None) -> StylizerBackbone:
        if threads is not None:
            torch.set_num_threads(threads)
        folder = ref.folder or Path(ref.name)
        module = Multistyle()
        fill(module, folder, what="multistyle", example="multistyle")
        module.eval().requires_grad_(False)
        return cls(ref, offer(len(module.styles())), digest(folder), module)

    # --- what is no feature of pictures --------------------------------------------------------

    def tokens(self, inputs: Sequence[Input], encoding: Encoding) -> list[Any]:
        """Each picture is its own piece."""
        return [(value,) for value in inputs]

    def features(
        self, tokens: Sequence[Any], encoding: Encoding, *, exact: bool = True
    ) -> FloatArray:
        raise NotImplementedError("a network of styles has no features")

    def scores(
        self, tokens: Sequence[Any], encoding: Encoding, *, exact: bool = True
    ) -> FloatArray:
        raise NotImplementedError("a network of styles is not asked in words")

    def activations(
        self, pieces: Sequence[Any], cut: int, *, dropout: float = 0.0, draw: int = 0
    ) -> list[FloatArray]:
        raise NotImplementedError("a style is in every layer: nothing below it is frozen")

    def tapped(self, cut: int) -> AbstractContextManager[Mapping[Any, FloatArray]]:
        return nullcontext({})

    def at(self, precision: Literal["fp32", "bf16"]) -> AbstractContextManager[None]:
        return nullcontext()

    def inject(
        self,
        injection: Injection,
        *,
        seed: int,
        numbers: Mapping[str, npt.NDArray[Any]] | None = None,
    ) -> Tunable:
        """A style, begun as the published one of the number ``start``.

        Raises:
            InputError: ``injection_unsupported``.
        """
        if injection.kind != "unfreeze" or not injection.settings.get("norms"):
            raise InputError(
                "injection_unsupported",
                f"A {self.offer.architecture} cannot be tuned so.",
                received=injection.kind,
                allowed="the scales and shifts of its norms, which are a style",
                next="Choose the method style_vector.",
            )
        begun = self.styles[int(injection.settings.get("start", 0))]
        return cast(Tunable, StyleVector({"style": begun} if numbers is None else numbers, begun))

    # --- see `supertune.contracts.Stylizing` ----------------------------------------------------

    @cached_property
    def styles(self) -> FloatArray:
        return cast(FloatArray, self.module.styles().numpy().copy())

    def side(self, encoding: Encoding) -> int:
        return max(LEAST, encoding.resolution or self.offer.resolution)

    def paint(self, pictures: Tensor, style: Tensor) -> Tensor:
        """Sides that are no multiples of 4 are reflected at the edge, and cut back."""
        height, width = pictures.shape[2:]
        spare = (0, -width % STEP, 0, -height % STEP)
        if any(spare):
            pictures = functional.pad(pictures, spare, mode="reflect")
        painted: Tensor = self.module(pictures, style)
        return painted[:, :, :height, :width]

    def seen(self, pictures: Tensor) -> Seen:
        maps = self._loss.maps(pictures)
        grams = tuple(losses.together(one) for one in maps)
        return Seen(grams, maps[losses.STYLE_AT.index(losses.CONTENT_AT)])

    def published(self, picture: Array) -> tuple[Tensor, ...]:
        key = picture.tobytes(), picture.shape
        if key not in self._published:
            pixels = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float() / 255
            found = []
            for style in torch.from_numpy(self.styles):
                limits.check()
                with torch.no_grad():
                    found.append(self.seen(self.paint(pixels, style)).together)
            layers = tuple(torch.cat(several) for several in zip(*found, strict=True))
            self._published[key] = layers
            while len(self._published) > KEPT:
                self._published.pop(next(iter(self._published)))
        return self._published[key]

    def style_loss(self, seen: Seen, wanted: Sequence[Tensor]) -> Tensor:
        return losses.style(seen.together, wanted)

    def content_loss(self, seen: Seen, own: Seen) -> Tensor:
        return losses.content(seen.where, own.where)

    @cached_property
    def _loss(self) -> losses.StyleLoss:
        from transformers import AutoModel
        from transformers.utils import logging

        from supertune import architectures

        architectures.register("efficientnet_lite")
        bars = logging.is_progress_bar_enabled()
        logging.disable_progress_bar()
        try:
            network = AutoModel.from_pretrained(resolve(JUDGE).folder)
        finally:
            if bars:
                logging.enable_progress_bar()
        network.eval().requires_grad_(False)
        return losses.StyleLoss(network, torch.tensor(MEAN), torch.tensor(STD))
