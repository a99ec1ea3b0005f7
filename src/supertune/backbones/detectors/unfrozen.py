"""The upper blocks of a detector, themselves tuned; put back when they are not in use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from supertune.architectures.nanodet import BLOCKS, NanoDet
from supertune.contracts import Encoding, Injection


class Unfrozen:
    """See `supertune.contracts.Tunable`. Without blocks it tunes nothing: the head stands alone."""

    joins: str | None = None
    room = 0
    from_input = False  # the stem, 896 numbers, is never tuned

    def __init__(
        self,
        module: NanoDet,
        injection: Injection,
        numbers: Mapping[str, npt.NDArray[Any]] | None,
    ) -> None:
        self.module = module
        self.cut = 0 if injection.blocks is None else min(*injection.blocks, BLOCKS)
        self._own: dict[str, Tensor] = {}
        self._kept: dict[str, npt.NDArray[Any]] = {}
        self.keep(numbers or {})

    def _named(self) -> dict[str, nn.Parameter]:
        held: dict[str, nn.Module] = {
            f"stages.{i}": one for i, one in enumerate(self.module.stages)
        }
        held["neck"] = self.module.neck
        chosen = [*held.items()][self.cut :]
        return {
            f"{name}.{inner}": value
            for name, part in chosen
            for inner, value in part.named_parameters()
        }

    def __enter__(self) -> Unfrozen:
        found = self._named()
        self._own = {name: value.detach().clone() for name, value in found.items()}
        with torch.no_grad():
            for name, kept in self._kept.items():
                found[name].copy_(torch.from_numpy(np.array(kept)))
        for value in found.values():
            value.requires_grad_(True)
        return self

    def __exit__(self, *exc: object) -> None:
        found = self._named()
        self._kept = {name: value.detach().numpy().copy() for name, value in found.items()}
        with torch.no_grad():
            for name, value in self._own.items():
                found[name].copy_(value)
        for value in found.values():
            value.requires_grad_(False)
            value.grad = None
        self._own = {}

    def parameters(self) -> list[Any]:
        return list(self._named().values())

    def named(self) -> dict[str, Any]:
        return dict(self._named())

    def pace(self, name: str) -> float:
        return 1.0

    def run(
        self, batch: Any, hidden: Any | None, encoding: Encoding, *, words: bool = False
    ) -> Any:
        """The maps that enter the head, with gradients where blocks are tuned; ``hidden`` are
        the maps that enter the cut."""
        assert hidden is not None
        return self.module.above(hidden, self.cut)

    def training(self, on: bool, dropout: float = 0.0) -> None:
        """Nothing in it behaves otherwise while it learns."""

    @property
    def tuned_parameters(self) -> int:
        return sum(value.numel() for value in self._named().values())

    @property
    def kept(self) -> dict[str, npt.NDArray[Any]]:
        return self._kept

    def keep(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        found = self._named()
        wrong = [n for n, v in state.items() if n not in found or found[n].shape != v.shape]
        if wrong:
            raise ValueError(f"not numbers of this model: {', '.join(wrong[:3])}")
        self._kept = {name: np.array(value) for name, value in state.items()}

    def config(self) -> dict[str, Any] | None:
        return None
