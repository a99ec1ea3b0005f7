"""How sources and translations become tokens, and tokens texts, of one pair of languages."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from supertune.backbones.transformers.batching import Piece
from supertune.backbones.transformers.tokenizing import whole


@dataclass(frozen=True)
class Source(Piece):
    """The tokens of a source, with all that stands around them. What is frozen is kept of it under
    another name than of a text that is classified: below a decoder it is the tokens themselves."""

    @property
    def bare(self) -> Source:
        return self


@dataclass(frozen=True, eq=False)
class Sides:
    """A tokenizer, and what it does not say by itself.

    Attributes:
        source_language, target_language: as the model calls them; empty where that is not known.
        prefix: text before every source.
        opening: tokens before those of a source, such as that of its language.
        closing: tokens behind those of a source.
        forced: tokens that every translation begins with.
    """

    tokenizer: Any
    source_language: str = ""
    target_language: str = ""
    prefix: str = ""
    opening: tuple[int, ...] = ()
    closing: tuple[int, ...] = ()
    forced: tuple[int, ...] = ()

    @property
    def end(self) -> int:
        """The token that ends a translation."""
        return int(self.tokenizer.eos_token_id)

    @cached_property
    def _marks(self) -> frozenset[int]:
        """Tokens that are no words, and may stand in a text by chance."""
        return frozenset(self.tokenizer.all_special_ids)

    def read(self, texts: Sequence[str]) -> list[Source]:
        """The piece of each source."""
        if not texts:
            return []
        coded = self.tokenizer(
            [self.prefix + whole(text) for text in texts], add_special_tokens=False, verbose=False
        )["input_ids"]
        return [Source((*self.opening, *self._words(ids), *self._closed)) for ids in coded]

    @property
    def _closed(self) -> tuple[int, ...]:
        return self.closing or (self.end,)

    def spelled(self, text: str) -> list[int]:
        """The tokens of a translation, without those that are `forced`."""
        coded = self.tokenizer(
            text_target=whole(text), add_special_tokens=False, verbose=False
        )["input_ids"]  # fmt: skip
        return [*self._words(coded), self.end]

    def _words(self, ids: Sequence[int]) -> list[int]:
        """Tokens of a text, in which a mark such as "</s>" is no end."""
        unknown = int(self.tokenizer.unk_token_id)
        return [unknown if one in self._marks else int(one) for one in ids]

    def said(self, texts: Sequence[Sequence[int]]) -> list[str]:
        """What tokens say; a table of words may have more rows than the tokenizer has words."""
        known = len(self.tokenizer)
        found = self.tokenizer.batch_decode(
            [[one for one in text if one < known] for text in texts],
            skip_special_tokens=True,
            clean_up_tokenization_spaces=False,
        )
        return [str(text).strip() for text in found]

    def source(self, piece: Piece) -> str:
        """The text of a source, as far as its tokens say it, without the prefix."""
        inner = piece.ids[len(self.opening) : len(piece.ids) - len(self._closed)]
        (text,) = self.tokenizer.batch_decode([list(inner)], skip_special_tokens=True)
        return str(text).removeprefix(self.prefix.strip()).strip()

    def spans(self, text: str, *, answer: bool = False) -> list[tuple[int, int]]:
        """See `supertune.contracts.Looking`."""
        if answer:
            return self._offsets(whole(text), answer=True)
        before = len(self.prefix)
        found = self._offsets(self.prefix + whole(text), answer=False)
        own = [(max(0, first - before), max(0, last - before)) for first, last in found]
        return [(0, 0)] * len(self.opening) + own

    def _offsets(self, text: str, *, answer: bool) -> list[tuple[int, int]]:
        if self.tokenizer.is_fast:
            side = {"text_target" if answer else "text": text}
            made = self.tokenizer(
                **side, add_special_tokens=False, return_offsets_mapping=True, verbose=False
            )
            return [(int(first), int(last)) for first, last in made["offset_mapping"]]
        # Those of transformers in Python know no places in a text, but what they are made of does.
        own = self.tokenizer
        spm = getattr(own, "sp_model", None) or (own.spm_target if answer else own.spm_source)
        raw = text.encode()  # they count bytes
        ends = ((piece.begin, piece.end) for piece in spm.encode(text, return_type="proto").pieces)
        return [(len(raw[:first].decode()), len(raw[:last].decode())) for first, last in ends]

    def hidden(self, piece: Piece, places: Collection[int]) -> Piece:
        """See `supertune.contracts.Looking`."""
        unknown = int(self.tokenizer.unk_token_id)
        ids = (unknown if place in places else one for place, one in enumerate(piece.ids))
        return replace(piece, ids=tuple(ids))
