"""Items that people will want next, from what they and others did and from what items are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from supertune import ranking
from supertune.contracts import (
    LISTED,
    Columns,
    Examples,
    FloatArray,
    HeadSpec,
    Input,
    Objective,
    Reading,
    Recommendations,
)
from supertune.data.interactions import reading


class Recommendation:
    """See `supertune.contracts.Task`.

    A row is a person: what they did goes in, a list of items comes out, and it is judged by what
    they did later. The items are the model's labels.
    """

    name = "recommendation"
    summary = "lists of items for people, from what they did and from what items are"
    objective: Objective = "rank"
    modalities = ("interactions",)
    metrics: Mapping[str, bool] = ranking.RANKING
    default_metric = "ndcg@10"
    improved_by = (
        "Give texts of the items with --items, more interactions, or more of each person's; "
        "where few interactions are known, what is popular is hard to beat."
    )
    asked_in_python = 'model.recommend(liked=["ITEM", "ANOTHER"])'
    predicted_by = "supertune predict {model} INTERACTIONS.csv -o lists.csv"

    def read(
        self,
        source: Any,
        columns: Columns,
        *,
        test: Any = None,
        labels: tuple[str, ...] | None = None,
        new_labels: bool = False,
    ) -> Reading:
        """People to learn from and to judge by.

        Args:
            source: a table of interactions; a folder with items beside it; or a mapping
                ``{"interactions": ..., "items": ...}``.
            labels: the items of a model that exists.

        Raises:
            InputError: what is wrong with files, columns, cells, people or items.
        """
        if labels is not None:
            return reading.judged(source, columns, labels)
        return reading.learned(source, columns, test)

    def stream(
        self, source: Any, columns: Columns, window: int
    ) -> Iterator[tuple[Any, tuple[Input, ...]]]:
        """Windows of people: one row each, and what they did."""
        yield from reading.stream(source, columns, window)

    def head(self, examples: Examples) -> HeadSpec:
        return HeadSpec(len(examples.labels), listed=LISTED)

    def decode(
        self,
        logits: FloatArray,
        labels: tuple[str, ...],
        head: HeadSpec,
        costs: FloatArray | None = None,
    ) -> Recommendations:
        """(n, 2 K) numbers are places, then scores."""
        places, scores = np.split(logits, 2, axis=1)
        return Recommendations(np.asarray(places, dtype=np.int64), scores, labels)

    def score(
        self,
        answers: FloatArray,
        targets: npt.NDArray[Any],
        weights: FloatArray | None = None,
        costs: FloatArray | None = None,
    ) -> dict[str, FloatArray]:
        return ranking.ranking(np.split(answers, 2, axis=1)[0], targets, weights)


TASK = Recommendation()
