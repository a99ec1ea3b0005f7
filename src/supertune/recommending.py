"""Lists for one person: of items just named or of what is known of them, with reasons; items like
another; people who are added and forgotten.

Shapes: I items, m of them liked.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from supertune.contracts import (
    Catalogue,
    Examples,
    FloatArray,
    History,
    Recommending,
    Tuned,
)
from supertune.data.cells import listed
from supertune.data.interactions.histories import hashed
from supertune.errors import InputError

POOL = 100  # of the best items, from which a varied list is chosen
SAID = 50  # items of a person that are looked at as reasons, the last of them
Rule = Callable[[dict[str, Any]], bool]


def recommend(
    tuned: Tuned,
    rows: Examples | None,
    liked: Sequence[str] = (),
    *,
    user: str | None = None,
    top: int = 10,
    exclude: Sequence[str] = (),
    category: Sequence[str] = (),
    diversity: float = 0.0,
    rule: Rule | None = None,
    reasons: bool = True,
) -> list[dict[str, Any]]:
    """The best items for somebody, each with ``item``, ``title``, ``score``, and ``because``: of
    what they like, the item without which the score is lowest (``falls`` by so much).

    Args:
        liked: ids or titles of items, or what is added to what is known of ``user``.
        exclude: items that are not listed; what a person has never is.
        category: only items of one of these.
        diversity: from 0, the best items, to 1, items unlike one another (maximal marginal
            relevance, Carbonell and Goldstein 1998).
        rule: called with each item (``item``, ``title``, ``categories``, ``score``), False keeps it
            out: what is sold out, not allowed, or not for this person.

    Raises:
        InputError: ``no_recommender``, ``nobody``, ``unknown_item``, ``unknown_user``,
            ``unknown_category``, ``bad_diversity``, ``bad_top``.
    """
    model = _ranking(tuned)
    catalogue = model.catalogue
    if not 0 <= diversity <= 1:
        raise _bad("diversity", diversity, "a number from 0 to 1")
    if top < 1:
        raise _bad("top", top, "1 or more")
    history = _asked(catalogue, rows, liked, user)
    scores = np.array(model.scores([history], None)[0], dtype=np.float64)
    out = [*history.items.tolist(), *(place_of(catalogue, one) for one in exclude)]
    scores[out] = -np.inf
    if category:
        scores[~_of(catalogue, category)] = -np.inf
    order = np.argsort(-scores, kind="stable")
    kept = [int(p) for p in order[: _enough(len(order), rule)] if np.isfinite(scores[p])]
    if rule is not None:
        kept = [p for p in kept if rule(_item(catalogue, p, scores[p]))]
    places = _varied(model, kept[: max(POOL, top)], scores, diversity, top)
    found = [
        {"rank": rank + 1, **_item(catalogue, place, scores[place])}
        for rank, place in enumerate(places)
    ]
    if reasons and len(history) > 0:
        _explain(model, history, places, scores, found)
    return found


def similar(
    tuned: Tuned,
    item: str,
    *,
    top: int = 10,
    exclude: Sequence[str] = (),
    category: Sequence[str] = (),
    seen: FloatArray | None = None,
    weight: float = 0.5,
) -> list[dict[str, Any]]:
    """The items nearest to one, by what they are where the model knows that, else by who took
    them, each with ``item``, ``title`` and ``score``, the cosine.

    Args:
        seen: (I,) how alike their pictures are to that of the item, NaN where there is none; it
            is ``weight`` of the score, where there is one.

    Raises:
        InputError: as `recommend`.
    """
    model = _ranking(tuned)
    catalogue = model.catalogue
    if top < 1:
        raise _bad("top", top, "1 or more")
    place = place_of(catalogue, item)
    alike = _cosines(np.asarray(model.vectors(None), dtype=np.float32), place)
    if seen is not None:
        alike = np.where(np.isnan(seen), alike, (1 - weight) * alike + weight * seen)
    alike[[place, *(place_of(catalogue, one) for one in exclude)]] = -np.inf
    if category:
        alike[~_of(catalogue, category)] = -np.inf
    order = [int(p) for p in np.argsort(-alike, kind="stable")[:top] if np.isfinite(alike[p])]
    return [{"rank": rank + 1, **_item(catalogue, p, alike[p])} for rank, p in enumerate(order)]


def place_of(catalogue: Catalogue, name: str) -> int:
    """Where an item stands, by its id or else by its title.

    Raises:
        InputError: ``unknown_item`` with the nearest ones, ``ambiguous_item``.
    """
    if name in catalogue.place:
        return catalogue.place[name]
    wanted = name.strip().casefold()
    called = [i for i, title in enumerate(catalogue.titles) if title.casefold() == wanted]
    if len(called) == 1:
        return called[0]
    if called:
        raise InputError(
            "ambiguous_item",
            f"Several items are called '{name}'.",
            received=name,
            allowed="one of the ids " + listed([catalogue.ids[i] for i in called]),
            next="Name the item by its id.",
        )
    folded = {title.casefold(): title for title in catalogue.titles}
    near = difflib.get_close_matches(wanted, list(folded), n=3, cutoff=0.5)
    raise InputError(
        "unknown_item",
        f"There is no item '{name}'.",
        received=name,
        allowed=listed([folded[one] for one in near])
        if near
        else f"ids or titles such as {listed(catalogue.ids[:5])}",
        next=f"Did you mean '{folded[near[0]]}'?" if near else "Name an item of the catalogue.",
    )


# --- people -----------------------------------------------------------------------------------


def added(tuned: Tuned, rows: Examples | None, history: Sequence[str], user: str) -> Examples:
    """The rows with a person who has these items, oldest first; whoever is known by that name
    gives way."""
    catalogue = _ranking(tuned).catalogue
    known = _kept(rows)
    name = hashed(catalogue.salt)(user)
    left = known.take([i for i, one in enumerate(_people(known)) if one.person != name])
    person = replace(_named(catalogue, history), person=name)
    assert left.targets is not None
    empty = np.full((1, left.targets.shape[1]), -1, dtype=np.int32)
    return replace(
        left,
        inputs=(*left.inputs, person),
        targets=np.concatenate([left.targets, empty]),
        rows=np.append(left.rows, left.rows.max(initial=0) + 1),
    )


def without(tuned: Tuned, rows: Examples | None, user: str) -> Examples:
    """The rows of everybody else, as a method learns from them."""
    catalogue, known = _ranking(tuned).catalogue, _kept(rows)
    gone = _place(catalogue, known, user)
    left = known.take([i for i in range(len(known)) if i != gone])
    people = tuple(replace(one, catalogue=catalogue) for one in _people(left))
    return replace(left, inputs=people)


def nameless(report: Mapping[str, Any]) -> dict[str, Any]:
    """A report without anybody's list; its figures, of everybody together, stay as they were."""
    lists = {key: value for key, value in report.get("lists", {}).items() if key != "examples"}
    note = {
        "code": "someone_forgotten",
        "message": "Somebody was forgotten, and the model tuned again without them; the scores are "
        "those of the fit before.",
        "rows": [],
        "severity": "info",
    }
    findings = [one for one in report.get("findings", []) if one["code"] != note["code"]]
    data = {**report.get("data", {}), "samples": []}
    return {**report, "data": data, "lists": lists, "findings": [*findings, note]}


def _kept(rows: Examples | None) -> Examples:
    if rows is None:
        raise InputError(
            "no_rows_kept",
            "This model holds nobody's history.",
            received="a model that was fitted with --no-rows",
            allowed="a model that was fitted without it, or items that somebody likes",
            next="Fit again without --no-rows; without the rows of a person to be forgotten, "
            "where that is what is wanted.",
        )
    return rows


def _people(rows: Examples) -> list[History]:
    return [one for one in rows.inputs if isinstance(one, History)]


def _place(catalogue: Catalogue, rows: Examples, user: str) -> int:
    name = hashed(catalogue.salt)(user)
    found = [i for i, one in enumerate(_people(rows)) if one.person == name]
    if not found:
        raise InputError(
            "unknown_user",
            f"The model knows nobody called '{user}'.",
            received=user,
            allowed=f"one of the {len(rows):,} people that it was fitted on",
            next="Name items that they like: --liked ITEM.",
        )
    return found[0]


def _asked(
    catalogue: Catalogue, rows: Examples | None, liked: Sequence[str], user: str | None
) -> History:
    if user is None and not liked:
        raise InputError(
            "nobody",
            "Nobody is named to recommend for.",
            received="neither items that are liked nor a person",
            allowed="one item or more, or a person who is known",
            next='Name some: --liked "ITEM" --liked "ANOTHER", or --user ID.',
        )
    named = _named(catalogue, liked)
    if user is None:
        return named
    known = _kept(rows)
    own = _people(known)[_place(catalogue, known, user)]
    more = np.array([p for p in named.items if p not in own.items], dtype=np.int64)
    unknown = np.full(len(more), np.nan)
    return replace(
        own,
        items=np.concatenate([own.items, more]),
        times=np.concatenate([own.times, unknown]),
        ratings=np.concatenate([own.ratings, unknown]),
        known=len(own) + len(more),
        catalogue=catalogue,
    )


def _named(catalogue: Catalogue, liked: Sequence[str]) -> History:
    """Items in the order in which they are named."""
    if isinstance(liked, str):
        liked = [liked]
    places = list(dict.fromkeys(place_of(catalogue, str(one)) for one in liked))
    unknown = np.full(len(places), np.nan)
    items = np.array(places, dtype=np.int64)
    return History("", items, unknown, unknown, len(places), catalogue)


# --- lists ------------------------------------------------------------------------------------


def _ranking(tuned: Tuned) -> Recommending:
    if isinstance(tuned, Recommending):
        return tuned
    raise InputError(
        "no_recommender",
        "This model recommends nothing.",
        received=type(tuned).__name__,
        allowed="a model of --task recommendation",
        next="supertune fit interactions.csv --items items.csv --task recommendation",
    )


def _bad(name: str, value: float, allowed: str) -> InputError:
    return InputError(
        f"bad_{name}",
        f"This is no {name} of a list.",
        received=f"{value:g}",
        allowed=allowed,
        next=f"Leave --{name} out, or give another.",
    )


def _item(catalogue: Catalogue, place: int, score: float) -> dict[str, Any]:
    return {
        "item": catalogue.ids[place],
        "title": catalogue.titles[place],
        "categories": list(catalogue.categories[place]),
        "score": round(float(score), 6),
    }


def _of(catalogue: Catalogue, names: Sequence[str]) -> Any:
    """(I,) whether an item is of one of these categories."""
    check_categories(catalogue, names)
    wanted = set(names)
    return np.array([bool(wanted & set(some)) for some in catalogue.categories])


def check_categories(catalogue: Catalogue, names: Sequence[str]) -> None:
    """Refuse a category that no item is of.

    Raises:
        InputError: ``unknown_category``.
    """
    unknown = [name for name in names if name not in catalogue.kinds]
    if unknown:
        raise InputError(
            "unknown_category",
            f"No item is of the category '{unknown[0]}'.",
            received=unknown[0],
            allowed=listed(catalogue.kinds, 30) or "none: the items have no categories",
            next="Leave --category out, or name one of these.",
        )


def _enough(items: int, rule: Rule | None) -> int:
    """How many of the best are looked at; all of them where a rule may leave many out."""
    return items if rule is not None else min(items, 10 * POOL)


def _varied(
    model: Recommending, places: list[int], scores: FloatArray, diversity: float, top: int
) -> list[int]:
    """Maximal marginal relevance: each next item is good and unlike those before it."""
    if diversity == 0 or len(places) <= 1:
        return places[:top]
    vectors = np.asarray(model.vectors(None), dtype=np.float32)[places]
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    good = scores[places]
    good = (good - good.min()) / max(float(np.ptp(good)), 1e-12)
    chosen, left, nearest = [0], list(range(1, len(places))), vectors @ vectors[0]
    while left and len(chosen) < top:
        worth = (1 - diversity) * good[left] - diversity * nearest[left]
        best = left.pop(int(np.argmax(worth)))
        chosen.append(best)
        nearest = np.maximum(nearest, vectors @ vectors[best])
    return [places[i] for i in chosen]


def _explain(
    model: Recommending,
    history: History,
    places: list[int],
    scores: FloatArray,
    found: list[dict[str, Any]],
) -> None:
    """Each item's reason: what a person likes is left out, one item after the other, and the
    score computed anew. Where no item's absence lowers it, there is none."""
    seen = range(max(0, len(history) - SAID), len(history))
    left = [_without_one(history, i) for i in seen]
    fallen = scores[places] - model.scores(left, None)[:, places]
    for column, one in enumerate(found):
        row = int(np.argmax(fallen[:, column]))
        drop = float(fallen[row, column])
        liked = int(history.items[seen[row]])
        one["because"] = model.catalogue.titles[liked] if drop > 0 else None
        one["falls"] = round(drop, 6) if drop > 0 else None


def _without_one(history: History, place: int) -> History:
    kept = np.arange(len(history)) != place
    return replace(
        history,
        items=history.items[kept],
        times=history.times[kept],
        ratings=history.ratings[kept],
        known=int(kept.sum()),
    )


def _cosines(vectors: FloatArray, place: int) -> FloatArray:
    lengths = np.maximum(np.linalg.norm(vectors, axis=1), 1e-12)
    return np.asarray(vectors @ vectors[place] / lengths / lengths[place], dtype=np.float64)
