"""Rows that are what one person did."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from supertune.contracts import (
    Columns,
    Copy,
    Examples,
    Finding,
    FloatArray,
    History,
    Input,
    Offer,
)
from supertune.data.language import guess_language
from supertune.errors import InputError

TRIED = ("minilm",)


class Interactions:
    name = "interactions"
    noun = "history"
    vectors = False
    window = 1024
    varied = None

    def given(self, values: Any, columns: Columns) -> list[Input]:
        raise InputError(
            "not_a_history",
            "People are asked about by what they did.",
            received=f"a {type(values).__name__}",
            allowed="a file or frame of interactions, or the items that a person likes",
            next='Call model.recommend(liked=["a", "b"]), or model.stream("interactions.csv").',
        )

    def blank(self, value: Input) -> bool:
        return not (isinstance(value, History) and len(value))

    def same(self, value: Input) -> Hashable:
        return value

    def alike(self, inputs: Sequence[Input], most: int | None = None) -> list[list[int]]:
        return []

    def form(self, inputs: Sequence[Input]) -> FloatArray | None:
        return None

    def noticed(self, examples: Examples, max_length: int) -> list[Finding]:
        return []

    def to_json(self, value: Input) -> Any:
        """Places of items, and times and ratings where there are some."""
        assert isinstance(value, History)
        kept: dict[str, Any] = {
            "person": value.person,
            "items": value.items.tolist(),
            "known": value.known,
        }
        for name in ("times", "ratings"):
            array = getattr(value, name)
            if not np.isnan(array).all():
                kept[name] = [None if np.isnan(one) else one for one in array.tolist()]
        return kept

    def from_json(self, kept: Any) -> Input:
        items = np.array(kept["items"], dtype=np.int32)
        unknown = [None] * len(items)
        times, ratings = (
            np.array(kept.get(name, unknown), dtype=np.float64) for name in ("times", "ratings")
        )
        return History(str(kept["person"]), items, times, ratings, int(kept["known"]))

    def described(self, value: Input) -> str:
        return str(value)

    def thumbnail(self, value: Input) -> bytes | None:
        return None

    def played(self, value: Input) -> bytes | None:
        return None

    def copy(self, value: Input, side: int) -> Copy:
        raise NotImplementedError("nothing is drawn on a history")

    def language(self, inputs: Sequence[Input]) -> str | None:
        """Of the items' texts."""
        return guess_language(filter(None, _texts(inputs)))

    def backbones(self, inputs: Sequence[Input]) -> tuple[str, ...]:
        """None where nothing is said of the items."""
        return TRIED if any(_texts(inputs)) else ()

    def lengths(
        self, inputs: Sequence[Input], offer: Offer | None, max_length: int
    ) -> tuple[int, ...]:
        """Positions of each item's text; without a backbone, of each history one."""
        if offer is None:
            return (1,) * len(inputs)
        return tuple(min(max_length, 4 + len(text) // 4) for text in _texts(inputs))


MODALITY = Interactions()


def _texts(inputs: Sequence[Input]) -> tuple[str, ...]:
    first = next((one for one in inputs if isinstance(one, History)), None)
    return () if first is None or first.catalogue is None else first.catalogue.texts
