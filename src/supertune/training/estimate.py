"""Predicted seconds and bytes, before anything is loaded.

One token through one block of width d costs about 24·d² operations forward (12·d² weights,
a multiplication and an addition each), and backward as much again for each of the activations'
and the weights' gradients. The machine's rate is probed once a process by a small matrix product.
Meant to be right within a factor of two; the constants are measured (docs/log.md).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import cache

import numpy as np

from supertune.contracts import GradientMethod, GradientOptions, Input, Method, Offer
from supertune.data import checks
from supertune.data.joining import as_one

EFFICIENCY = 0.55  # of a plain matrix product, reached by a whole forward pass
FILLING = 600  # tokens by which exact batches are filled up, a fit
PADDING = 1.5  # tokens of a training batch, padded to its longest row, to those of its rows
SOLVING = 0.1  # seconds of a closed form over all folds
LEARNING = 0.8  # share of the rows that one of five folds learns from
LOADING = 1.5  # seconds to import the framework and open a small backbone
RUNTIME_BYTES = 450_000_000  # interpreter, framework and libraries


@cache
def operations_per_second() -> float:
    """Float32 rate of a (512, 512) product in NumPy; best of a few, about 30 ms in all."""
    left = np.random.default_rng(0).standard_normal((512, 512)).astype(np.float32)
    best = float("inf")
    for _ in range(6):
        start = time.perf_counter()
        left @ left
        best = min(best, time.perf_counter() - start)
    return 2 * 512**3 / best


def token_count(inputs: Sequence[Input], max_length: int) -> int:
    """Tokens of all inputs, as estimated, each cut to ``max_length``."""
    return sum(min(max_length, checks.token_count(as_one(value))) for value in inputs)


def encode_seconds(offer: Offer, tokens: int) -> float:
    """One forward pass of ``tokens`` tokens through all blocks."""
    operations = 24 * offer.width**2 * offer.depth * tokens
    return operations / (operations_per_second() * EFFICIENCY)


def fit_seconds(
    method: Method, options: object, offer: Offer | None, tokens: int, folds: int
) -> float:
    """Cross-validation with ``folds`` models in all, and the final fit, without loading."""
    if offer is None:
        return 0.1 + 0.02 * folds
    features = encode_seconds(offer, tokens + FILLING)
    if not isinstance(method, GradientMethod) or not isinstance(options, GradientOptions):
        return features + SOLVING
    injection = method.injection(offer, options)
    cut = min(injection.blocks) if injection.blocks else 0
    below = min(1.0, cut / max(1, offer.depth))  # a decoder reads a word or two
    # Where weights stay frozen, no gradient of theirs is computed.
    passes = 3.0 if injection.kind == "unfreeze" else 2.3
    epoch = encode_seconds(offer, tokens) * (1 - below) * passes * PADDING
    answers = encode_seconds(offer, tokens) * folds * (1 - LEARNING)
    training = epoch * options.epochs * (folds * LEARNING + 1)
    return features * (1 + below) + training + answers + SOLVING


def memory_bytes(method: Method, options: object, offer: Offer | None, max_length: int) -> int:
    """Peak resident bytes: weights once, twice or four times, and one batch of activations."""
    if offer is None:
        return RUNTIME_BYTES // 2
    weights = offer.parameters * 4
    if not isinstance(method, GradientMethod) or not isinstance(options, GradientOptions):
        return RUNTIME_BYTES + weights + 60_000_000
    injection = method.injection(offer, options)
    copies = 5 if injection.kind == "unfreeze" else 1
    batch = options.batch_size * max_length * offer.width * 4
    return RUNTIME_BYTES + weights * copies + batch * 16 * offer.depth


def disk_bytes(method: Method, options: object, offer: Offer | None, rows: int, tokens: int) -> int:
    """The model folder and what the activation cache gains, at most."""
    report = 150_000 + 2_000 * rows
    if offer is None:
        return report + 4_000 * rows
    features = rows * offer.width * 4
    if not isinstance(method, GradientMethod) or not isinstance(options, GradientOptions):
        return report + features
    injection = method.injection(offer, options)
    tuned = offer.parameters * 4 if injection.kind == "unfreeze" else offer.parameters // 50
    cached = 0 if injection.blocks is None else tokens * offer.width * 4
    return report + features + tuned + cached
