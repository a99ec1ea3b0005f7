"""Pictures painted again in a style, and how far they are from it.

A style is told by a few pictures of it, which are the rows. What a model of it is worth is how near
photographs that it paints come to a picture of the style that it did not learn from, beside the
nearest of the styles that the network was published with.

Answers pass through the straight line as (n, 4) numbers (`STYLE_LOSSES`), each a mean over the same
photographs, which tuning did not see.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from supertune.contracts.answers import unlike
from supertune.contracts.backbone import Encoding, Lens
from supertune.contracts.data import FloatArray
from supertune.contracts.method import Tuned

Array = npt.NDArray[np.uint8]
STYLE_LOSSES = ("style_loss", "nearest_style_loss", "content_loss", "nearest_content_loss")


@dataclass(frozen=True, eq=False)
class Seen:
    """What the network of the losses answers to n pictures; tensors of the engine.

    Attributes:
        together: of each layer (n, c, c), which channels answer together.
        where: (n, c, h, w) which answer where.
    """

    together: tuple[Any, ...]
    where: Any


@runtime_checkable
class Stylizing(Protocol):
    """What a `Backbone` with ``stylize`` among its capabilities also owes."""

    @property
    def styles(self) -> FloatArray:
        """(K, S) float32 that it was published with."""
        ...

    def side(self, encoding: Encoding) -> int:
        """Pixels that the longer side of a picture has at most while a style is tuned."""
        ...

    def paint(self, pictures: Any, style: Any) -> Any:
        """(n, 3, h, w) of any sides, from 0 to 1, in a style (S,); with gradients."""
        ...

    def seen(self, pictures: Any) -> Seen:
        """(n, 3, h, w) from 0 to 1 through the network of the losses, with gradients."""
        ...

    def published(self, picture: Array) -> tuple[Any, ...]:
        """Of each layer (K, c, c) as in `Seen.together`, of a picture (h, w, 3) painted in each of
        the published styles; those of the last few pictures are kept."""
        ...

    def style_loss(self, seen: Seen, wanted: Sequence[Any]) -> Any:
        """(n,) how far from a style, of each layer (1, c, c) as in `Seen.together`."""
        ...

    def content_loss(self, seen: Seen, own: Seen) -> Any:
        """(n,) how far from what the pictures show by themselves."""
        ...


@runtime_checkable
class Painting(Tuned, Protocol):
    """A `Tuned` that paints pictures again.

    Attributes:
        judged: photographs (h, w, 3) that tuning did not see.
        own_photographs: whether they are a person's own.
    """

    judged: tuple[Array, ...]
    own_photographs: bool

    def painted(self, picture: Array, lens: Lens, strength: float = 1.0) -> Array:
        """(h, w, 3) of the same size; ``strength`` 0 is the published style that tuning began at,
        1 the tuned one."""
        ...

    def blended(self, others: Sequence[tuple[Any, float]], strength: float) -> Painting:
        """One that goes so far to its own style, and to each of several others of its kind."""
        ...


@dataclass(frozen=True, eq=False)
class Stylized:
    """How near n pictures of a style are come to; see `supertune.contracts.Answers`.

    Attributes:
        losses: (n, 4), columns as `STYLE_LOSSES`.
        likeness: as in `supertune.contracts.Predictions`.
    """

    losses: FloatArray
    likeness: FloatArray | None = None

    def __len__(self) -> int:
        return len(self.losses)

    @property
    def scored(self) -> FloatArray:
        return self.losses

    @property
    def own(self) -> FloatArray:
        """(n,) of the tuned style."""
        return np.asarray(self.losses[:, 0])

    @property
    def nearest(self) -> FloatArray:
        """(n,) of the nearest published style."""
        return np.asarray(self.losses[:, 1])

    def columns(self) -> dict[str, list[Any]]:
        """Those of `STYLE_LOSSES`."""
        found: dict[str, list[Any]] = {
            name: [round(float(one), 6) for one in self.losses[:, place]]
            for place, name in enumerate(STYLE_LOSSES)
        }
        return found | unlike(self.likeness)

    def listed(self) -> list[dict[str, Any]]:
        cells = self.columns()
        return [dict(zip(cells, row, strict=True)) for row in zip(*cells.values(), strict=True)]

    def lines(self) -> list[str]:
        return [
            f"style loss {own:.3f} (nearest published style {nearest:.3f})"
            for own, nearest in zip(self.own, self.nearest, strict=True)
        ]

    def counts(self) -> dict[str, int]:
        return {"style_loss": len(self)}

    def marks(self) -> dict[str, int]:
        return {name: sum(cells) for name, cells in unlike(self.likeness).items()}

    def compared(self, likeness: FloatArray) -> Stylized:
        return replace(self, likeness=likeness)
