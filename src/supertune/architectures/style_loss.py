"""How far a picture is from the style of another, and from its own content.

Gatys, Ecker and Bethge 2015, "A neural algorithm of artistic style" (arXiv:1508.06576): the style
of a picture is which channels of a convolutional network answer together, wherever they do; its
content is what they answer where. The network was VGG there; here it is efficientnet-lite0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

# How many blocks are run before a map is read: 1/2, 1/4, 1/8 and 1/16 of a picture's side.
STYLE_AT = (1, 3, 5, 11)
CONTENT_AT = 5


class StyleLoss:
    """Losses of painted pictures.

    Args:
        network: an `EfficientNetLiteModel` in evaluation mode; it is not changed.
        mean, std: (3,) by which its pictures are normalised.
    """

    def __init__(self, network: Any, mean: Tensor, std: Tensor) -> None:
        self.network = network
        self.mean, self.std = mean.view(1, 3, 1, 1), std.view(1, 3, 1, 1)

    def maps(self, pictures: Tensor) -> list[Tensor]:
        """The maps at `STYLE_AT`, lowest first, of (n, 3, h, w) from 0 to 1."""
        found, hidden = [], self.network.stem((pictures - self.mean) / self.std)
        for place, block in enumerate(self.network.blocks[: max(STYLE_AT)], start=1):
            hidden = block(hidden)
            if place in STYLE_AT:
                found.append(hidden)
        return found


def style(grams: Sequence[Tensor], wanted: Sequence[Tensor]) -> Tensor:
    """(n,) squared distance of what answers together, `together` of each layer, from those of a
    style (1, c, c), relative to the style's own size and averaged over layers."""
    parts = [
        (one - goal).square().sum((1, 2)) / goal.square().sum()
        for one, goal in zip(grams, wanted, strict=True)
    ]
    return torch.stack(parts).mean(dim=0)


def content(where: Tensor, own: Tensor) -> Tensor:
    """(n,) squared distance of what answers where, the map at `CONTENT_AT`, relative to the size
    of the picture's ``own``."""
    return (where - own).square().sum((1, 2, 3)) / own.square().sum((1, 2, 3))


def together(hidden: Tensor) -> Tensor:
    """(n, c, c) Gram matrices of (n, c, h, w), per position."""
    flat = hidden.flatten(2)
    return flat @ flat.transpose(1, 2) / flat.shape[2]
