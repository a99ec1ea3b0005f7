"""Pictures as a model is called with them: squares of pixels, all of a batch of one size.

Of equal shapes the arithmetic of a row does not depend on its neighbours, so batches for learning
have one number of rows and are filled up.
"""

from __future__ import annotations

import inspect
import io
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from supertune.backbones.transformers import preprocessing
from supertune.backbones.transformers.attributing_pixels import PixelAttribution
from supertune.backbones.transformers.batching import Batch, BatchPlan
from supertune.backbones.transformers.pooling import pooled
from supertune.backbones.transformers.preprocessing import Pixels
from supertune.backbones.transformers.two_towers import projected
from supertune.contracts import Encoding, FloatArray, Input, Picture, Pooling, ResizeMode
from supertune.data.pictures import decoding
from supertune.errors import InputError

if TYPE_CHECKING:
    from supertune.backbones.transformers.model import TransformersBackbone

ROW_TOKENS = 512  # positions of a batch; docs/log.md
ENOUGH = 4  # times the side: a JPEG that is larger yet is decoded at a fraction of its size
KEPT = 96 * 2**20  # bytes of decoded squares held, for those that are asked for again
MOST = 1_000  # of them, however small: who answers thousands of pictures answers each once


@dataclass(frozen=True)
class PixelPiece:
    """A picture to be read with ``side`` pixels a side; decoded when its batch is made.

    Attributes:
        mirrored: left and right exchanged.
        mode: how it becomes a square, see `Encoding`; None as the model's processor does.
        positions: hidden states that it makes.
        adapter: as of `supertune.backbones.transformers.batching.Piece`.
    """

    picture: Picture
    side: int
    mirrored: bool = False
    mode: ResizeMode | None = field(default=None, repr=False)  # the encoding of a key has it
    positions: int = field(default=0, repr=False)
    adapter: int = field(default=0, repr=False)

    def __len__(self) -> int:
        return self.positions

    @property
    def content(self) -> tuple[str, int, int, bool, str]:
        """Equal for what looks the same to the model."""
        return *self.picture.content, self.side, self.mirrored, self.mode or ""

    @property
    def kind(self) -> tuple[int, int]:
        """Pieces of one kind can share a batch."""
        return self.side, 0

    @property
    def bare(self) -> PixelPiece:
        """What the frozen part is computed of."""
        return PixelPiece(self.picture, self.side, self.mirrored, self.mode, self.positions)

    def own(self, states: FloatArray) -> FloatArray:
        """What belongs to it of a row of hidden states: all of it."""
        return states


class PixelReader:
    """See `supertune.backbones.transformers.batching.Reader`."""

    def __init__(self, backbone: TransformersBackbone) -> None:
        self.backbone = backbone
        self.preprocessing = preprocessing.declared(backbone.ref)
        self._squares: OrderedDict[Any, Pixels] = OrderedDict()

    def pieces(self, inputs: Sequence[Input], encoding: Encoding) -> list[tuple[PixelPiece, ...]]:
        side = self.side(encoding)
        mode, positions = self.mode(encoding), self.positions(side)
        return [
            (PixelPiece(self._picture(one), side, mode=mode, positions=positions),)
            for one in inputs
        ]

    def mode(self, encoding: Encoding) -> ResizeMode | None:
        """How a picture becomes a square under an encoding."""
        return encoding.resize_mode or self.backbone.offer.resize_mode

    def side(self, encoding: Encoding) -> int:
        """Pixels a side under an encoding.

        Raises:
            InputError: ``bad_resolution``.
        """
        side = encoding.resolution or self.backbone.offer.resolution or self.preprocessing.side
        grain = self._grain
        if side % grain or side < grain:
            near = sorted({max(grain, side // grain * grain), (side // grain + 1) * grain})
            raise InputError(
                "bad_resolution",
                f"{self.backbone.ref.name} reads patches of {grain} pixels a side.",
                received=f"resolution {side}",
                allowed=f"multiples of {grain}, e.g. {' or '.join(map(str, near))}",
                next=f"Set resolution to one of these: --set resolution={near[-1]}.",
            )
        return side

    def positions(self, side: int) -> int:
        """Hidden states of a picture of so many pixels a side, at the top of the model."""
        specials, patches = self.layout
        return specials + max(1, round(patches * (side / self.preprocessing.side) ** 2))

    @cached_property
    def layout(self) -> tuple[int, int]:
        """(positions that stand for no patch, patches) of a picture of the declared side, tried
        out once."""
        import torch

        side = self.preprocessing.side
        pixels = torch.zeros(1, 3, side, side, device=self.backbone.device)
        with self.backbone.lock, torch.inference_mode():
            given = self.called_with(pixels, side)
            last = self.backbone.body(**given).last_hidden_state
        if last.dim() == 4:
            return 0, int(last.shape[2] * last.shape[3])
        patch = self.backbone.body.config.patch_size
        patch = patch if isinstance(patch, int) else patch[0]
        patches = (side // patch) ** 2
        found = int(last.shape[1])
        return (found - patches, patches) if patches <= found else (0, found)

    @property
    def _grain(self) -> int:
        patch = getattr(self.backbone.body.config, "patch_size", 1)
        return int(patch if isinstance(patch, int) else patch[0])

    def plan(self, flat: Sequence[PixelPiece], exact: bool) -> Iterator[BatchPlan]:
        """In order of content; ``exact``: filled up to one number of rows."""
        by_side: dict[int, list[int]] = {}
        for index in sorted(range(len(flat)), key=lambda i: flat[i].content):
            by_side.setdefault(flat[index].side, []).append(index)
        for side, members in sorted(by_side.items()):
            width = self.positions(side)
            rows = max(1, ROW_TOKENS // width)
            for start in range(0, len(members), rows):
                some = members[start : start + rows]
                yield some, rows if exact else len(some), width

    def batch(self, pieces: Sequence[PixelPiece], rows: int, width: int, fill: int = 0) -> Batch:
        import torch

        squares = self._decoded(pieces)
        order = [row if row < len(pieces) else 0 for row in range(rows)]
        values = torch.from_numpy(self.preprocessing.normalised(squares))[order]
        side = pieces[0].side
        device = self.backbone.device
        specials, _ = self.layout
        mask = torch.ones(rows, self.positions(side), dtype=torch.long, device=device)
        mask[:, :specials] = 0
        adapters = torch.tensor([pieces[row].adapter for row in order], device=device)
        first = torch.zeros(rows, 1, dtype=torch.long, device=device) if specials else None
        inputs = self.called_with(values.to(device), side)
        return Batch(inputs, mask, adapters=adapters, summary=first)

    def vectors(self, batch: Batch, encoding: Encoding, cut: int, hidden: Any | None) -> Any:
        """(rows, d), with gradients if asked for; where ``hidden`` is given it enters ``cut``."""
        states = self.states(batch, encoding, cut, hidden).float()
        how = encoding.pooling or self.backbone.offer.pooling
        last = self._layer(encoding) == self.backbone.offer.depth
        return self.read(states, batch, how, last=last)

    def read(self, states: Any, batch: Batch, how: str, *, last: bool) -> Any:
        """(rows, d) of hidden states or maps; ``last``: of the whole model."""
        if how == "projected" and last:
            return projected(self.backbone, states)
        return pooled(states, batch, how)

    def kinds(self, batch: Batch, last: bool) -> tuple[Pooling, ...]:
        """Ways in which a layer is read: the vector that stands for the whole if there is one, and
        the mean; of the last, what is compared with texts as well."""
        found: tuple[Pooling, ...] = ("mean",) if batch.summary is None else ("cls", "mean")
        compared = last and self.backbone.offer.pooling == "projected"
        return (*found, *(("projected",) if compared else ()))

    def states(
        self, batch: Batch, encoding: Encoding, cut: int = 0, hidden: Any | None = None
    ) -> Any:
        """Hidden states (rows, positions, d), or maps, that are pooled."""
        backbone = self.backbone
        layer = self._layer(encoding)
        if layer < backbone.offer.depth:
            return backbone.cutting.entering(batch, layer, start=cut, hidden=hidden)
        with backbone.running(batch, cut, hidden) as laid:
            return backbone.body(**laid.inputs).last_hidden_state

    def _layer(self, encoding: Encoding) -> int:
        offer = self.backbone.offer
        return encoding.layer or offer.layer or offer.depth

    @cached_property
    def attributing(self) -> PixelAttribution:
        return PixelAttribution(self)

    def unlike_rows(self) -> Batch:
        """Noise, fine and coarse."""
        side = self.side(Encoding())
        positions = self.positions(side)
        pieces = [PixelPiece(one, side, positions=positions) for one in self.samples()[:2]]
        return self.batch(pieces, 2, positions)

    def samples(self) -> Sequence[Picture]:
        """Pictures that show nothing: noise of several grains."""
        drawn = np.random.default_rng(0)
        made = [drawn.integers(0, 256, (size, size, 3), dtype=np.uint8) for size in (64, 8, 16, 4)]
        return tuple(_encoded(each) for each in made)

    def called_with(self, values: Any, side: int) -> dict[str, Any]:
        given: dict[str, Any] = {"pixel_values": values}
        if self._interpolates and side != self._own_side:
            given["interpolate_pos_encoding"] = True
        return given

    @cached_property
    def _interpolates(self) -> bool:
        parameters = inspect.signature(self.backbone.body.forward).parameters
        return "interpolate_pos_encoding" in parameters

    @property
    def _own_side(self) -> int:
        size = getattr(self.backbone.body.config, "image_size", 0)
        return int(size if isinstance(size, int) else size[0])

    def forget(self) -> None:
        """Let go of decoded squares that are held."""
        self._squares.clear()

    def _decoded(self, pieces: Sequence[PixelPiece]) -> Pixels:
        """(n, side, side, 3) of pieces of one side."""
        side, held = pieces[0].side, self._squares
        named = [(one.picture, side, one.mode) for one in pieces]
        wanted = {name: one for name, one in zip(named, pieces, strict=True) if name not in held}

        def square(piece: PixelPiece) -> Pixels:
            over = self.preprocessing.beneath(piece.mode)
            image = decoding.opened(piece.picture, least=ENOUGH * side, over=over)
            return self.preprocessing.square(image, side, piece.mode)

        for name, made in zip(wanted, decoding.each(square, list(wanted.values())), strict=True):
            held[name] = made
        found = []
        for name, piece in zip(named, pieces, strict=True):
            held.move_to_end(name)
            own = held[name]
            found.append(own[:, ::-1] if piece.mirrored else own)
        most = max(len(pieces), min(MOST, KEPT // found[0].nbytes))
        while len(held) > most:
            held.popitem(last=False)
        return np.stack(found)

    def _picture(self, value: Input) -> Picture:
        if isinstance(value, Picture):
            return value
        raise InputError(
            "not_a_picture",
            f"{self.backbone.ref.name} reads pictures.",
            received=type(value).__name__,
            next="Choose a backbone that reads such rows: `supertune models`.",
        )


def _encoded(pixels: Pixels) -> Picture:
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="PNG", compress_level=0)
    return Picture.of(stream.getvalue(), "noise.png")
