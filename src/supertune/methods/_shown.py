"""Answered rows in front of a question: which, how written, and as many as there is room for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from supertune.contracts import (
    Encoding,
    Examples,
    FloatArray,
    Input,
    IntArray,
    Lens,
    Prompt,
    fields_of,
)
from supertune.prompts.template import filled

BETWEEN = "\n\n"
WORDS = 60  # of each shown row, so that one long text does not push out all others
Row = tuple[Input, str]
"""A text, and the word that stands for its label."""


def in_turns(examples: Examples, count: int, seed: int, vectors: FloatArray | None) -> list[int]:
    """``count`` rows to show, labels taking turns: of each at random, or with ``vectors`` (n, d)
    of length 1 spread out over its rows."""
    labels = first_labels(examples)
    rng = np.random.default_rng(seed)
    by_label = []
    for label in range(len(examples.labels)):
        own = np.flatnonzero(labels == label)
        order = rng.permutation(own) if vectors is None else _spread(own, vectors)
        by_label.append([int(i) for i in order])
    turns = [
        rows[turn]
        for turn in range(max(map(len, by_label), default=0))
        for rows in by_label
        if turn < len(rows)
    ]
    return turns[:count]


def written(examples: Examples, prompt: Prompt, order: Sequence[int]) -> tuple[Row, ...]:
    """The rows ``order`` as they are shown, each text by its first words."""
    labels = first_labels(examples)
    return tuple((_short(examples.inputs[i]), prompt.words[labels[i]][0]) for i in order)


def showing(prompt: Prompt, rows: Sequence[Row], lens: Lens) -> Prompt:
    """The prompt with as many of the last rows in front as the backbone has room for."""
    texts = [filled(prompt.template, text, word) + BETWEEN for text, word in rows]
    plain = Encoding(max_length=1 << 30, prefix="")
    counts = [len(pieces[0].ids) for pieces in lens.backbone.tokens(texts, plain)]
    free = lens.backbone.offer.max_length - lens.encoding.max_length
    first = len(texts)
    while first and counts[first - 1] + sum(counts[first:]) < free // 2:
        first -= 1
    return replace(prompt, shown=prompt.shown + "".join(texts[first:]))


def first_labels(examples: Examples) -> IntArray:
    """(n,) the label each row is shown with: of several its first, of none -1."""
    targets = examples.targets
    assert targets is not None
    if targets.ndim == 1:
        return np.asarray(targets)
    return np.where(targets.any(axis=1), targets.argmax(axis=1), -1)


def _spread(rows: Any, vectors: FloatArray) -> list[int]:
    """Farthest first: each next row is the one least like those already taken."""
    if not len(rows):
        return []
    own = vectors[rows]
    taken = [int(np.argmax(own @ own.mean(axis=0)))]
    while len(taken) < len(rows):
        closest = (own @ own[taken].T).max(axis=1)
        closest[taken] = np.inf
        taken.append(int(np.argmin(closest)))
    return [int(rows[i]) for i in taken]


def _short(value: Input) -> Input:
    """The first words of each text of an input."""
    if isinstance(value, str):
        return " ".join(value.split()[:WORDS])
    return tuple(" ".join(str(text).split()[:WORDS]) for text in fields_of(value))
