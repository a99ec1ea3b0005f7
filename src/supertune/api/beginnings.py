"""How good lists are by how much is known of a person: the cold start curve of a report."""

from __future__ import annotations

from typing import Any

import numpy as np

from supertune.contracts import LISTED, Examples, History, Lens, Recommending
from supertune.methods._recommending import seen_by, top
from supertune.ranking import RANKING, per_person

KNOWN = (0, 1, 2, 5, 10, 20)  # items that are shown to the model
PEOPLE = 1000  # that are asked about at most; they come in the order of a hash
BLOCK = 8_000_000  # scores at a time


def section(tuned: Recommending, test: Examples | None, lens: Lens | None) -> dict[str, Any]:
    """``cold_start``: NDCG@10 of the items that came later, of people of whom the first few items
    were shown, and of all of them. Everything a person had before is masked each time, so that
    only what is known differs; ``low`` and ``high`` are 95 % of the mean."""
    if test is None or test.targets is None:
        return {}
    people = [one for one in test.inputs[:PEOPLE] if isinstance(one, History)]
    later = test.targets[: len(people)]
    curve = []
    for known in (*KNOWN, None):
        shown = [one if known is None else one.first(known) for one in people]
        ndcg, counted = _scores(tuned, shown, people, later, lens)
        each = ndcg[counted]
        half = 1.96 * float(each.std()) / max(1.0, np.sqrt(len(each)))
        middle = float(each.mean())
        curve.append({"known": known, "value": middle, "low": middle - half, "high": middle + half})
    return {"cold_start": curve}


def _scores(
    tuned: Recommending, shown: list[History], people: list[History], later: Any, lens: Lens | None
) -> tuple[Any, Any]:
    step = max(1, BLOCK // max(1, len(tuned.catalogue)))
    lists = []
    for start in range(0, len(people), step):
        part = slice(start, start + step)
        scores = np.array(tuned.scores(shown[part], lens), dtype=np.float64)
        hidden = seen_by(people[part], tuned.catalogue)
        scores[np.repeat(np.arange(len(hidden)), hidden.lengths), hidden.items] = -np.inf
        lists.append(top(scores, LISTED)[0])
    each, counted = per_person(np.concatenate(lists), later)
    return each[:, list(RANKING).index("ndcg@10")], counted
