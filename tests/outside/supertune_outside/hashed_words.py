"""An engine without weights: a word goes to one of ``width`` signed buckets by its hash.

Weinberger et al. 2009, "Feature Hashing for Large Scale Multitask Learning".
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal

import numpy as np

from supertune.contracts import (
    BackboneRef,
    Encoding,
    FloatArray,
    Injection,
    Input,
    Offer,
    Tunable,
)
from supertune.errors import InputError

_OFFER = Offer(
    capabilities=frozenset({"features"}),
    family="encoder",
    architecture="hashed words",
    width=512,
    depth=0,
    parameters=0,
    max_length=10_000,
    pooling="mean",
    normalize=True,
    languages=("*",),
)


class HashedWordsBackbone:
    precision: Literal["fp32", "bf16"] = "fp32"

    def at(self, precision: Literal["fp32", "bf16"]) -> AbstractContextManager[None]:
        return nullcontext()  # hashes are counted in one way only

    def __init__(self, ref: BackboneRef) -> None:
        self.ref = ref
        self.offer = _OFFER
        self.sha256 = hashlib.sha256(b"hashed words, crc32, 512 signed buckets").hexdigest()

    def tokens(self, inputs: Sequence[Input], encoding: Encoding) -> list[list[int]]:
        texts = [value if isinstance(value, str) else " ".join(value) for value in inputs]
        return [
            [zlib.crc32(word.encode("utf-8")) for word in re.findall(r"\w+", text.lower())][
                : encoding.max_length
            ]
            for text in texts
        ]

    def features(
        self, tokens: Sequence[list[int]], encoding: Encoding, *, exact: bool = True
    ) -> FloatArray:
        vectors = np.zeros((len(tokens), self.offer.width), dtype=np.float32)
        for row, ids in enumerate(tokens):
            for token in ids:
                vectors[row, token % self.offer.width] += 1.0 if token >> 31 else -1.0
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors / np.maximum(norms, 1e-12)

    def activations(self, pieces: Sequence[list[int]], cut: int) -> list[FloatArray]:
        raise self._nothing("the activations at a cut")

    def inject(self, injection: Injection, *, seed: int, numbers: Any = None) -> Tunable:
        raise self._nothing(injection.kind)

    def _nothing(self, wanted: str) -> InputError:
        return InputError(
            "nothing_to_tune",
            "hashed_words has neither blocks nor weights.",
            received=wanted,
            allowed="methods that need only features",
            next="Choose linear_probe.",
        )


class HashedWords:
    name = "hashed_words"
    summary = "a bag of hashed words; no weights"
    modalities = ("text",)
    extra: str | None = None

    def offers(self, ref: BackboneRef) -> Offer:
        return _OFFER

    def open(
        self,
        ref: BackboneRef,
        *,
        device: str,
        threads: int | None,
        precision: str = "fp32",
        packing: bool = True,
    ) -> HashedWordsBackbone:
        return HashedWordsBackbone(ref)


ENGINE = HashedWords()
