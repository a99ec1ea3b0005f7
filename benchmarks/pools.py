"""All rows of a data set with their features in the cache, to draw small labelled files from.

A study of few rows repeats one fit hundreds of times. Encoding is done once: what is drawn from
a pool passes through the same code as a person's file, and finds its features computed.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np

from supertune import pipeline
from supertune.catalogue.corpora import dataset
from supertune.catalogue.corpus_formats import rows_of
from supertune.config import Recipe
from supertune.contracts import Examples, IntArray
from supertune.pipeline import Workshop

MEMORY = 2**30  # bytes of features that may be held


@dataclass(frozen=True, eq=False)
class Pool:
    """``examples`` of a data set, labelled, in canonical order; ``workshop`` has their features."""

    name: str
    workshop: Workshop
    examples: Examples

    def draw(self, rows: int, seed: int) -> tuple[IntArray, IntArray]:
        """``rows`` of them at random, and all others, as indices.

        Every label has at least two of the rows drawn, as a person who labels sees to; beyond
        that the rarer a label, the rarer it is drawn.
        """
        targets = self.examples.targets
        assert targets is not None
        rng = np.random.default_rng([seed, rows])
        order = rng.permutation(len(targets))
        rank = np.empty(len(order), dtype=np.int64)  # of a row among those of its label
        for label in np.unique(targets):
            mine = order[targets[order] == label]
            rank[mine] = np.arange(len(mine))
        first = order[rank[order] < 2]
        drawn = np.concatenate([first, order[rank[order] >= 2]])[:rows]
        others = np.setdiff1d(order, drawn)
        return np.sort(drawn), others


def pool(name: str, settled: Recipe, *, rows: int = 3000) -> Pool:
    """At most ``rows`` rows of a data set's training split, through the recipe's backbone."""
    with (dataset(name) / "train.jsonl").open(encoding="utf-8") as stream:
        given = list(rows_of(stream))
    random.Random(name).shuffle(given)
    workshop = Workshop(settled)
    workshop.store.memory_bytes = MEMORY
    examples = pipeline.labelled(pipeline.read(given[:rows], settled).train)
    lens = workshop.lens(settled.backbone)
    if lens is not None:
        lens.features(examples.inputs)
    return Pool(name, workshop, examples)
