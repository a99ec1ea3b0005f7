"""Numbers tuned in Keras: in a copy of the blocks from the cut on, so that the backbone itself is
never touched.

They are kept under the names and in the shapes that they have in torch where they mean the same:
kernels of dense layers lie there on their side, normalisation has a weight and a bias, LoRA's
factors are called A and B. What torch has not, such as LoRA's factors of an EinsumDense, has the
names of Keras.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from supertune.backbones.keras import blocks as made_blocks
from supertune.backbones.keras.blocks import Top
from supertune.contracts import Encoding, FloatArray, Injection
from supertune.errors import InputError

if TYPE_CHECKING:
    from supertune.backbones.keras.model import KerasBackbone

Arrays = Mapping[str, npt.NDArray[Any]]


class TunedBlocks:
    """See `supertune.contracts.Tunable`; one in a model at a time.

    Raises:
        InputError: ``keras_cannot_tune``, ``target_not_found``, ``feed_forward_not_found``,
            ``adapter_mismatch``.
    """

    room = 0

    def __init__(
        self, backbone: KerasBackbone, injection: Injection, seed: int, numbers: Arrays | None
    ) -> None:
        self.backbone, self.injection, self.seed = backbone, injection, seed
        self.from_input = injection.blocks is None
        self.cut = 0 if injection.blocks is None else min(injection.blocks)
        self._top: Top | None = None
        first = self._made().start(seed)
        self._shapes = {name: array.shape for name, array in first.items()}
        self._kept: dict[str, npt.NDArray[Any]] = first
        if numbers is not None:
            self.keep(numbers)
            self._check()

    def _made(self) -> Top:
        """The blocks, made once for all that tune the same in turn."""
        key = repr((self.injection.kind, self.injection.blocks, dict(self.injection.settings)))
        if self.backbone.kept_top is None or self.backbone.kept_top[0] != key:
            self.backbone.kept_top = key, made_blocks.made(self.backbone, self.injection)
        top: Top = self.backbone.kept_top[1]
        return top

    def __enter__(self) -> Self:
        self.backbone.lock.acquire()
        if self.backbone.tuned is not None:
            self.backbone.lock.release()
            raise RuntimeError(f"{self.backbone.ref.name} has tuned numbers in it already")
        try:
            self._top = self._made()
            self._top.put(self._kept)
        except BaseException:
            self.backbone.lock.release()
            raise
        self.backbone.tuned = self
        return self

    def __exit__(self, *exc: object) -> None:
        try:
            self._kept = self.state()
        finally:
            self._top, self.backbone.tuned = None, None
            self.backbone.lock.release()

    @property
    def top(self) -> Top:
        """The blocks, inside the ``with`` block."""
        if self._top is None:
            raise RuntimeError("what is tuned is not in the model; use `with tunable:`")
        return self._top

    def parameters(self) -> list[Any]:
        return list(self.named().values())

    def named(self) -> dict[str, Any]:
        return {name: place.variable for name, place in self.top.places.items()}

    def pace(self, name: str) -> float:
        return 1.0

    def states(self, batch: Mapping[str, Any]) -> FloatArray:
        """(rows, tokens, d) of inputs, through the backbone's lower and the tuned blocks."""
        return np.asarray(self.top.run(None, batch).numpy(), dtype=np.float32)

    def run(
        self, batch: Any, hidden: Any | None, encoding: Encoding, *, words: bool = False
    ) -> FloatArray:
        """(pieces, d) as an array; see `supertune.contracts.Stepping`."""
        offer = self.backbone.offer
        how = encoding.pooling or offer.pooling
        found = self.top.vectors(self.top.run(hidden, batch), batch, how, offer.normalize)
        return np.asarray(found.numpy(), dtype=np.float32)

    def training(self, on: bool, dropout: float = 0.0) -> None:
        """There is no dropout."""

    @property
    def joins(self) -> str | None:
        return None

    @property
    def tuned_parameters(self) -> int:
        return sum(int(np.prod(shape)) for shape in self._shapes.values())

    @property
    def kept(self) -> dict[str, npt.NDArray[Any]]:
        return self._kept

    def keep(self, state: Arrays) -> None:
        self._kept = {name: np.array(array, order="C") for name, array in state.items()}

    def config(self) -> dict[str, Any] | None:
        return None

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """Copies of the numbers that are in the model now."""
        return self.top.numbers()

    def _check(self) -> None:
        wanted = {name: array.shape for name, array in self._kept.items()}
        odd = sorted(set(wanted.items()) ^ set(self._shapes.items()))
        if odd:
            raise InputError(
                "adapter_mismatch",
                f"The tuned numbers do not fit {self.backbone.ref.name}.",
                received=", ".join(dict.fromkeys(name for name, _ in odd[:3])),
                next="Load the model with the backbone it was tuned on.",
            )
