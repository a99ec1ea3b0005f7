"""NanoDet-g: a one-stage detector without anchor boxes, 3.79M parameters, batch norm folded.

A trunk of cross-stage partial blocks (Wang et al. 2020, arXiv:1911.11929), a path aggregation neck
that adds maps without convolutions of its own (Liu et al. 2018, arXiv:1803.01534), and on each of
three maps a head of one 3x3 and one 1x1 convolution, which at every place gives a logit a class
and a distribution over distances to each of four sides (generalised focal loss: Li et al. 2020,
arXiv:2006.04388). After github.com/RangiLyu/nanodet, ``nanodet-g``.

Shapes: B pictures of H x W pixels, both multiples of 32; P = HW/64 + HW/256 + HW/1024 places, the
finest map first, row after row; K classes; R + 1 bins a side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

SLOPE = 0.1  # of the leaky rectifier below zero
STAGES = ((32, 1, 1), (64, 2, 2), (128, 2, 2), (256, 3, 2))  # channels in, blocks, stride
BLOCKS = 5  # that activations can be taken between: four stages, and the neck


@dataclass(frozen=True)
class NanoDetConfig:
    """What ``config.json`` says."""

    classes: tuple[str, ...]
    resolution: int = 416
    width: int = 128
    reg_max: int = 10
    strides: tuple[int, ...] = (8, 16, 32)
    mean: tuple[float, ...] = (103.53, 116.28, 123.675)  # of blue, green, red
    std: tuple[float, ...] = (57.375, 57.12, 58.395)
    model_type: str = field(default="nanodet")

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> NanoDetConfig:
        known = {name: values[name] for name in cls.__dataclass_fields__ if name in values}
        lists = {name: tuple(v) for name, v in known.items() if isinstance(v, list)}
        return cls(**{**known, **lists})

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "architectures": ["NanoDet"]}


class Convolution(nn.Conv2d):
    """Square, padded to keep the size but for the stride, and rectified."""

    def __init__(self, inside: int, outside: int, side: int = 3, stride: int = 1) -> None:
        super().__init__(inside, outside, side, stride, padding=side // 2)

    def forward(self, x: Tensor) -> Tensor:
        return functional.leaky_relu(super().forward(x), SLOPE)


class Partial(nn.Module):
    """Half of what it gives went through an inner convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.enter = Convolution(channels, channels // 2)
        self.inner = Convolution(channels // 2, channels // 2)

    def forward(self, x: Tensor) -> Tensor:
        entered = self.enter(x)
        return torch.cat([self.inner(entered), entered], dim=1)


class Stage(nn.Module):
    """(B, c, h, w) -> (B, 2c, h / stride, w / stride)."""

    def __init__(self, channels: int, blocks: int, stride: int) -> None:
        super().__init__()
        self.enter = Convolution(channels, channels, stride=stride)
        self.blocks = nn.Sequential(*(Partial(channels) for _ in range(blocks)))
        self.leave = Convolution(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        entered = self.enter(x)
        return torch.cat([self.leave(self.blocks(entered)), entered], dim=1)


class Neck(nn.Module):
    """Maps of three sizes, each told of the others: coarse to fine, then fine to coarse."""

    def __init__(self, channels: Sequence[int], width: int) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(nn.Conv2d(inside, width, 1) for inside in channels)

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        found = [lateral(x) for lateral, x in zip(self.lateral, maps, strict=True)]
        for level in range(len(found) - 1, 0, -1):
            found[level - 1] = found[level - 1] + _scaled(found[level], 2.0)
        for level in range(len(found) - 1):
            found[level + 1] = found[level + 1] + _scaled(found[level], 0.5)
        return found


class Branch(nn.Module):
    """What is said at each place of one map: K logits, then 4 (R + 1) of distances."""

    def __init__(self, width: int, outputs: int) -> None:
        super().__init__()
        self.inner = Convolution(width, width)
        self.outer = nn.Conv2d(width, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.outer(self.inner(x))
        return found


class NanoDet(nn.Module):
    """The whole detector; `maps` is its frozen part, `branches` its head."""

    def __init__(self, config: NanoDetConfig) -> None:
        super().__init__()
        self.config = config
        self.stem = Convolution(3, 32, stride=2)
        self.stages = nn.ModuleList(Stage(*sizes) for sizes in STAGES)
        self.neck = Neck([2 * channels for channels, _, _ in STAGES[1:]], config.width)
        outputs = len(config.classes) + 4 * (config.reg_max + 1)
        self.branches = nn.ModuleList(Branch(config.width, outputs) for _ in config.strides)

    def forward(self, pixels: Tensor) -> Tensor:
        """(B, 3, H, W) normalised pixels, blue first -> (B, P, K + 4 (R + 1))."""
        return answered(self.branches, self.maps(pixels))

    def maps(self, pixels: Tensor) -> list[Tensor]:
        """What enters the head: (B, width, H / stride, W / stride) for each stride."""
        return self.above(self.below(pixels, BLOCKS), BLOCKS)

    def below(self, pixels: Tensor, cut: int) -> list[Tensor]:
        """What enters block ``cut``, with those of earlier maps that later blocks read."""
        held = [functional.max_pool2d(self.stem(pixels), 3, 2, 1)]
        return self._run(held, 0, cut)

    def above(self, held: list[Tensor], cut: int) -> list[Tensor]:
        """The maps that enter the head, from what `below` gave for ``cut``."""
        return self._run(held, cut, BLOCKS)

    def _run(self, held: list[Tensor], start: int, stop: int) -> list[Tensor]:
        for block in range(start, stop):
            if block == BLOCKS - 1:
                return self.neck(held)  # type: ignore[no-any-return]
            entered = self.stages[block](held[-1])
            held = [entered] if block < 2 else [*held, entered]
        return held


def answered(branches: nn.ModuleList, maps: Sequence[Tensor]) -> Tensor:
    """(B, P, outputs) of one branch a map."""
    found = [branch(x).flatten(2) for branch, x in zip(branches, maps, strict=True)]
    return torch.cat(found, dim=2).transpose(1, 2)


def places(height: int, width: int, strides: Sequence[int]) -> tuple[Tensor, Tensor]:
    """(P, 2) x and y of each place in pixels, the middle of its cell, and (P,) its stride."""
    points, sizes = [], []
    for stride in strides:
        rows, columns = height // stride, width // stride
        y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
        points.append((torch.stack([x, y], dim=-1).reshape(-1, 2) + 0.5) * stride)
        sizes.append(torch.full((rows * columns,), float(stride)))
    return torch.cat(points), torch.cat(sizes)


def boxes_of(bins: Tensor, points: Tensor, strides: Tensor) -> Tensor:
    """(..., P, 4 (R + 1)) logits of distances -> (..., P, 4) corners x0, y0, x1, y1 in pixels.

    The distance to a side is the mean of its distribution, in strides.
    """
    shape = (*bins.shape[:-1], 4, -1)
    chances = bins.reshape(shape).softmax(-1)
    steps = torch.arange(chances.shape[-1], dtype=chances.dtype, device=chances.device)
    away = (chances * steps).sum(-1) * strides[:, None]
    return torch.cat([points - away[..., :2], points + away[..., 2:]], dim=-1)


def _scaled(x: Tensor, factor: float) -> Tensor:
    return functional.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)
