"""Parts of a detector, themselves tuned; put back when they are not in use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from supertune.contracts import Encoding


class Unfrozen:
    """See `supertune.contracts.Tunable`. Without parts it tunes nothing: the head stands alone.

    Args:
        parts: what is tuned, by name.
        above: from a batch of views, what enters ``cut`` for them (None: nothing is known yet) and
            the cut to what the head reads.
        from_input: nothing is computed once, because the lowest parts are tuned too.
    """

    joins: str | None = None
    room = 0

    def __init__(
        self,
        parts: Mapping[str, nn.Parameter],
        cut: int,
        above: Callable[[Any, Any, int], Any],
        numbers: Mapping[str, npt.NDArray[Any]] | None,
        *,
        from_input: bool = False,
    ) -> None:
        self.cut, self.from_input = cut, from_input
        self._parts, self._above = dict(parts), above
        self._own: dict[str, Tensor] = {}
        self._kept: dict[str, npt.NDArray[Any]] = {}
        self.keep(numbers or {})

    def __enter__(self) -> Unfrozen:
        found = self._parts
        self._own = {name: value.detach().clone() for name, value in found.items()}
        with torch.no_grad():
            for name, kept in self._kept.items():
                found[name].copy_(torch.from_numpy(np.array(kept)))
        for value in found.values():
            value.requires_grad_(True)
        return self

    def __exit__(self, *exc: object) -> None:
        found = self._parts
        self._kept = {name: value.detach().numpy().copy() for name, value in found.items()}
        with torch.no_grad():
            for name, value in self._own.items():
                found[name].copy_(value)
        for value in found.values():
            value.requires_grad_(False)
            value.grad = None
        self._own = {}

    def parameters(self) -> list[Any]:
        return list(self._parts.values())

    def named(self) -> dict[str, Any]:
        return dict(self._parts)

    def pace(self, name: str) -> float:
        return 1.0

    def run(
        self, batch: Any, hidden: Any | None, encoding: Encoding, *, words: bool = False
    ) -> Any:
        """What the head reads, with gradients where parts are tuned."""
        return self._above(batch, hidden, self.cut)

    def training(self, on: bool, dropout: float = 0.0) -> None:
        """Nothing in it behaves otherwise while it learns."""

    @property
    def tuned_parameters(self) -> int:
        return sum(value.numel() for value in self._parts.values())

    @property
    def kept(self) -> dict[str, npt.NDArray[Any]]:
        return self._kept

    def keep(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        found = self._parts
        wrong = [n for n, v in state.items() if n not in found or found[n].shape != v.shape]
        if wrong:
            raise ValueError(f"not numbers of this model: {', '.join(wrong[:3])}")
        self._kept = {name: np.array(value) for name, value in state.items()}

    def config(self) -> dict[str, Any] | None:
        return None
