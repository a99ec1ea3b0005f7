"""From how likely words are to scores of labels, and what takes their lean away.

Asked without examples, a model leans to the commoner word. A *calibration* is a bias a label
that is found without looking at any answer:

``contextual``  what the model says of inputs without content (Zhao et al. 2021, arXiv:2102.09690)
``domain``      of random words of the rows themselves (Fei et al. 2023, arXiv:2305.19148)
``batch``       of all rows on average (Zhou et al. 2023, arXiv:2309.17249)
``median``      of the middle row, label by label
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from supertune.contracts import FloatArray, Input, Prompt, fields_of

Calibration = Literal["none", "contextual", "domain", "batch", "median"]

CONTENT_FREE = ("N/A", "", "[MASK]")
DOMAIN_TEXTS = 20


def owners(prompt: Prompt) -> tuple[int, ...]:
    """The label of each of a prompt's W words."""
    return tuple(label for label, words in enumerate(prompt.words) for _ in words)


def parts(prompt: Prompt, labels: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """A prompt piece by piece, for people; what is shown in front of a row is left out."""
    words = [(label, ", ".join(each)) for label, each in zip(labels, prompt.words, strict=True)]
    how = "the mean of its tokens" if prompt.rule == "mean" else "the sum of its tokens"
    chat = [("Chat template", "the backbone's own")] if prompt.chat else []
    asked = ("Template", prompt.template)
    return (asked, *chat, *words, ("A word counts by", f"the log-likelihood, {how}"))


def by_label(scores: FloatArray, owned: Sequence[int]) -> FloatArray:
    """(n, C) log of the mean likelihood over each label's words, from (n, W)."""
    wide = np.asarray(scores, dtype=np.float64)
    groups = [np.flatnonzero(np.asarray(owned) == label) for label in range(max(owned) + 1)]
    return np.stack(
        [np.logaddexp.reduce(wide[:, group], axis=1) - np.log(len(group)) for group in groups],
        axis=1,
    )


def log_shares(labels: FloatArray) -> FloatArray:
    """(n, C) label scores as log-probabilities among the labels."""
    return np.asarray(labels - np.logaddexp.reduce(labels, axis=1)[:, None])


def bias(labels: FloatArray, how: Calibration, weights: FloatArray | None = None) -> FloatArray:
    """(C,) to be added to label scores, from those (n, C) of the inputs that ``how`` names."""
    if how == "none" or not len(labels):
        return np.zeros(labels.shape[1])
    shares = log_shares(labels)
    if how == "median":
        return np.asarray(-np.median(shares, axis=0))
    return np.asarray(-np.log(np.average(np.exp(shares), axis=0, weights=weights)))


def reference_inputs(inputs: Sequence[Input], how: Calibration, seed: int) -> list[Input]:
    """The inputs whose scores say how the model leans."""
    if how == "contextual":
        return [_like(inputs[0], text) for text in CONTENT_FREE]
    if how == "domain":
        return _domain_texts(inputs, seed)
    return [] if how == "none" else list(inputs)


def _domain_texts(inputs: Sequence[Input], seed: int) -> list[Input]:
    texts = [" ".join(map(str, fields_of(one))) for one in inputs]
    words = [word for text in texts for word in text.split()]
    if not words:
        return [_like(inputs[0], "")]
    rng = np.random.default_rng(seed)
    length = max(1, len(words) // len(texts))
    drawn = rng.integers(len(words), size=(DOMAIN_TEXTS, length))
    return [_like(inputs[0], " ".join(words[i] for i in row)) for row in drawn]


def _like(example: Input, text: str) -> Input:
    return text if isinstance(example, str) else (text,) * len(fields_of(example))
