"""A style as what is tuned: S numbers, beside the published ones, which stay as they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from supertune.contracts import Encoding, FloatArray

NAME = "style"


class StyleVector:
    """See `supertune.contracts.Tunable`. ``begun`` (S,) is the published style that it began as.

    Raises:
        ValueError: numbers of another network.
    """

    joins: str | None = None
    room = 0
    from_input = True
    cut = 0

    def __init__(self, numbers: Mapping[str, npt.NDArray[Any]], begun: FloatArray) -> None:
        self.begun = begun
        self._there: torch.nn.Parameter | None = None
        self.keep(numbers)

    def __enter__(self) -> StyleVector:
        self._there = torch.nn.Parameter(torch.from_numpy(self._kept.copy()))
        return self

    def __exit__(self, *exc: object) -> None:
        if self._there is not None:
            self._kept = self._there.detach().numpy().copy()
        self._there = None

    def parameters(self) -> list[Any]:
        return list(self.named().values())

    def named(self) -> dict[str, Any]:
        return {} if self._there is None else {NAME: self._there}

    def run(
        self, batch: Any, hidden: Any | None, encoding: Encoding, *, words: bool = False
    ) -> Any:
        raise NotImplementedError("a style is tuned by losses of its own")

    def training(self, on: bool, dropout: float = 0.0) -> None:
        """Nothing behaves otherwise while it learns."""

    @property
    def kept(self) -> dict[str, npt.NDArray[Any]]:
        return {NAME: self._kept}

    @property
    def tuned_parameters(self) -> int:
        return int(self._kept.size)

    def keep(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        given = {name: tuple(value.shape) for name, value in state.items()}
        if given != {NAME: self.begun.shape}:
            raise ValueError(f"not numbers of this model: {given}")
        self._kept = np.array(state[NAME], dtype=np.float32)

    def config(self) -> dict[str, Any] | None:
        return None
