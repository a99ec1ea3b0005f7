"""Early stopping: a part of the rows is not learned from and tells which numbers are kept, and when
no more is to be hoped for (Prechelt 1998, doi:10.1007/3-540-49430-8_3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from supertune.contracts import Examples, IntArray, Tunable


def parted(examples: Examples, share: float, seed: int) -> tuple[IntArray, IntArray]:
    """Rows that are learned from and rows that are held out, ascending: about ``share`` of them,
    whole groups where there are groups, at least one, and never all."""
    count = len(examples)
    groups = np.arange(count) if examples.groups is None else examples.groups
    names = np.random.default_rng(seed).permutation(np.unique(groups))
    wanted = max(1, round(share * count))
    out = np.zeros(count, dtype=bool)
    for name in names[:-1]:
        if out.sum() >= wanted:
            break
        out |= groups == name
    if share == 0:
        out[:] = False
    return np.flatnonzero(~out), np.flatnonzero(out)


class Watch:
    """The best numbers of a training so far: of the means over the steps of each epoch, and of
    those it began with.

    What is judged is what would be kept: a mean, and ``interpolation`` of the way to it.

    Args:
        loss: of the rows held out, with the numbers as they are.
        patience: epochs without a better loss after which it is stopped.

    Attributes:
        losses: (steps taken, loss) at the beginning and after each epoch.
    """

    def __init__(
        self,
        tunable: Tunable,
        loss: Callable[[], float],
        patience: int,
        interpolation: float,
    ) -> None:
        self.tunable, self.loss = tunable, loss
        self.patience, self.interpolation = patience, interpolation
        self.start = self._now()
        self.mean, self.count = self.start, 1
        self.kept, self.best, self.worse = self.start, float("inf"), 0
        self.losses: list[tuple[float, float]] = []
        self.ended(0)

    def stepped(self, step: int, steps: int) -> None:
        """Told that a step was taken."""
        now = self._now()
        self.count += 1
        if self.count == 1:
            self.mean = now
        else:
            for name, mean in self.mean.items():
                mean += (now[name] - mean) / self.count

    def ended(self, step: int) -> bool:
        """Told the steps taken at the end of an epoch; whether to stop there."""
        now, share = self._now(), self.interpolation
        start = self.start
        self._put(
            {name: start[name] + share * (one - start[name]) for name, one in self.mean.items()}
        )
        self.tunable.training(False)
        found = self.loss()
        self.tunable.training(True)
        self._put(now)
        self.losses.append((float(step), found))
        if found < self.best:
            self.kept, self.best, self.worse = self.mean, found, 0
        else:
            self.worse += 1
        self.mean, self.count = {}, 0
        return self.worse >= self.patience

    def settle(self) -> None:
        """The best mean is put in its place, as a whole."""
        self._put(self.kept)

    def _now(self) -> dict[str, Any]:
        return {name: tensor.detach().clone() for name, tensor in self.tunable.named().items()}

    def _put(self, numbers: dict[str, Any]) -> None:
        for name, tensor in self.tunable.named().items():
            tensor.data.copy_(numbers[name])
