"""Rows of numbers, which are vectors by themselves."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

from supertune.contracts import (
    Columns,
    Copy,
    Examples,
    Finding,
    FloatArray,
    Input,
    Offer,
    as_json,
    fields_of,
)
from supertune.data import given


class Numbers:
    name = "numbers"
    noun = "row of numbers"
    vectors = True
    window = 4096
    varied: None = None

    def given(self, values: Any, columns: Columns) -> list[Input]:
        return given.numbers(values, columns.numbers)

    def blank(self, value: Input) -> bool:
        return not value

    def same(self, value: Input) -> Hashable:
        return value

    def alike(self, inputs: Sequence[Input], most: int | None = None) -> list[list[int]]:
        """Only what is equal: how near is near would depend on the units."""
        together: dict[Hashable, list[int]] = {}
        for i, value in enumerate(inputs):
            together.setdefault(self.same(value), []).append(i)
        return [members for members in together.values() if len(members) > 1]

    def form(self, inputs: Sequence[Input]) -> FloatArray | None:
        return None

    def noticed(self, examples: Examples, max_length: int) -> list[Finding]:
        return []

    def to_json(self, value: Input) -> Any:
        return as_json(value)

    def from_json(self, kept: Any) -> Input:
        return tuple(kept)

    def described(self, value: Input) -> str:
        return "\n".join(map(str, fields_of(value)))

    def thumbnail(self, value: Input) -> bytes | None:
        return None

    def played(self, value: Input) -> bytes | None:
        return None

    def copy(self, value: Input, side: int) -> Copy:
        raise NotImplementedError("nothing is drawn on numbers")

    def language(self, inputs: Sequence[Input]) -> str | None:
        return None

    def backbones(self, inputs: Sequence[Input]) -> tuple[str, ...]:
        return ()

    def lengths(
        self, inputs: Sequence[Input], offer: Offer | None, max_length: int
    ) -> tuple[int, ...]:
        return (0,) * len(inputs)


MODALITY = Numbers()
