"""A network that paints a picture again in a style, the style being a few numbers.

Dumoulin, Shlens and Kudlur 2017, "A learned representation for artistic style" (arXiv:1610.07629):
all styles share the convolutions, and a style is the scale and the shift of each channel after
instance normalisation. Names of the weights as in the published graph of 26 styles.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

STYLES = 26
CHANNELS = 32
_EPSILON = 1e-5


class Styled(nn.Module):
    """A convolution, and an instance normalisation whose scale and shift are of a style."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        *,
        stride: int = 1,
        enlarged: bool = False,
        relu: bool = True,
    ) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.zeros(outputs, inputs, kernel, kernel))
        self.norm = nn.Module()
        self.norm.gamma = nn.Parameter(torch.ones(STYLES, outputs))
        self.norm.beta = nn.Parameter(torch.zeros(STYLES, outputs))
        self.stride, self.enlarged, self.relu = stride, enlarged, relu

    @property
    def outputs(self) -> int:
        return int(self.w.shape[0])

    def forward(self, x: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
        """(n, c, h, w) under scales and shifts (outputs,)."""
        if self.enlarged:
            x = functional.interpolate(x, scale_factor=2.0, mode="nearest")
        edge = int(self.w.shape[-1]) // 2
        x = functional.conv2d(
            functional.pad(x, (edge,) * 4, mode="reflect"), self.w, stride=self.stride
        )
        mean = x.mean((2, 3), keepdim=True)
        variance = (x - mean).square().mean((2, 3), keepdim=True)
        x = (x - mean) / (variance + _EPSILON).sqrt()
        x = x * gamma.view(1, -1, 1, 1) + beta.view(1, -1, 1, 1)
        return functional.relu(x) if self.relu else x


class Multistyle(nn.Module):
    """Pictures (n, 3, h, w) from 0 to 1, sides multiples of 4, painted again in one style."""

    def __init__(self) -> None:
        super().__init__()
        c = CHANNELS
        self.contract = nn.ModuleList(
            [Styled(3, c, 9), Styled(c, c, 3, stride=2), Styled(c, c, 3, stride=2)]
        )
        self.res = nn.ModuleList(
            nn.ModuleList([Styled(c, c, 3), Styled(c, c, 3, relu=False)]) for _ in range(6)
        )
        self.expand = nn.ModuleList(
            [
                Styled(c, 8, 3, enlarged=True),
                Styled(8, 4, 3, enlarged=True),
                Styled(4, 3, 9, relu=False),
            ]
        )

    def layers(self) -> list[Styled]:
        """In the order in which they are computed."""
        return [part for part in self.modules() if isinstance(part, Styled)]

    @property
    def size(self) -> int:
        """S, how many numbers a style is: of each layer the scales, then the shifts."""
        return 2 * sum(layer.outputs for layer in self.layers())

    def styles(self) -> Tensor:
        """(26, S) that were published."""
        parts = [part for layer in self.layers() for part in (layer.norm.gamma, layer.norm.beta)]
        return torch.cat([part.detach() for part in parts if isinstance(part, Tensor)], dim=1)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """In the style (S,)."""
        parts = iter(self._parts(style))
        for layer in self.contract:
            x = layer(x, *next(parts))
        for block in self.res:
            assert isinstance(block, nn.ModuleList)
            y = x
            for layer in block:
                y = layer(y, *next(parts))
            x = x + y
        for layer in self.expand:
            x = layer(x, *next(parts))
        return torch.sigmoid(x)

    def _parts(self, style: Tensor) -> Sequence[tuple[Tensor, Tensor]]:
        """Scales and shifts layer by layer."""
        sizes = [layer.outputs for layer in self.layers() for _ in range(2)]
        parts = style.split(sizes)
        return list(zip(parts[::2], parts[1::2], strict=True))
