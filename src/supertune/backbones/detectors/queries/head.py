"""The answering part of a detector of queries, for classes of its own."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from supertune.backbones.detectors.head import RARE, kept, pair
from supertune.backbones.detectors.queries import running
from supertune.backbones.detectors.queries.declared import Family
from supertune.backbones.detectors.queries.running import Entered
from supertune.contracts import FloatArray

NOISE = 0.01  # spread of the numbers that a class without a model begins with


class QueryHead:
    """See `supertune.contracts.DetectionHead`. Its ``maps`` are an `Entered`, since the parts of
    this head stand in several places of the model; they are put in for as long as a run takes."""

    def __init__(self, model: Any, family: Family, parts: nn.ModuleDict, classes: int) -> None:
        self.model = model
        self.family = family
        self.parts = parts
        self.classes = classes

    @classmethod
    def begun(cls, model: Any, family: Family, like: Sequence[int | None], seed: int) -> QueryHead:
        """Rows of new classes are those of the classes that they are like."""
        generator = torch.Generator().manual_seed(seed)
        parts = nn.ModuleDict()
        for name in family.heads:
            part = copy.deepcopy(model.get_submodule(name))
            if name in family.rows:
                part = _with_rows(part, like, family.nothing, generator)
            parts[_key(name)] = part
        parts.requires_grad_(True)
        return cls(model, family, parts, len(like))

    def parameters(self) -> list[Any]:
        return list(self.parts.parameters())

    def loss(self, maps: Entered, truths: Sequence[FloatArray]) -> Tensor:
        """The model's own: a Hungarian matching of queries with boxes, then a sum of classes',
        sides' and overlaps' parts."""
        labels = [_label(boxes, maps.side) for boxes in truths]
        with self.in_place(), running.answering_in_each_layer(self.model, self.family):
            try:
                loss: Tensor = running.run(self.model, self.family, maps, labels).loss
            except ValueError:  # boxes that are no numbers cannot be matched
                found = running.run(self.model, self.family, maps, None)
                if bool(torch.isfinite(found.pred_boxes).all()):
                    raise
                loss = found.pred_boxes.sum()
        return loss

    def boxes(self, maps: Entered, most: int) -> list[FloatArray]:
        with torch.inference_mode():
            chances, corners = self.said(maps)
        return [kept(one, sides, most) for one, sides in zip(chances, corners, strict=True)]

    def said(self, maps: Entered) -> tuple[Tensor, Tensor]:
        """Of each query; see `supertune.contracts.DetectionHead`."""
        with self.in_place():
            return self.read(maps)

    def read(self, maps: Entered) -> tuple[Tensor, Tensor]:
        """As `said`, where its parts are in their places."""
        found = running.run(self.model, self.family, maps, None)
        logits = found.logits
        chances = logits.softmax(-1)[..., :-1] if self.family.nothing else logits.sigmoid()
        middle, size = found.pred_boxes[..., :2], found.pred_boxes[..., 2:]
        return chances, torch.cat([middle - size / 2, middle + size / 2], dim=-1) * maps.side

    @property
    def state(self) -> dict[str, npt.NDArray[Any]]:
        return {
            name: value.detach().numpy().copy() for name, value in self.parts.state_dict().items()
        }

    def keep(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        self.parts.load_state_dict(
            {name: torch.from_numpy(np.array(v)) for name, v in state.items()}
        )

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Inside, the model answers for these classes by these parts."""
        own, config = [], self.model.config
        for name in self.family.heads:
            holder, _, inner = name.rpartition(".")
            holder = self.model.get_submodule(holder)
            own.append((holder, inner, getattr(holder, inner)))
            setattr(holder, inner, self.parts[_key(name)])
        self.model.config = copy.copy(config)
        self.model.config.id2label = {place: str(place) for place in range(self.classes)}
        try:
            yield
        finally:
            self.model.config = config
            for holder, inner, part in own:
                setattr(holder, inner, part)


def _key(name: str) -> str:
    return name.replace(".", "_")


def _with_rows(
    part: nn.Module, like: Sequence[int | None], nothing: bool, generator: torch.Generator
) -> nn.Module:
    """A part, or each of a list of parts, whose last linear layer has rows of new classes."""
    if isinstance(part, nn.Linear):
        return _rows(part, like, nothing, generator)
    if isinstance(part, nn.ModuleList) and all(isinstance(one, nn.Linear) for one in part):
        return nn.ModuleList(_with_rows(one, like, nothing, generator) for one in part)
    name, last = [(n, m) for n, m in part.named_modules() if isinstance(m, nn.Linear)][-1]
    part.set_submodule(name, _rows(last, like, nothing, generator))
    return part


def _rows(
    old: nn.Linear, like: Sequence[int | None], nothing: bool, generator: torch.Generator
) -> nn.Linear:
    """A row that is like none is unlikely everywhere: as against no class, where that has a row."""
    new = nn.Linear(old.in_features, len(like) + nothing)
    with torch.no_grad():
        for row, name in enumerate(like):
            if name is not None:
                new.weight[row], new.bias[row] = old.weight[name], old.bias[name]
                continue
            noise = NOISE * torch.randn(old.in_features, generator=generator)
            new.weight[row] = noise + (old.weight[-1] if nothing else 0.0)
            new.bias[row] = float(np.log(RARE / (1 - RARE))) + (old.bias[-1] if nothing else 0.0)
        if nothing:
            new.weight[-1], new.bias[-1] = old.weight[-1], old.bias[-1]
    return new


def _label(boxes: FloatArray, side: int) -> dict[str, Tensor]:
    """Boxes (m, 5) of a view as transformers takes them: middles and sizes in shares of it."""
    corners, names = pair(boxes)
    middle, size = (corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]
    return {"class_labels": names, "boxes": torch.cat([middle, size], dim=1) / side}
