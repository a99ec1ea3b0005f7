"""What is known of candidates before any of them has seen a row: worth trying or not, and what
to try first.

It looks at the task, the rows, their labels, language and length, and asks for nothing that costs
time. Expected gains are measured ones (docs/which_method_when.md). They say what to try first; the
folds alone decide who wins (docs/decisions/0022).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from supertune import registry
from supertune.config import Recipe
from supertune.contracts import Examples, GradientMethod, Method, Offer

FEWEST = 3  # rows of a label, of which folds leave two: fewer teach a backbone nothing
# Points over a linear head on the same backbone, 8 labels a class, over minilm and e5-small.
GAINS = {"contrastive": 2.9, "lora": 1.1}
MOST_NAMES = 100  # labels beyond which their names are hardly told apart


@dataclass(frozen=True)
class Facts:
    """What the rows are like.

    Attributes:
        rows, classes: how many; of values on a scale there are no classes.
        fewest: rows of the rarest label that has any.
        named: whether the labels' names are words rather than numbers.
        language: an ISO code, None where it is not known.
        lengths: see `Modality.lengths`, without a backbone.
    """

    rows: int
    classes: int
    fewest: int
    named: bool
    language: str | None
    lengths: tuple[int, ...]

    @property
    def longest(self) -> int:
        return max(self.lengths, default=0)


def facts(examples: Examples, recipe: Recipe) -> Facts:
    """See `Facts`."""
    rows = registry.modality(examples.modality)
    lengths = rows.lengths(examples.inputs, None, recipe.max_length)
    language = rows.language(examples.inputs)
    named = any(any(sign.isalpha() for sign in label) for label in examples.labels)
    classes, fewest = len(examples.labels), _fewest(examples)
    return Facts(len(examples), classes, fewest, named, language, lengths)


def _fewest(examples: Examples) -> int:
    targets = examples.targets
    if targets is None or targets.dtype.kind in "fU" or examples.listed:
        return len(examples)
    counts = targets.sum(axis=0) if targets.ndim == 2 else np.bincount(targets)
    some = counts[counts > 0]
    return int(some.min()) if len(some) else 0


def unwise(method: str, known: Facts) -> str:
    """Why a method is not worth trying on such rows; "" where it is."""
    if method in ("label_names", "named_probe") and not known.named:
        return "the labels are numbers, which say nothing about texts"
    if method == "label_names" and known.classes > MOST_NAMES:
        return f"{known.classes} labels are too many to be told apart by their names"
    if isinstance(registry.method(method), GradientMethod) and known.fewest < FEWEST:
        return f"the rarest label has {known.fewest} rows, too few to tune a backbone by"
    return ""


def gain(method: Method, offer: Offer | None) -> float:
    """Points that a trained method is expected to add to a linear head on the same backbone."""
    # Of those that were not measured, what any tuning is worth.
    return 0.0 if offer is None else GAINS.get(method.name, min(GAINS.values()))


def promising(scores: Mapping[str | None, float], backbone: str | None, gain: float) -> float:
    """The score to expect of a tuned backbone, from those that were seen, by backbone."""
    return scores.get(backbone, max(scores.values(), default=0.0)) + gain / 100
