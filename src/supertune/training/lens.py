"""A backbone seen through the activation cache: what is frozen is computed once per input."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from supertune.contracts import Backbone, Encoding, FloatArray, Input, Layered, Part, naming_of
from supertune.training.codes import stop

TAPPED = 128  # inputs of which activations are held at a time
CHUNK = 512  # inputs between two writes to the cache, so that an interrupted run loses little


class Store(Protocol):
    """Where activations are kept; `supertune.training.cache.ActivationCache` is one."""

    def get(self, keys: Sequence[str]) -> dict[str, npt.NDArray[np.generic]]: ...
    def put(self, arrays: Mapping[str, npt.NDArray[np.generic]]) -> None: ...


@dataclass(eq=False)
class CachedLens:
    """See `supertune.contracts.Lens`. ``computed`` counts inputs that were not in the cache."""

    backbone: Backbone
    encoding: Encoding
    store: Store
    progress: Callable[[int, int], None] | None = None
    computed: int = 0
    _salt: str = field(init=False)
    _cut: int | None = field(default=None, init=False)  # tapped on the way to vectors
    _last: dict[str, tuple[Any, FloatArray]] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        # Other versions, threads or tokenizer files give other bits to the same weights.
        arithmetic = getattr(self.backbone, "arithmetic", "")
        read = self.encoding
        if self._layered is not None:  # all layers are kept, whichever is asked for
            read = replace(read, layer=None, pooling=None)
        self._salt = f"{self.backbone.sha256}|{arithmetic}|{read!r}"

    def key(self, value: object, tap: str) -> str:
        """The cache key of one input's activation at ``tap``."""
        text = f"{self._salt}|{tap}|{value!r}"
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

    def under(self, encoding: Encoding) -> CachedLens:
        """The same backbone and cache under another encoding."""
        if encoding == self.encoding:
            return self
        return CachedLens(self.backbone, encoding, self.store, self.progress)

    def features(self, inputs: Sequence[Input], *, prediction: bool = False) -> FloatArray:
        return self._vectors(inputs, "features", self.backbone.features, prediction)

    def scores(self, inputs: Sequence[Input], *, prediction: bool = False) -> FloatArray:
        return self._vectors(inputs, "scores", self.backbone.scores, prediction)

    def _vectors(
        self, inputs: Sequence[Input], tap: str, run: Callable[..., FloatArray], prediction: bool
    ) -> FloatArray:
        if prediction or getattr(self.backbone, "keeps", False):
            return self._predicted(tuple(inputs), tap, run)
        if not inputs:
            return run([], self.encoding)
        if tap == "features" and self._layered is not None:
            return self._layered.picked(self.readings(inputs), self.encoding)
        return self._kept(inputs, tap, run)

    def _kept(
        self, inputs: Sequence[Input], tap: str, run: Callable[..., FloatArray]
    ) -> FloatArray:
        """One vector an input, from the cache or computed now."""

        def compute(part: list[Input]) -> Sequence[FloatArray]:
            tokens = self.backbone.tokens(part, self.encoding)
            if self._cut is None:
                return list(run(tokens, self.encoding))
            with self.backbone.tapped(self._cut) as entering:
                vectors = list(run(tokens, self.encoding))
            where = self._place(self._cut)
            self.store.put({self.key(piece, where): each for piece, each in entering.items()})
            return vectors

        chunk = CHUNK if self._cut is None else TAPPED
        vectors = self._through(list(inputs), tap, compute, chunk)
        return np.stack(vectors).astype(np.float32, copy=False)

    @property
    def _layered(self) -> Layered | None:
        """What reads all layers at once, where the backbone can."""
        able = "layers" in self.backbone.offer.capabilities and self.encoding.prompt is None
        return getattr(self.backbone, "layered", None) if able else None

    def names(self, texts: Sequence[str]) -> FloatArray:
        """See `supertune.contracts.Lens`."""
        naming = naming_of(self.backbone)
        if naming is None:
            return self.features(texts)
        naming.check(self.encoding)

        def compute(part: list[str]) -> Sequence[FloatArray]:
            return list(naming.vectors(part))

        return np.stack(self._through(list(texts), "names", compute))

    @property
    def parts(self) -> tuple[Part, ...]:
        """See `supertune.contracts.Lens`."""
        assert self._layered is not None
        return self._layered.parts()

    def readings(self, inputs: Sequence[Input], *, prediction: bool = False) -> FloatArray:
        """See `supertune.contracts.Lens`."""
        assert self._layered is not None
        layered = self._layered

        def run(tokens: Sequence[Any], _encoding: Encoding, **how: bool) -> FloatArray:
            return layered.readings(tokens, **how)

        if prediction:
            return self._predicted(tuple(inputs), "readings", run)
        return self._kept(inputs, "readings", run)

    def read_through(self, inputs: Sequence[Input], cut: int) -> None:
        self._cut = cut
        try:
            (self.features if self.encoding.prompt is None else self.scores)(inputs)
        finally:
            self._cut = None

    def _predicted(
        self, inputs: tuple[Input, ...], tap: str, run: Callable[..., FloatArray]
    ) -> FloatArray:
        """The last answer is kept: a test file is asked about by the model and by a baseline."""
        asked = inputs, self.backbone.precision
        if tap not in self._last or self._last[tap][0] != asked:
            tokens = self.backbone.tokens(inputs, self.encoding)
            vectors = run(tokens, self.encoding, exact=False)
            vectors.flags.writeable = False  # the next who asks gets the same array
            self._last[tap] = asked, vectors
        return self._last[tap][1]

    def activations(
        self, pieces: Sequence[Any], cut: int, *, dropout: float = 0.0, draw: int = 0
    ) -> list[FloatArray]:
        """What enters block ``cut`` for each tokenised piece: (its tokens, d) float32.

        For blocks of a decoder it is the encoder's output, the same whatever is answered.
        """
        tap = self._place(cut)
        keys: dict[str, Any] = {"dropout": dropout, "draw": draw} if dropout else {}
        if dropout:
            tap += f", dropout {dropout!r}, draw {draw}"

        def compute(part: list[Any]) -> Sequence[FloatArray]:
            return self.backbone.activations(part, cut, **keys)

        return self._through([getattr(piece, "bare", piece) for piece in pieces], tap, compute)

    def _place(self, cut: int) -> str:
        return f"block {cut}" if cut < self.backbone.offer.depth else "encoder"

    def _through(
        self,
        values: list[Any],
        tap: str,
        compute: Callable[[list[Any]], Sequence[FloatArray]],
        chunk: int = CHUNK,
    ) -> list[FloatArray]:
        keys = [self.key(value, tap) for value in values]
        found: dict[str, Any] = dict(self.store.get(keys))
        wanted = {key: value for key, value in zip(keys, values, strict=True) if key not in found}
        self.computed += len(wanted)
        todo = sorted(wanted, key=lambda key: (len(repr(wanted[key])), key))
        for start in range(0, len(todo), chunk):
            part = todo[start : start + chunk]
            fresh = dict(zip(part, compute([wanted[key] for key in part]), strict=True))
            if not all(np.isfinite(array).all() for array in fresh.values()):
                raise stop("activations_not_finite", tap, received=self.backbone.ref.name)
            self.store.put(fresh)
            found.update(fresh)
            if self.progress is not None:
                self.progress(min(start + chunk, len(todo)), len(todo))
        return [found[key] for key in keys]
