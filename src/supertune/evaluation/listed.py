"""What recommended lists are like beside being right: covering, novel, varied, popular or not.

Coverage is the share of the catalogue that is in anybody's first 10. Novelty is the mean surprise
-log2 of the share of people who know a recommended item (Zhou et al. 2010). Diversity is one
minus the mean likeness of two items of a list (Ziegler et al. 2005), by their categories, where
they have some. Popularity bias is the mean popularity of what is
recommended over that of what people take (Abdollahpouri et al. 2019): above 1, lists favour hits.

Shapes: n people, K items of a list, I items.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from supertune.contracts import Examples, FloatArray, History, IntArray
from supertune.evaluation.resampling import Sampling
from supertune.ranking import RANKING, TOP, per_person

SHOWN = 5  # people of whom lists are shown
SEEN = (1, 2, 5, 10, 20, 50)  # interactions, upper ends of the groups by which scores are shown
KNOWN = ((0, 0), (1, 4), (5, 20), (21, np.inf))  # people who know an item, new and known ones
DRAWS = 200  # of people, for the interval of what is no mean over people


def described(examples: Examples, answers: FloatArray, seed: int) -> dict[str, Any]:
    """Everything about lists (n, 2 K), each number with a 95 % interval over people."""
    places = np.asarray(np.split(answers, 2, axis=1)[0][:, :TOP], dtype=np.int64)
    people = [one for one in examples.inputs if isinstance(one, History)]
    counts = _counts(people, len(examples.labels))
    sampling = Sampling(len(people), seed)
    popular = counts[np.maximum(places, 0)] / max(1, len(people))
    listed = places >= 0
    own = np.array([counts[one.items].mean() if len(one) else 0.0 for one in people])
    own = own / max(1, len(people))
    surprise = _means(-np.log2(np.maximum(popular, 0.5 / max(1, len(people)))), listed)
    shares, taken = _means(popular, listed), own > 0
    varied = _varied(people, places, len(examples.labels))
    found = {
        "coverage@10": _coverage(places, len(examples.labels), sampling),
        "novelty@10": _mean(surprise, np.ones(len(people), dtype=bool), sampling),
        "popularity_bias@10": _ratio(shares, own, taken, sampling),
    }
    if varied is not None:
        found["diversity@10"] = _mean(varied[0], varied[1], sampling)
    return {
        "whole": found,
        "by_history": by_history(people, examples, answers),
        "by_item": by_item(counts, examples, places),
    }


def by_item(counts: FloatArray, examples: Examples, places: IntArray) -> list[dict[str, Any]]:
    """Recall@10 of those later items that so many people had known, of lists that rank all."""
    assert examples.targets is not None
    later = np.asarray(examples.targets)
    known = np.where(later >= 0, counts[np.maximum(later, 0)], -1)
    found = []
    for least, most in KNOWN:
        part = np.where((known >= least) & (known <= most), later, -1)
        each, counted = per_person(places, part)
        if counted.any():
            recall = each[counted][:, list(RANKING).index("recall@10")]
            error = float(recall.std() / np.sqrt(len(recall)))
            upper = None if np.isinf(most) else int(most)
            row = {
                "from": least,
                "to": upper,
                "people": len(recall),
                "later": int((part >= 0).sum()),
            }
            found.append({**row, "recall@10": {"value": float(recall.mean()), "error": error}})
    return found


def by_history(
    people: list[History], examples: Examples, answers: FloatArray
) -> list[dict[str, Any]]:
    """The metrics of people of whom so many interactions were known."""
    assert examples.targets is not None
    each, counted = per_person(np.split(answers, 2, axis=1)[0], examples.targets)
    known = np.array([len(one) for one in people])
    found, least = [], 0
    for most in (0, *SEEN, np.inf):
        part = counted & (known >= least) & (known <= most)
        if part.any():
            scores = {
                name: {"value": float(v.mean()), "error": float(v.std() / np.sqrt(len(v)))}
                for name, v in zip(RANKING, each[part].T, strict=True)
            }
            upper = None if np.isinf(most) else int(most)
            found.append({"from": least, "to": upper, "people": int(part.sum()), **scores})
        least = 0 if np.isinf(most) else int(most) + 1
    return found


def examples(rows: Examples, answers: FloatArray) -> list[dict[str, Any]]:
    """Lists of a few people, by titles: what they did last, what is recommended, what came."""
    assert rows.targets is not None
    places = np.split(answers, 2, axis=1)[0].astype(np.int64)[:, :TOP]
    shown = []
    for i, one in enumerate(rows.inputs[:SHOWN]):
        if not isinstance(one, History):
            continue
        titles = rows.labels if one.catalogue is None else one.catalogue.titles
        came = set(rows.targets[i].tolist())
        shown.append(
            {
                "known": [titles[place] for place in one.items[-TOP:].tolist()],
                "recommended": [
                    {"title": titles[place], "came": place in came}
                    for place in places[i].tolist()
                    if place >= 0
                ],
            }
        )
    return shown


def _counts(people: list[History], size: int) -> FloatArray:
    """(I,) people who know each item."""
    items = np.concatenate([np.zeros(0, dtype=np.int64), *(one.items for one in people)])
    return np.bincount(items.astype(np.int64), minlength=size).astype(np.float64)


def _means(values: FloatArray, listed: Any) -> FloatArray:
    return np.asarray((values * listed).sum(axis=1) / np.maximum(listed.sum(axis=1), 1))


def _varied(people: list[History], places: IntArray, size: int) -> Any:
    """(n,) one minus the mean likeness of two items of each list, and who has two of them."""
    catalogue = people[0].catalogue if people else None
    if catalogue is None or not catalogue.kinds:
        return None
    kinds = np.zeros((size + 1, len(catalogue.kinds)))
    index = {name: i for i, name in enumerate(catalogue.kinds)}
    for i, some in enumerate(catalogue.categories):
        kinds[i, [index[name] for name in some]] = 1.0
    kinds /= np.maximum(np.linalg.norm(kinds, axis=1, keepdims=True), 1e-12)
    chosen = kinds[np.where(places >= 0, places, size)]
    told = chosen.any(axis=2).sum(axis=1).astype(np.float64)
    pairs = told * (told - 1)
    alike = (chosen.sum(axis=1) ** 2).sum(axis=1) - told
    return 1 - alike / np.maximum(pairs, 1.0), pairs > 0


def _mean(values: FloatArray, counted: Any, sampling: Sampling) -> dict[str, float]:
    held = np.where(counted, values, 0.0)
    return _interval(lambda times: (times @ held) / np.maximum(times @ counted, 1e-12), sampling)


def _ratio(top: FloatArray, bottom: FloatArray, counted: Any, sampling: Sampling) -> dict[str, Any]:
    above, below = top * counted, bottom * counted
    return _interval(lambda times: (times @ above) / np.maximum(times @ below, 1e-12), sampling)


def _interval(value: Callable[[FloatArray], FloatArray], sampling: Sampling) -> dict[str, float]:
    drawn = np.concatenate([value(block) for block in sampling.drawn()])
    low, high = np.quantile(drawn, (0.025, 0.975))
    return {
        "value": float(value(np.ones((1, sampling.n)))[0]),
        "low": float(low),
        "high": float(high),
    }


def _coverage(places: IntArray, size: int, sampling: Sampling) -> dict[str, float]:
    """The share of the catalogue that is in a list; with people left out as a bootstrap does it
    would be less, so the interval is found by what so many others would have been shown."""
    value = len(np.unique(places[places >= 0])) / max(1, size)
    drawn: list[float] = []
    for block in sampling.drawn():
        for times in block[: DRAWS - len(drawn)]:
            some = places[times > 0]
            drawn.append(len(np.unique(some[some >= 0])) / max(1, size))
    spread = float(np.std(drawn))
    return {"value": value, "low": max(0.0, value - 2 * spread), "high": value + 2 * spread}
