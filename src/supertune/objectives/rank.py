"""Items ranked for people: lists judged by what came later, and what lists are like as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from supertune import registry
from supertune.contracts import (
    LISTED,
    Answers,
    Asked,
    ClassWeights,
    Examples,
    Finding,
    FloatArray,
    HeadSpec,
    History,
    Judged,
    Recommendations,
)
from supertune.errors import InputError
from supertune.evaluation import listed, rated
from supertune.objectives._refusals import own_weights, refuse_bounds, refuse_costs
from supertune.ranking import RANKING, TOP

NEW = 0.05  # of all items, from which those that nobody took decide between equals
METRICS = "the metrics " + ", ".join(RANKING)


class Rank:
    """See `supertune.contracts.Judge`."""

    name = "rank"
    summary = "items ranked for people"
    baselines = ("popularity",)
    tolerance = 1.0
    decider: str | None = None
    folds = 3  # each is a training of its own; nobody who judges was learned from
    repeats = 1
    folds_judge_alone = True  # nothing is calibrated by them
    rivals = (("popularity", "what most people took"),)

    def tried(self, rows: str) -> tuple[str, ...]:
        return ("popularity", "item_knn", "ease", "sequential_ease", "hybrid")

    def leaning(self, examples: Examples) -> tuple[frozenset[str], str]:
        """What reads texts, where many items have one and were taken by nobody: no history tells
        how well these are ranked, and what does not read them never lists them."""
        people = [one for one in examples.inputs if isinstance(one, History)]
        catalogue = people[0].catalogue
        if catalogue is None:
            return frozenset(), ""
        new = np.array([bool(text) for text in catalogue.texts])
        new[np.concatenate([one.items for one in people])] = False
        if new.sum() < max(1, NEW * len(new)):
            return frozenset(), ""
        able = frozenset(m for m in self.tried("interactions") if registry.method(m).needs)
        return able, f"also ranks the {new.sum():,} items that nobody has taken yet"

    def noticed(self, examples: Examples, folds: int) -> list[Finding]:
        """Nothing: reading has said it."""
        return []

    def row_weights(self, examples: Examples, classes: ClassWeights) -> FloatArray | None:
        said = "People who are recommended items have no classes to weigh."
        return own_weights(examples, classes, said, allowed=METRICS)

    def costs(
        self, labels: Sequence[str], matrix: Sequence[Sequence[float]] | None
    ) -> FloatArray | None:
        refuse_costs(matrix, "A list of items is not right or wrong.", allowed=METRICS)
        return None

    def unknowing(self, examples: Examples) -> FloatArray:
        """(n, 2 K): the first items of the catalogue for everybody."""
        answers = np.zeros((len(examples), 2 * LISTED))
        answers[:, :LISTED] = np.arange(LISTED)
        answers[:, :LISTED][:, len(examples.labels) :] = -1
        return answers

    def breakdown(
        self, judged: Judged, *, seed: int, costs: FloatArray | None, shown: bool
    ) -> dict[str, Any]:
        """``lists``: coverage, novelty, diversity and popularity of the items recommended, and the
        score by how much was known of a person; with ``shown`` examples of lists. ``ratings``,
        where people rate and judge by rows of their own, as `evaluation.rated.section` has it."""
        lists = judged.answers if judged.on_test else judged.answers[0]
        found: dict[str, Any] = {"lists": listed.described(judged.examples, lists, seed)}
        if shown:
            found["lists"]["examples"] = listed.examples(judged.examples, lists)
        return found | rated.section(judged.examples, judged.whole, seed)

    def doubt(self, answers: FloatArray, head: HeadSpec) -> FloatArray:
        return np.ones(len(answers))  # scores of a list say nothing of its own error

    def rows_to_look_at(
        self, examples: Examples, answers: FloatArray, shown: bool
    ) -> tuple[list[dict[str, Any]], list[Finding]]:
        """None: nobody errs in what they do."""
        return [], []

    def answers_given(self, examples: Examples) -> dict[str, Any]:
        """How many items there are, and how many interactions with them."""
        counts = [len(one) for one in examples.inputs if isinstance(one, History)]
        return {
            "labels": [],
            "items": len(examples.labels),
            "interactions": sum(counts),
            "median_history": float(np.median(counts)),
        }

    def check(self, asked: Asked) -> None:
        refuse_bounds(asked, "Lists of items", allowed=METRICS)

    def array(self, answers: Answers, head: HeadSpec) -> npt.NDArray[Any]:
        """(n, 10) ids of items, the best first; None where there are no more."""
        assert isinstance(answers, Recommendations)
        lists = [ids + [None] * (TOP - len(ids)) for ids in answers.lists]
        return np.array(lists, dtype=object).reshape(len(lists), TOP)

    def table(self, answers: Answers) -> FloatArray:
        raise InputError(
            "no_probabilities",
            "Lists of items have scores and no probabilities.",
            received="predict_proba",
            allowed="predict, recommend",
            next='Call model.recommend(liked=["a", "b"]).',
        )


OBJECTIVE = Rank()
