"""What every method of recommendation shares: histories as a matrix, lists, folds, and a state.

A method says how it learns from a matrix of people and items (`Learn`) and what scores it gives
(`Scorer`); everything else is here. What a person has is never recommended again.

Shapes: n people, I items, K items of a list, d numbers that describe an item.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
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
from supertune.limits import check

BLOCK = 32_000_000  # scores that are held at a time
ITEMS = "items.safetensors"


@dataclass(frozen=True, eq=False)
class Learnt:
    """What there is to learn from.

    Attributes:
        histories: of the n people.
        matrix: (n, I) sparse, 1 where somebody took an item.
        content: (I, d) features that a backbone makes of the items' texts, None without one.
    """

    histories: Sequence[History]
    catalogue: Catalogue
    matrix: Any
    content: FloatArray | None
    seed: int


class Scorer(Protocol):
    """Numbers that rank items."""

    @property
    def parameters(self) -> int: ...

    def scores(self, matrix: Any, content: FloatArray | None) -> FloatArray:
        """(n, I) of people whose items are the rows of a sparse matrix (n, I)."""
        ...

    def vectors(self, content: FloatArray | None) -> FloatArray:
        """(I, d) by which items are alike: the nearer their directions, the liker."""
        ...

    def arrays(self) -> Mapping[str, npt.NDArray[Any]]: ...


Learn = Callable[[Learnt, Any], Scorer]
Restore = Callable[[Mapping[str, npt.NDArray[Any]]], Scorer]


@dataclass(frozen=True, eq=False)
class Ranker:
    """See `supertune.contracts.Tuned` and `supertune.contracts.Recommending`."""

    scorer: Scorer
    catalogue: Catalogue
    reads: bool  # whether the items' texts are read by a backbone

    @property
    def tuned_parameters(self) -> int:
        return self.scorer.parameters

    def logits(self, inputs: Sequence[Input], lens: Lens | None) -> FloatArray:
        """(n, 2 K): the places of the best items that a person does not have, and their scores."""
        people = [one for one in inputs if isinstance(one, History)]
        content, answers = self._content(lens), np.zeros((len(people), 2 * LISTED))
        step = max(1, BLOCK // max(1, len(self.catalogue)))
        for start in range(0, len(people), step):
            check()
            matrix = as_matrix(people[start : start + step], self.catalogue)
            scores = self.scorer.scores(matrix, content)
            scores[matrix.nonzero()] = -np.inf
            answers[start : start + step] = np.concatenate(top(scores, LISTED), axis=1)
        return answers

    def scores(self, histories: Sequence[History], lens: Lens | None) -> FloatArray:
        """(n, I), of what a person has already too."""
        matrix = as_matrix(histories, self.catalogue)
        return self.scorer.scores(matrix, self._content(lens))

    def vectors(self, lens: Lens | None) -> FloatArray:
        return self.scorer.vectors(self._content(lens))

    def _content(self, lens: Lens | None) -> FloatArray | None:
        return content_of(self.catalogue, lens) if self.reads else None

    def state(self) -> State:
        return State(dict(self.scorer.arrays()), {}, files={ITEMS: StateFile(_kept(self.catalogue))})


def content_of(catalogue: Catalogue, lens: Lens | None) -> FloatArray | None:
    """(I, d) of each item's text, of length 1; zeros where there is none."""
    if lens is None:
        return None
    said = [i for i, text in enumerate(catalogue.texts) if text]
    found = lens.features([catalogue.texts[i] for i in said])
    content = np.zeros((len(catalogue), found.shape[1]), dtype=np.float32)
    content[said] = found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)
    return content


def as_matrix(histories: Sequence[History], catalogue: Catalogue) -> Any:
    """(n, I) sparse float32, 1 where somebody took an item that the catalogue knows."""
    from scipy.sparse import csr_matrix

    maps: dict[int, IntArray] = {}
    rows = [_placed(one, catalogue, maps) for one in histories]
    ends = np.cumsum([0, *map(len, rows)])
    index = np.concatenate([np.zeros(0, dtype=np.int64), *rows])
    ones = np.ones(len(index), dtype=np.float32)
    return csr_matrix((ones, index, ends), (len(rows), len(catalogue)))


def _placed(one: History, catalogue: Catalogue, maps: dict[int, IntArray]) -> IntArray:
    """A person's items as places of ``catalogue``, each once."""
    other = one.catalogue
    if other is None or other is catalogue or other.ids == catalogue.ids:
        return np.unique(one.items.astype(np.int64))
    if id(other) not in maps:
        maps[id(other)] = np.array([catalogue.place.get(name, -1) for name in other.ids])
    found = maps[id(other)][one.items]
    return np.unique(found[found >= 0])


def top(scores: FloatArray, count: int) -> tuple[FloatArray, FloatArray]:
    """(n, count) places of the highest scores (n, I), and these; -1 and 0 where there are no
    more finite ones. Of equal scores the earlier item comes first."""
    people, items = scores.shape
    places = np.full((people, count), -1, dtype=np.int64)
    best = np.zeros((people, count))
    kept = min(count, items)
    few = np.sort(np.argpartition(-scores, kept - 1, axis=1)[:, :kept], axis=1)
    found = np.take_along_axis(scores, few, axis=1)
    order = np.argsort(-found, axis=1, kind="stable")
    few, found = np.take_along_axis(few, order, axis=1), np.take_along_axis(found, order, axis=1)
    finite = np.isfinite(found)
    places[:, :kept] = np.where(finite, few, -1)
    best[:, :kept] = np.where(finite, found, 0.0)
    return places, best


@dataclass(frozen=True, eq=False)
class RankingMethod:
    """A method of recommendation; see `supertune.contracts.FoldSolver`.

    Attributes:
        learn: numbers from what there is to learn from, under the method's options.
        revive: the same numbers from their arrays.
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

    def fit(self, problem: Problem, options: Any) -> Ranker:
        histories = [one for one in problem.examples.inputs if isinstance(one, History)]
        catalogue = histories[0].catalogue
        assert catalogue is not None
        content = content_of(catalogue, problem.lens) if self.needs else None
        matrix = as_matrix(histories, catalogue)
        learnt = Learnt(histories, catalogue, matrix, content, problem.seed)
        return Ranker(self.learn(learnt, options), catalogue, bool(self.needs))

    def restore(self, state: State, head: HeadSpec, lens: Lens | None) -> Ranker:
        catalogue = _catalogue(state.files[ITEMS].arrays)
        return Ranker(self.revive(state.arrays), catalogue, bool(self.needs))

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
    return found


def _catalogue(arrays: Mapping[str, npt.NDArray[Any]]) -> Catalogue:
    ids, texts, titles, kinds = (
        _texts(arrays, name) for name in ("ids", "texts", "titles", "categories")
    )
    return Catalogue(ids, texts, titles, tuple(tuple(filter(None, k.split("\n"))) for k in kinds))


def _texts(arrays: Mapping[str, npt.NDArray[Any]], name: str) -> tuple[str, ...]:
    whole, ends = arrays[name].tobytes(), arrays[f"{name}.ends"].tolist()
    starts = [0, *ends[:-1]]
    return tuple(
        whole[a:b].decode("utf-8", "surrogatepass") for a, b in zip(starts, ends, strict=True)
    )
