"""The gradient of one step in several parts, the same as in one but for rounding.

A loss that is a sum over rows is differentiated part by part. One that compares all rows with one
another (`contrastive`) needs every vector first: these are computed without gradients, the loss
is differentiated with respect to them, and each part is run again to carry its share on into the
parameters (gradient cache: Gao et al. 2021, arXiv:2101.06983).

Where several processes share the fit, each has its own rows of the step (`processes`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from supertune.limits import Splitting, check
from supertune.training import processes

Index = Sequence[int]
Whole = Callable[[Any, Index], Any]


class Accumulation:
    """Gradients of steps, in as many parts as memory asks for.

    Args:
        rows: vectors of some rows of the step, with gradients where these are on.
        whole: the loss of vectors of all rows of the step; None where it is a sum over rows.
        partial: the share of some rows in the loss of the step.
        tensors: those that gradients are wanted of.
    """

    def __init__(
        self,
        splitting: Splitting,
        *,
        partial: Callable[[Index, Index], Any],
        rows: Callable[[Index], Any],
        whole: Whole | None,
        tensors: Callable[[], Sequence[Any]],
    ) -> None:
        self.splitting = splitting
        self.partial, self.rows, self.whole, self.tensors = partial, rows, whole, tensors

    def __call__(self, index: Index) -> Any:
        """Leave the gradient of the step's loss in the parameters; the loss, detached."""
        start, shared = _Dice(), processes.shared(len(index))
        mine, place = processes.own(index)

        def gradient(parts: list[Index]) -> Any:
            for tensor in self.tensors():  # of a try that failed
                tensor.grad = None
            start.again()
            if self.whole is None:
                return sum(_differentiated(self.partial(part, index)) for part in parts)
            if len(parts) == 1 and not shared:
                return _differentiated(self.whole(self.rows(index), index))
            return self._together(self.whole, parts, index, place)

        check()
        loss = self.splitting.over(mine, gradient)
        if not shared:
            return loss
        processes.sum_gradients(self.tensors())
        return processes.summed(loss) if self.whole is None else loss

    def _together(self, whole: Whole, parts: list[Index], index: Index, place: int) -> Any:
        """The loss of all rows of the step; ``parts`` are those of this process, from ``place``."""
        import torch

        dice, vectors = [], []
        with torch.no_grad():
            for part in parts:
                dice.append(_Dice())
                vectors.append(self.rows(part))
        own: Any = torch.cat(vectors)
        leaf = own.new_zeros(len(index), own.shape[1])
        leaf[place : place + len(own)] = own
        if len(own) < len(index):
            processes.summed(leaf)
        loss = _differentiated(whole(leaf.requires_grad_(), index))
        shares = leaf.grad[place : place + len(own)].split([len(part) for part in parts])
        for part, before, share in zip(parts, dice, shares, strict=True):
            check()
            before.again()  # the same numbers are dropped as when the vectors were computed
            self.rows(part).backward(share)
        return loss


def _differentiated(loss: Any) -> Any:
    loss.backward()
    return loss.detach()


class _Dice:
    """Where torch's random numbers stand, so that a run can be repeated."""

    def __init__(self) -> None:
        import torch

        self.cpu = torch.get_rng_state()
        self.cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []

    def again(self) -> None:
        import torch

        torch.set_rng_state(self.cpu)
        if self.cuda:
            torch.cuda.set_rng_state_all(self.cuda)
