"""What all kinds share: entering and leaving, running from the cut, and numbers by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from supertune.backbones.transformers.tuning.snapshot import Snapshot
from supertune.contracts import Encoding, Injection
from supertune.errors import InputError

if TYPE_CHECKING:
    from supertune.backbones.transformers.batching import Batch
    from supertune.backbones.transformers.model import TransformersBackbone

Arrays = dict[str, npt.NDArray[Any]]


class TunableModel:
    """See `supertune.contracts.Tunable`.

    A kind says how its numbers are put into the model (`_put`) and which tensors they are
    (`named`). Taking them out is the same for all: the model is set back to its `Snapshot`,
    however far a `_put` came.
    """

    room = 0  # positions of the backbone that are taken up
    copies_weights = False  # it writes into the backbone's own weights
    apart = False  # it works on whole rows, which cannot be packed

    def __init__(self, backbone: TransformersBackbone, injection: Injection, seed: int) -> None:
        self.backbone = backbone
        self.injection = injection
        self.seed = seed
        blocks = injection.blocks
        self.cut = 0 if blocks is None else min(blocks, default=backbone.offer.depth)
        self.from_input = blocks is None or not (blocks == () or backbone.resumes(self.cut))
        _ = backbone.last_block.exact(), backbone.offset  # before anything is in the way
        self._given: Arrays | None = None  # to be put in at the next entry; None: begin anew
        self._kept: Arrays | None = None  # as last left
        self._snapshot: Snapshot | None = None
        self._tuned = 0
        self._before = False  # whether rows stay apart in the backbone itself
        self._dropped: list[tuple[Any, float]] = []

    @property
    def joins(self) -> str | None:
        """See `supertune.contracts.Tunable`."""
        return None

    def try_out(self) -> None:
        """Enter and leave once, so that what cannot work is refused before anything is computed."""
        with self:
            pass
        self._given = None

    def accept(self, numbers: Mapping[str, npt.NDArray[Any]]) -> None:
        """Take up numbers that were tuned before.

        Raises:
            InputError: ``adapter_mismatch``, or whatever `try_out` raises.
        """
        self.keep(numbers)
        with self:
            pass

    def __enter__(self) -> Self:
        import torch

        self.backbone.lock.acquire()
        if self.backbone.tuned:
            self.backbone.lock.release()
            raise RuntimeError(f"{self.backbone.ref.name} has tuned numbers in it already")
        self.backbone.tuned = True
        self._before, self.backbone.apart = self.backbone.apart, self.apart or self.backbone.apart
        try:
            self._snapshot = Snapshot(self.backbone.model, copy_weights=self.copies_weights)
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(self.seed)
                self._put()
            self.backbone.model.eval()
        except BaseException:
            self._leave()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        try:
            self._kept = self.state()
            self._given = self._kept
            self._tuned = self._count()
        finally:
            self._leave()

    def _leave(self) -> None:
        self.backbone.extend = None
        for layer, share in self._dropped:
            layer.p, layer.training = share, False
        self._dropped = []
        if self._snapshot is not None:
            self._snapshot.restore()
        self._snapshot = None
        self._taken()
        self.backbone.tuned, self.backbone.apart = False, self._before
        self.backbone.lock.release()

    def _put(self) -> None:
        raise NotImplementedError

    def _taken(self) -> None:
        """Let go of what was in the model."""

    def named(self) -> dict[str, Any]:
        raise NotImplementedError

    def pace(self, name: str) -> float:
        """See `supertune.contracts.Tunable`."""
        return 1.0

    def parameters(self) -> list[Any]:
        return list(self.named().values())

    def config(self) -> dict[str, Any] | None:
        return None

    def training(self, on: bool, dropout: float = 0.0) -> None:
        """See `supertune.contracts.Tunable`. The backbone's own layers get their share back."""
        import torch

        assert self._snapshot is not None
        new = self._snapshot.new_modules(self.backbone.model)
        for module in new:
            module.training = on
        for layer, share in self._dropped:
            layer.p, layer.training = share, False
        self._dropped = []
        if not (on and dropout):
            return
        known = {id(module) for module in new}
        above = [*self.backbone.blocks, *self.backbone.decoder_blocks][self.cut :]
        for module in (part for block in above for part in block.modules()):
            if isinstance(module, torch.nn.Dropout) and id(module) not in known:
                self._dropped.append((module, module.p))
                module.p, module.training = dropout, True

    @property
    def tuned_parameters(self) -> int:
        """How many of the kept numbers are tuned; peft keeps fixed ones for some types."""
        return self._tuned

    @property
    def kept(self) -> Arrays:
        """The tuned numbers as last left, under peft's own names where peft made them."""
        assert self._kept is not None
        return self._kept

    def keep(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Numbers to put in at the next entry."""
        self._given = {name: np.array(array, order="C") for name, array in state.items()}
        self._kept = self._given

    def _count(self) -> int:
        return sum(int(tensor.numel()) for tensor in self.named().values())

    def run(
        self, batch: Batch, hidden: Any | None, encoding: Encoding, *, words: bool = False
    ) -> Any:
        return self.backbone.forward(batch, encoding, words=words, cut=self.cut, hidden=hidden)

    def state(self) -> Arrays:
        """Copies of the numbers that are in the model now."""
        return {name: p.detach().cpu().numpy().copy() for name, p in self.named().items()}

    def _put_given(self) -> None:
        """Copy the numbers to put in, if there are any, over those in the model."""
        import torch

        if self._given is None:
            return
        own = self.named()
        self._check_given(own)
        with torch.no_grad():
            for name, tensor in own.items():
                tensor.copy_(torch.from_numpy(self._given[name]))

    def _check_given(self, own: Mapping[str, Any]) -> None:
        """Names and shapes of what is to be put in against those of the model.

        Raises:
            InputError: ``adapter_mismatch``.
        """
        given = self._given or {}
        odd = sorted(set(own) ^ set(given))
        odd += [n for n in own if n in given and tuple(own[n].shape) != given[n].shape]
        if odd:
            raise InputError(
                "adapter_mismatch",
                f"The tuned numbers do not fit {self.backbone.ref.name}.",
                received=", ".join(odd[:3]),
                next="Load the model with the backbone it was tuned on.",
            )
