"""What people did with items: rows that are a person's history, and answers that are lists."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

_Array = npt.NDArray[Any]

LISTED = 100  # items of a list that are kept of each person; metrics look at no more of them


@dataclass(frozen=True, eq=False, repr=False)
class Catalogue:
    """The items that can be recommended, whether anybody has touched them or not.

    Attributes:
        ids: of the I items, in the order of a model's outputs.
        texts: what is said of each, for a backbone to read; ``""`` where nothing is.
        titles: what a person calls each; its id where nothing else is known.
        categories: of each, in the words of the file.
        years: (I,) NaN where unknown.
        salt: by which people's ids were hashed (hex), empty where they keep their own.
    """

    ids: tuple[str, ...]
    texts: tuple[str, ...]
    titles: tuple[str, ...]
    categories: tuple[tuple[str, ...], ...]
    years: _Array
    salt: str = ""

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def place(self) -> dict[str, int]:
        """Where each id stands."""
        return {name: i for i, name in enumerate(self.ids)}

    @cached_property
    def kinds(self) -> tuple[str, ...]:
        """The categories there are, in order."""
        return tuple(sorted({one for some in self.categories for one in some}))


@dataclass(frozen=True, eq=False, repr=False)
class History:
    """What one person did, oldest first. Of the same items and times means equal.

    Attributes:
        person: a name for the person that is not their own, unless that was asked for.
        items: (m,) places in the catalogue.
        times: (m,) seconds, NaN where unknown.
        ratings: (m,), NaN where none was given.
        known: how many of the first ones a model is given when it is judged by what comes later;
            all of them where nothing does.
        catalogue: what the places mean; None where only a model knows.
        among: (c,) places that are ranked for them, None: all.
    """

    person: str
    items: _Array
    times: _Array
    ratings: _Array
    known: int
    catalogue: Catalogue | None = None
    among: _Array | None = None

    def __len__(self) -> int:
        return len(self.items)

    def first(self, count: int) -> History:
        """The first ``count`` of it, all of which are known."""
        part = slice(0, count)
        return replace(
            self,
            items=self.items[part],
            times=self.times[part],
            ratings=self.ratings[part],
            known=min(count, len(self)),
        )

    @property
    def before(self) -> History:
        """What a model is given when it is judged."""
        return self.first(self.known)

    @cached_property
    def content(self) -> str:
        """sha256 (hex) of what was done, whoever did it."""
        digest = hashlib.sha256(str(self.known).encode())
        for array, kind in ((self.items, "<i8"), (self.times, "<f8"), (self.ratings, "<f8")):
            digest.update(np.ascontiguousarray(array, dtype=kind).tobytes())
        if self.among is not None:
            digest.update(np.ascontiguousarray(self.among, dtype="<i8").tobytes())
        return digest.hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, History) and self.content == other.content

    def __hash__(self) -> int:
        return hash(self.content)

    def __repr__(self) -> str:
        """The content alone: the order of rows is made of it."""
        return f"History({self.content})"

    def __str__(self) -> str:
        return f"{self.person} ({len(self)} items)"


@runtime_checkable
class Recommending(Protocol):
    """A fitted method that ranks the items of a catalogue (`supertune.contracts.Tuned`)."""

    catalogue: Catalogue

    def scores(self, histories: Sequence[History], lens: Any) -> _Array:
        """(n, I) how likely each item comes next; the higher, the likelier."""
        ...

    def vectors(self, lens: Any) -> _Array:
        """(I, d) by which items are alike: the nearer, the liker."""
        ...


@dataclass(frozen=True, eq=False)
class Recommendations:
    """Lists of items for n people; see `supertune.contracts.Answers`.

    Attributes:
        places: (n, K) items of the catalogue, the best first; -1 where there are no more.
        scores: (n, K) by which they were ranked.
        ids: of the catalogue's items.
        top: how many of them are written.
    """

    places: _Array
    scores: _Array
    ids: tuple[str, ...]
    top: int = 10

    def __len__(self) -> int:
        return len(self.places)

    @property
    def scored(self) -> _Array:
        """(n, 2 K): places, then scores."""
        return np.concatenate([self.places.astype(np.float64), self.scores], axis=1)

    @property
    def lists(self) -> list[list[str]]:
        """The ids of the first ``top`` of each."""
        return [
            [self.ids[place] for place in row if place >= 0]
            for row in self.places[:, : self.top].tolist()
        ]

    def columns(self) -> dict[str, list[Any]]:
        """``recommended``, a list of ids, and ``scores`` beside it."""
        scores = np.round(self.scores[:, : self.top], 6).tolist()
        lists = self.lists
        return {
            "recommended": lists,
            "scores": [row[: len(ids)] for row, ids in zip(scores, lists, strict=True)],
        }

    def listed(self) -> list[dict[str, Any]]:
        cells = self.columns()
        return [
            {"recommended": ids, "scores": scores}
            for ids, scores in zip(cells["recommended"], cells["scores"], strict=True)
        ]

    def lines(self) -> list[str]:
        return [", ".join(ids) for ids in self.lists]

    def counts(self) -> dict[str, int]:
        return {"lists": len(self)}

    def marks(self) -> dict[str, int]:
        return {}

    def compared(self, likeness: _Array) -> Recommendations:
        return self
