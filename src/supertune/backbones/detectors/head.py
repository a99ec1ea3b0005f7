"""The head of NanoDet for classes of its own, with its loss and its answers."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from supertune.architectures import detection_loss
from supertune.architectures.detection_loss import Weighing, overlaps
from supertune.architectures.nanodet import Branch, NanoDet, answered, boxes_of, places
from supertune.contracts import FloatArray

RARE = 0.01  # chance that a class which begins as none is at a place (Lin et al. 2017)
LEAST = 0.02  # score of a box that is answered at all
MANY = 1000  # boxes of a view that are compared with one another
SAME = 0.6  # IoU with a surer box of the same class from which one is left out


class NanoDetHead:
    """See `supertune.contracts.DetectionHead`. ``maps`` are (B, width, h, w) tensors, one a
    stride."""

    def __init__(self, branches: nn.ModuleList, classes: int, strides: Sequence[int]) -> None:
        self.branches = branches
        self.classes = classes
        self.strides = tuple(strides)
        self.weighing = Weighing()

    @classmethod
    def begun(cls, module: NanoDet, like: Sequence[int | None], seed: int) -> NanoDetHead:
        """Rows of new classes are those of the classes that they are like."""
        branches = copy.deepcopy(module.branches)
        generator = torch.Generator().manual_seed(seed)
        for branch in branches:
            assert isinstance(branch, Branch)
            branch.outer = _begun(branch.outer, len(module.config.classes), like, generator)
        branches.requires_grad_(True)
        return cls(branches, len(like), module.config.strides)

    def parameters(self) -> list[Any]:
        return list(self.branches.parameters())

    def loss(self, maps: Sequence[Tensor], truths: Sequence[FloatArray]) -> Tensor:
        logits, bins, points, sizes = self._said(maps)
        given = [pair(boxes) for boxes in truths]
        total, mass = detection_loss.loss(logits, bins, points, sizes, given, self.weighing)
        return total / mass.clamp(min=1.0)

    def boxes(self, maps: Sequence[Tensor], most: int) -> list[FloatArray]:
        with torch.inference_mode():
            chances, corners = self.said(maps)
        return [kept(one, sides, most) for one, sides in zip(chances, corners, strict=True)]

    def said(self, maps: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        logits, bins, points, sizes = self._said(maps)
        return logits.sigmoid(), boxes_of(bins, points, sizes)

    def seen_in(self, maps: Sequence[Tensor], truth: FloatArray) -> FloatArray:
        """(m, classes) the highest chance of each class at any place inside each box."""
        with torch.inference_mode():
            logits, _, points, sizes = self._said(maps)
            boxes, _ = pair(truth)
            inside = detection_loss.inside(points, sizes, boxes)
            chances = logits[0].sigmoid()
            found = [
                chances[row].max(0).values if row.any() else chances.new_zeros(self.classes)
                for row in inside
            ]
        return np.stack([one.numpy() for one in found]) if found else np.zeros((0, self.classes))

    @property
    def state(self) -> dict[str, npt.NDArray[Any]]:
        return {
            name: value.detach().numpy().copy()
            for name, value in self.branches.state_dict().items()
        }

    def keep(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        self.branches.load_state_dict(
            {name: torch.from_numpy(np.array(v)) for name, v in state.items()}
        )

    def _said(self, maps: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        said = answered(self.branches, maps)
        finest = maps[0]
        height, width = (edge * self.strides[0] for edge in finest.shape[2:])
        points, sizes = places(height, width, self.strides)
        return said[..., : self.classes], said[..., self.classes :], points, sizes


def _begun(
    old: nn.Conv2d, known: int, like: Sequence[int | None], generator: torch.Generator
) -> nn.Conv2d:
    """The last convolution for new classes; what it says of distances stays."""
    new = nn.Conv2d(old.in_channels, len(like) + old.out_channels - known, 1)
    assert old.bias is not None
    assert new.bias is not None
    with torch.no_grad():
        new.weight[len(like) :] = old.weight[known:]
        new.bias[len(like) :] = old.bias[known:]
        for row, name in enumerate(like):
            if name is None:
                new.weight[row] = 0.01 * torch.randn(old.weight[0].shape, generator=generator)
                new.bias[row] = float(np.log(RARE / (1 - RARE)))
            else:
                new.weight[row], new.bias[row] = old.weight[name], old.bias[name]
    return new


def pair(boxes: FloatArray) -> tuple[Tensor, Tensor]:
    """(m, 5) as corners (m, 4) and classes (m,)."""
    found = torch.from_numpy(np.array(boxes, dtype=np.float32).reshape(-1, 5))
    return found[:, :4], found[:, 4].long()


def kept(chances: Tensor, corners: Tensor, most: int) -> FloatArray:
    """(k, 6) of (P, K) chances and (P, 4) corners, without those that repeat a surer one."""
    place, label = torch.nonzero(chances > LEAST, as_tuple=True)
    score = chances[place, label]
    order = torch.sort(score, descending=True, stable=True).indices[:MANY]
    place, label, score = place[order], label[order], score[order]
    boxes = corners[place]
    kept = surest(boxes, label)[:most]
    rows = torch.cat([boxes, score[:, None], label[:, None].to(score.dtype)], dim=1)[kept]
    return np.asarray(rows.numpy(), dtype=np.float64)


def surest(boxes: Tensor, label: Tensor) -> Tensor:
    """Indices of boxes (k, 4), the surest first, that overlap no surer one of their class."""
    clash = (overlaps(boxes, boxes) > SAME) & (label[:, None] == label[None])
    clashes = clash.triu(1).numpy()
    left = np.ones(len(boxes), dtype=bool)
    for row in range(len(boxes)):
        if left[row]:
            left &= ~clashes[row]
    return torch.from_numpy(np.flatnonzero(left))
