"""What every method of recommendation shares: histories as a matrix, lists, folds, and a state.

A method says how it learns from a matrix of people and items (`Learn`) and what scores it gives
(`Scorer`); everything else is here. What a person has is never recommended again.

Shapes: n people, I items, K items of a list, d numbers that describe an item.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from supertune.contracts import (
    LISTED,
    Catalogue,
    FloatArray,
    HeadSpec,
    History,
    Input,
    IntArray,
    Lens,
    Options,
    Problem,
    State,
    StateFile,
)
from supertune.errors import InputError
from supertune.limits import check

BLOCK = 8_000_000  # scores that are held at a time
GROUP = 64  # of which the highest stands for all
ITEMS = "items.safetensors"


@dataclass(frozen=True, eq=False)
class Seen:
    """What n people took, oldest first.

    Attributes:
        items: of all of them, one person after the other.
        ends: (n,) where each person's end.
        ordered: (n,) whether it is known what came first.
        size: I.
    """

    items: IntArray
    ends: IntArray
    ordered: npt.NDArray[np.bool_]
    size: int

    def __len__(self) -> int:
        return len(self.ends)

    @cached_property
    def lengths(self) -> IntArray:
        """(n,) how many items each person has."""
        return np.diff(self.ends, prepend=0)

    @cached_property
    def matrix(self) -> Any:
        """(n, I) sparse float32, 1 where somebody took an item."""
        return self.weighted(np.ones(len(self.items)))

    def recent(self, half_life: float, extra: float) -> Any:
        """The same with 1 + ``extra`` for what was taken last, half of ``extra`` less each
        ``half_life`` items before; 1 where no order is known."""
        age = np.repeat(self.ends - 1, self.lengths) - np.arange(len(self.items))
        known = np.repeat(self.ordered, self.lengths)
        return self.weighted(1 + extra * known * 0.5 ** (age / half_life))

    def weighted(self, values: FloatArray) -> Any:
        """(n, I) sparse, with a value for each item that was taken."""
        from scipy.sparse import csr_matrix

        starts = np.concatenate([[0], self.ends])
        cells = (np.asarray(values, np.float32), self.items, starts)
        return csr_matrix(cells, (len(self), self.size))


@dataclass(frozen=True, eq=False)
class Learnt:
    """What there is to learn from.

    Attributes:
        histories: of the n people.
        seen: what they took.
        content: (I, d) features that a backbone makes of the items' texts, None without one.
    """

    histories: Sequence[History]
    catalogue: Catalogue
    seen: Seen
    content: FloatArray | None
    seed: int

    @property
    def matrix(self) -> Any:
        """(n, I) sparse, 1 where somebody took an item."""
        return self.seen.matrix


class Scorer(Protocol):
    """Numbers that rank items."""

    @property
    def parameters(self) -> int: ...

    def scores(self, seen: Seen) -> FloatArray:
        """(n, I) of people who took some items."""
        ...

    def vectors(self) -> FloatArray:
        """(I, d) by which items are alike: the nearer their directions, the liker."""
        ...

    def arrays(self) -> Mapping[str, npt.NDArray[Any]]: ...


Learn = Callable[[Learnt, Any], Scorer]
Restore = Callable[[Mapping[str, npt.NDArray[Any]]], Scorer]
Cost = Callable[[Any, int, int], float]


@dataclass(frozen=True, eq=False)
class Ranker:
    """See `supertune.contracts.Tuned` and `supertune.contracts.Recommending`."""

    scorer: Scorer
    catalogue: Catalogue

    @property
    def tuned_parameters(self) -> int:
        return self.scorer.parameters

    def logits(self, inputs: Sequence[Input], lens: Lens | None) -> FloatArray:
        """(n, 2 K): the places of the best items that a person does not have, and their scores."""
        people = [one for one in inputs if isinstance(one, History)]
        answers = np.zeros((len(people), 2 * LISTED))
        step = max(1, BLOCK // max(1, len(self.catalogue)))
        for start in range(0, len(people), step):
            check()
            seen = seen_by(people[start : start + step], self.catalogue)
            scores = self.scorer.scores(seen)
            scores[np.repeat(np.arange(len(seen)), seen.lengths), seen.items] = -np.inf
            for row, one in zip(scores, people[start : start + step], strict=True):
                if one.among is not None:
                    row[_items_out(one, one.among, self.catalogue)] = -np.inf
            answers[start : start + step] = np.concatenate(top(scores, LISTED), axis=1)
        return answers

    def scores(self, histories: Sequence[History], lens: Lens | None) -> FloatArray:
        """(n, I), of what a person has already too."""
        return self.scorer.scores(seen_by(histories, self.catalogue))

    def vectors(self, lens: Lens | None) -> FloatArray:
        return self.scorer.vectors()

    def state(self) -> State:
        return State(
            dict(self.scorer.arrays()), {}, files={ITEMS: StateFile(_kept(self.catalogue))}
        )


def content_of(catalogue: Catalogue, lens: Lens | None) -> FloatArray:
    """(I, d) of each item's text, of length 1; zeros where there is none."""
    assert lens is not None  # what needs features has a backbone
    said = [i for i, text in enumerate(catalogue.texts) if text]
    if not said:
        raise InputError(
            "no_item_texts",
            "Nothing is said of the items, so there is nothing to read.",
            received="items without texts",
            allowed="a file of items with a title or a description",
            next="Give it with --items items.csv, or take --method ease.",
        )
    found = lens.features([catalogue.texts[i] for i in said])
    content = np.zeros((len(catalogue), found.shape[1]), dtype=np.float32)
    content[said] = found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)
    return content


def seen_by(histories: Sequence[History], catalogue: Catalogue) -> Seen:
    """What people took of a catalogue, each item once."""
    maps: dict[int, IntArray] = {}
    rows = [_placed(one, catalogue, maps) for one in histories]
    items = np.concatenate([np.zeros(0, dtype=np.int64), *rows])
    ordered = [bool(np.isfinite(one.times).any()) for one in histories]
    ends = np.cumsum([len(row) for row in rows], dtype=np.int64)
    return Seen(items, ends, np.array(ordered, dtype=bool), len(catalogue))


def _items_out(one: History, among: IntArray, catalogue: Catalogue) -> npt.NDArray[np.bool_]:
    """(I,) the items that a person is not asked about."""
    left = np.ones(len(catalogue), dtype=bool)
    left[_placed(replace(one, items=among), catalogue, {})] = False
    return left


def _placed(one: History, catalogue: Catalogue, maps: dict[int, IntArray]) -> IntArray:
    """A person's items as places of ``catalogue``, in their order."""
    other = one.catalogue
    if other is None or other is catalogue:
        return one.items.astype(np.int64)
    if id(other) not in maps:
        maps[id(other)] = np.array([catalogue.place.get(name, -1) for name in other.ids])
    found: IntArray = maps[id(other)][one.items]
    return found[found >= 0]


def top(scores: FloatArray, count: int) -> tuple[IntArray, FloatArray]:
    """(n, count) places of the highest scores (n, I), and these; -1 and 0 where there are no
    more finite ones. Of equal scores the earlier item comes first."""
    people, items = scores.shape
    places = np.full((people, count), -1, dtype=np.int64)
    best = np.zeros((people, count))
    kept = min(count, items)
    for i, (row, limit) in enumerate(zip(scores, _limits(scores, kept), strict=True)):
        level = np.flatnonzero(row == limit)[:kept] if np.isfinite(limit) else ()
        few = np.concatenate([np.flatnonzero(row > limit), level]).astype(np.int64)
        few = few[np.lexsort((few, -row[few]))][:kept]
        few = few[np.isfinite(row[few])]
        places[i, : len(few)], best[i, : len(few)] = few, row[few]
    return places, best


def _limits(scores: FloatArray, kept: int) -> FloatArray:
    """(n,) scores that at least ``kept`` items of each row reach, and not many more.

    The highest of each group are compared: so many groups reach the limit, each by one item at
    least. A partition of a million scores takes ten times as long."""
    people, items = scores.shape
    if items >= 4 * GROUP * kept:
        whole = items - items % GROUP
        parts = scores[:, :whole].reshape(people, -1, GROUP).max(axis=2)
        scores = np.concatenate([parts, scores[:, whole:]], axis=1)
    place = scores.shape[1] - kept
    return np.asarray(np.partition(scores, place, axis=1)[:, place])


@dataclass(frozen=True, eq=False)
class RankingMethod:
    """A method of recommendation; see `supertune.contracts.FoldSolver`.

    Attributes:
        learn: numbers from what there is to learn from, under the method's options.
        revive: the same numbers from their arrays.
        cost: processor seconds of learning, from options, people and items; measured on ml-100k.
    """

    name: str
    summary: str
    reference: str
    simplicity: int
    learn: Learn
    revive: Restore
    options: type[Options] = Options
    needs: frozenset[str] = frozenset()
    objectives: frozenset[str] = frozenset({"rank"})
    modalities: tuple[str, ...] = ("interactions",)
    cost: Cost | None = None

    def learning_seconds(self, options: Any, inputs: Sequence[Input]) -> float:
        """Of one model of these people."""
        first = next((one for one in inputs if isinstance(one, History)), None)
        if self.cost is None or first is None:
            return 0.0
        items = 0 if first.catalogue is None else len(first.catalogue)
        return self.cost(options, len(inputs), items)

    def fit(self, problem: Problem, options: Any) -> Ranker:
        learnt = learnt_of(problem, reads=bool(self.needs))
        return Ranker(self.learn(learnt, options), learnt.catalogue)

    def restore(self, state: State, head: HeadSpec, lens: Lens | None) -> Ranker:
        return restored(self.revive, state)

    def out_of_fold(
        self, problem: Problem, options: Any, folds: Sequence[tuple[IntArray, IntArray]]
    ) -> list[FloatArray]:
        """Those of a fold are learned from with all that is given of them; those who judge are
        asked about by what is known before (`History.known`)."""
        answers = []
        for train, test in folds:
            check()
            part = replace(problem, examples=problem.examples.take(train))
            asked = [problem.examples.inputs[i] for i in test]
            before = [one.before for one in asked if isinstance(one, History)]
            answers.append(self.fit(part, options).logits(before, problem.lens))
        return answers


def learnt_of(problem: Problem, *, reads: bool) -> Learnt:
    """What a problem says; with ``reads`` what its backbone makes of items' texts."""
    histories = [one for one in problem.examples.inputs if isinstance(one, History)]
    catalogue = histories[0].catalogue or _bare(problem.examples.labels)
    content = content_of(catalogue, problem.lens) if reads else None
    seen = seen_by(histories, catalogue)
    return Learnt(histories, catalogue, seen, content, problem.seed)


def restored(revive: Restore, state: State) -> Ranker:
    """The inverse of `Ranker.state`."""
    return Ranker(revive(state.arrays), _catalogue(state.files[ITEMS].arrays))


def _bare(ids: tuple[str, ...]) -> Catalogue:
    """Of rows that were kept in a model folder, which know the items by their ids alone."""
    none = np.full(len(ids), np.nan)
    return Catalogue(ids, ("",) * len(ids), ids, ((),) * len(ids), none)


# --- the catalogue in a file ------------------------------------------------------------------


def _kept(catalogue: Catalogue) -> dict[str, npt.NDArray[Any]]:
    """Texts as bytes with their ends."""
    columns = {
        "ids": catalogue.ids,
        "texts": catalogue.texts,
        "titles": catalogue.titles,
        "categories": tuple("\n".join(some) for some in catalogue.categories),
    }
    found = {}
    for name, texts in columns.items():
        encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
        found[name] = np.frombuffer(b"".join(encoded), dtype=np.uint8).copy()
        found[f"{name}.ends"] = np.cumsum([len(one) for one in encoded]).astype(np.int64)
    salt = np.frombuffer(bytes.fromhex(catalogue.salt), dtype=np.uint8).copy()
    return {**found, "years": catalogue.years, "salt": salt}


def _catalogue(arrays: Mapping[str, npt.NDArray[Any]]) -> Catalogue:
    ids, texts, titles, kinds = (
        _texts(arrays, name) for name in ("ids", "texts", "titles", "categories")
    )
    several = tuple(tuple(filter(None, one.split("\n"))) for one in kinds)
    return Catalogue(ids, texts, titles, several, arrays["years"], arrays["salt"].tobytes().hex())


def _texts(arrays: Mapping[str, npt.NDArray[Any]], name: str) -> tuple[str, ...]:
    whole, ends = arrays[name].tobytes(), arrays[f"{name}.ends"].tolist()
    starts = [0, *ends[:-1]]
    return tuple(
        whole[a:b].decode("utf-8", "surrogatepass") for a, b in zip(starts, ends, strict=True)
    )
