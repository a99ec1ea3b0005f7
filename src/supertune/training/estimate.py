"""Predicted seconds and bytes, before anything is loaded.

Operations are counted and divided by what this machine was measured to do (`speed`): a pass over
the rows for features, which leaves what enters the cut on its way, and forward and backward
passes from the cut on, once an epoch and fold. Meant to be right within a factor of two; a test
holds that to real fits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from supertune import registry
from supertune.contracts import (
    CompletionOptions,
    DetectionOptions,
    GradientMethod,
    GradientOptions,
    Injection,
    Input,
    Method,
    Offer,
    RankingOptions,
    TranscriptionOptions,
    TranslationOptions,
    modality_of,
)
from supertune.training.replay import MEMORY
from supertune.training.speed import Speed, operations

EFFICIENCY = 1.0  # of the probe's blocks, reached by the blocks of a real model
FILLED, SHAPE = 64, 16  # tokens by which a batch is filled up on average, one a shape of rows
WIDENING = 1.1  # of a row, up to the width of its shape
SOLVING = 0.03  # seconds of a closed form over all folds
CROSS, ANSWER = 1 / 6, 2.0  # of a decoder's block: keys and values of a text token; an answer
LEARNING = 0.8  # share of the rows that one of five folds learns from
LOADING = 1.5  # seconds to import the framework and open a small backbone
WATCHED, WATCHES = 8, 4  # rows that a fit watches, and how often they pass through the model
UNFREEZING = 4e-8  # seconds a weight that is trained itself: kept and put back
STEPPING = 1e-8  # seconds a step and weight that is trained itself: clipped, moved, two moments
SIGNING = 1e-8  # seconds a weight, to see that a fit has not changed it
COUNTING = 3e-6  # seconds a token, of a bag of words
IMPORTING = 0.3  # seconds until a bag of words can be solved
DENSE = 3e10  # operations a second of a symmetric eigenvalue problem
RUNTIME_BYTES = 450_000_000  # interpreter, framework and libraries
KEPT_VECTORS = 16  # activations of a block, in vectors of its width, that a gradient needs
BATCH_BYTES = 60_000_000  # a batch that is encoded


def encode_seconds(
    offer: Offer, tokens: float, speed: Speed, blocks: int | None = None, at_once: float = 256
) -> float:
    """One forward pass of ``tokens`` tokens through so many blocks, all by default; ``at_once`` of
    them in a batch."""
    depth = offer.depth if blocks is None else blocks
    calls = depth * tokens / at_once
    work = operations(offer.width, depth, tokens) / (speed.operations * EFFICIENCY)
    return work + calls * speed.block


def reading_seconds(inputs: Sequence[Input], offer: Offer, max_length: int, speed: Speed) -> float:
    """One reading of rows by a backbone, from the input to vectors."""
    rows = registry.modality(modality_of(inputs))
    return encode_seconds(offer, sum(rows.lengths(inputs, offer, max_length)), speed)


def fit_seconds(
    method: Method,
    options: object,
    offer: Offer | None,
    lengths: Sequence[int],
    folds: int,
    speed: Speed | None,
    answers: int = 2,
) -> float:
    """Cross-validation with ``folds`` models in all, and the final fit, without loading.

    Args:
        lengths: tokens of each row.
        answers: words that a decoder is asked for.
        speed: of this machine; not asked for without a backbone.
    """
    if offer is None or speed is None:
        return _words_seconds(lengths, folds)
    tokens = sum(lengths)
    read = WIDENING * tokens + FILLED * len({length // SHAPE for length in lengths})
    features = encode_seconds(offer, read, speed)
    passes = getattr(method, "passes", None)
    if passes is not None:
        whole = float(passes(options, len(lengths)))
        return features * (offer.views + whole * (folds * LEARNING + 1))
    if isinstance(
        options,
        DetectionOptions
        | TranscriptionOptions
        | TranslationOptions
        | CompletionOptions
        | RankingOptions,
    ):  # forward and backward, through a half at most
        return features * (1 + options.passes(len(lengths), 1.5) * (folds * LEARNING + 1))
    features *= offer.views * (1 + getattr(options, "views", 0))
    if not isinstance(method, GradientMethod) or not isinstance(options, GradientOptions):
        return features + SOLVING + _solving_seconds(len(lengths), offer.width, folds)
    injection = method.injection(offer, options)
    cut = 0 if injection.blocks is None else min(injection.blocks, default=offer.depth)

    def above(tokens: float, at_once: float = 256) -> float:
        return _above_seconds(offer, cut, tokens, len(lengths), answers, speed, at_once)

    # Where weights stay frozen, no gradient of theirs is computed.
    passes = speed.trained if injection.kind == "unfreeze" else speed.frozen
    models = folds * LEARNING + 1
    # Rows stand side by side: little is padded, whatever shares a batch.
    step = max(1.0, tokens * min(1.0, options.batch_size / max(1, len(lengths))))
    training = above(tokens, step) * passes * options.epochs * options.seeds * models * offer.views
    held_out = above(tokens) * folds * (1 - LEARNING) * offer.views
    # A head that is solved once the rest is tuned reads the rows again.
    solved = above(tokens) * models if injection.criterion == "contrastive" else 0.0
    watched = watch_seconds(offer, lengths, speed, folds + 1)
    steps = options.epochs * options.seeds * math.ceil(len(lengths) / options.batch_size)
    moved = (UNFREEZING + STEPPING * steps) * _unfrozen(offer, injection) * (folds + 1)
    return features + training + held_out + solved + watched + moved


def _above_seconds(
    offer: Offer, cut: int, tokens: float, rows: int, answers: int, speed: Speed, at_once: float
) -> float:
    """A forward pass from the cut on. A decoder reads of each text its keys and values in every
    block, and beside them a few tokens of each answer."""
    if cut < offer.depth:
        return encode_seconds(offer, tokens, speed, offer.depth - cut, at_once)
    blocks = offer.depth + offer.decoder_depth - cut
    return encode_seconds(offer, answers * (CROSS * tokens + ANSWER * rows), speed, blocks)


def _unfrozen(offer: Offer, injection: Injection) -> int:
    """Weights of the backbone that are trained themselves."""
    if injection.kind != "unfreeze":
        return 0
    if injection.blocks is None:
        return offer.parameters
    return 12 * offer.width**2 * len(injection.blocks)


def watch_seconds(offer: Offer, lengths: Sequence[int], speed: Speed, fits: int) -> float:
    """What ``fits`` fits take to see that they do what they should."""
    each = WATCHED * sum(lengths) / max(1, len(lengths))
    signed = offer.parameters * SIGNING
    return fits * (WATCHES * encode_seconds(offer, each, speed) + signed)


def _words_seconds(lengths: Sequence[int], folds: int) -> float:
    """Counting words, and a problem of as many unknowns as there are rows, in each fold."""
    each = 0.01 + 12.0 * (LEARNING * len(lengths)) ** 3 / DENSE
    return IMPORTING + COUNTING * sum(lengths) + (folds + 1) * each


def _solving_seconds(rows: int, width: int, folds: int) -> float:
    """Eigenvalue problems of the smaller side, and products with it."""
    small, large = sorted((rows, width))
    return (folds + 1) * (12.0 * small**3 + 4.0 * small**2 * large) / DENSE


def memory_bytes(
    method: Method,
    options: object,
    offer: Offer | None,
    rows: int,
    longest: int,
    limit: int | None = None,
) -> int:
    """Peak resident bytes: what runs anyway, weights once, twice or five times, the rows and a
    batch of activations, which shrinks down to a single row where ``limit`` asks for it."""
    if offer is None:
        return RUNTIME_BYTES // 2 + 2 * 8 * rows**2
    base = RUNTIME_BYTES + offer.parameters * 4 + BATCH_BYTES + rows * offer.width * 4
    if not isinstance(method, GradientMethod) or not isinstance(options, GradientOptions):
        return base
    injection = method.injection(offer, options)
    # Weights that are trained are kept as they were, and have a gradient and two moments.
    base += offer.parameters * 4 * (4 if injection.kind == "unfreeze" else 0)
    base += 0 if injection.blocks is None else min(MEMORY, rows * longest * offer.width * 4)
    step = step_bytes(offer, injection, min(rows, options.batch_size) * longest)
    least = step_bytes(offer, injection, longest)
    return base + (step if limit is None else max(least, min(step, limit - base)))


def step_bytes(offer: Offer, injection: Injection, tokens: int) -> int:
    """Activations that are kept for the gradient of a step over ``tokens`` padded tokens."""
    cut = 0 if injection.blocks is None else min(injection.blocks, default=offer.depth)
    above = offer.depth - cut if cut < offer.depth else offer.depth + offer.decoder_depth - cut
    return tokens * offer.width * 4 * KEPT_VECTORS * above


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
