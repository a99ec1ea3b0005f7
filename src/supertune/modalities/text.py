"""Rows that are a text, or several texts."""

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
from supertune.data import checks, form, given, joining, near_duplicates, overlap
from supertune.data.language import guess_language

TRIED = ("minilm", "e5-small")
MANY = ("e5-small",)  # of them, those that read other languages than English


class Text:
    name = "text"
    noun = "text"
    vectors = False
    window = 4096
    varied: None = None

    def given(self, values: Any, columns: Columns) -> list[Input]:
        return given.texts(values, columns)

    def blank(self, value: Input) -> bool:
        return joining.is_blank(value)

    def same(self, value: Input) -> Hashable:
        return overlap.folded(value)

    def alike(self, inputs: Sequence[Input], most: int | None = None) -> list[list[int]]:
        return near_duplicates.clusters([joining.as_one(value)[:most] for value in inputs])

    def form(self, inputs: Sequence[Input]) -> FloatArray:
        return form.measured(inputs)

    def noticed(self, examples: Examples, max_length: int) -> list[Finding]:
        return checks.long_texts(examples, max_length)

    def to_json(self, value: Input) -> Any:
        return as_json(value)

    def from_json(self, kept: Any) -> Input:
        return kept if isinstance(kept, str) else tuple(kept)

    def described(self, value: Input) -> str:
        return "\n".join(map(str, fields_of(value)))

    def thumbnail(self, value: Input) -> bytes | None:
        return None

    def played(self, value: Input) -> bytes | None:
        return None

    def copy(self, value: Input, side: int) -> Copy:
        raise NotImplementedError("nothing is drawn on a text")

    def language(self, inputs: Sequence[Input]) -> str | None:
        return guess_language(map(joining.as_one, inputs))

    def backbones(self, inputs: Sequence[Input]) -> tuple[str, ...]:
        return TRIED if self.language(inputs) in (None, "en") else MANY

    def lengths(
        self, inputs: Sequence[Input], offer: Offer | None, max_length: int
    ) -> tuple[int, ...]:
        """Tokens, estimated from characters and cut to ``max_length``."""
        return tuple(min(max_length, checks.token_count(joining.as_one(one))) for one in inputs)


MODALITY = Text()
