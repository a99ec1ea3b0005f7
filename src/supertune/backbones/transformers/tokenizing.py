"""How texts become token ids: prefix, pairs, and what happens to a text that is too long.

A text's tokens depend on nothing but the text: texts and pairs of one call are tokenised apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from supertune.backbones.transformers.batching import Piece
from supertune.contracts import Encoding, Input

# Nearly every text of so many characters a token has more tokens than fit, and reading all of a
# text of megabytes to keep its first page takes seconds. Where it has fewer, all of it is read.
CHARACTERS = 40


class Tokens:
    """One tokenizer, and the special tokens it puts around a text.

    Args:
        tokenizer: of transformers, with a padding token.
    """

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self.pad = int(tokenizer.pad_token_id or 0)
        framed = list(tokenizer("a")["input_ids"])
        bare = list(tokenizer("a", add_special_tokens=False)["input_ids"])
        start = next(
            i
            for i in range(len(framed) + 1)
            if framed[i : i + len(bare)] == bare or i == len(framed)
        )
        self.opening, self.closing = framed[:start], framed[start + len(bare) :]

    def code(self, text: str) -> list[int]:
        """Token ids of a text without anything around it."""
        return list(self.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])

    def offsets(self, text: str, limit: int | None) -> list[tuple[int, int]]:
        """First and last character of each token of a text, of the first ``limit`` tokens."""
        if limit is not None:
            text = text[: limit * CHARACTERS]
        made = self.tokenizer(
            text, add_special_tokens=False, return_offsets_mapping=True, verbose=False
        )
        return [(int(a), int(b)) for a, b in made["offset_mapping"][:limit]]

    def pieces(
        self, inputs: Sequence[Input], encoding: Encoding, limit: int, prefix: str
    ) -> list[tuple[Piece, ...]]:
        """The pieces of each input, each of at most ``limit`` tokens; one unless it is chunked.

        A pair is always truncated, its longer text first.
        """
        # Rows of numbers never come here: no method is given a backbone for them.
        parts = [(i,) if isinstance(i, str) else cast("tuple[str, ...]", i) for i in inputs]
        single = [i for i, part in enumerate(parts) if len(part) == 1]
        paired = [i for i, part in enumerate(parts) if len(part) != 1]
        made: dict[int, tuple[Piece, ...]] = {}
        texts = [prefix + whole(parts[i][0]) for i in single]
        if encoding.long_text == "truncate":
            made |= zip(single, ((piece,) for piece in self._truncated(texts, None, limit)))
        else:
            made |= zip(single, self._long(texts, limit, encoding.long_text))
        first = [prefix + whole(parts[i][0] if parts[i] else "") for i in paired]
        second = [whole(" ".join(parts[i][1:])) for i in paired]
        made |= zip(paired, ((piece,) for piece in self._truncated(first, second, limit)))
        return [made[i] for i in range(len(inputs))]

    def _truncated(self, first: list[str], second: list[str] | None, limit: int) -> list[Piece]:
        if not first:
            return []
        most = limit * CHARACTERS
        made = self._code([t[:most] for t in first], second and [t[:most] for t in second], limit)
        for i, piece in enumerate(made):
            cut = len(first[i]) > most or (second is not None and len(second[i]) > most)
            if cut and len(piece.ids) < limit:
                made[i] = self._code([first[i]], second and [second[i]], limit)[0]
        return made

    def _code(self, first: list[str], second: list[str] | None, limit: int) -> list[Piece]:
        coded = self.tokenizer(first, second, truncation=True, max_length=limit)
        types = coded.get("token_type_ids") or [None] * len(first)
        return [
            self._piece(ids, tuple(kinds) if kinds and any(kinds) else None)
            for ids, kinds in zip(coded["input_ids"], types, strict=True)
        ]

    def _piece(self, ids: Sequence[int], types: tuple[int, ...] | None = None) -> Piece:
        # Some tokenizers make nothing of a text of blanks; one padding token stands for it.
        return Piece(tuple(ids) or (self.pad,), types)

    def _long(self, texts: list[str], limit: int, how: str) -> list[tuple[Piece, ...]]:
        if not texts:
            return []
        coded = self.tokenizer(texts, add_special_tokens=False, truncation=False, verbose=False)
        room = max(1, limit - len(self.opening) - len(self.closing))
        return [
            tuple(
                self._piece([*self.opening, *part, *self.closing])
                for part in _parts(ids, room, how)
            )
            for ids in coded["input_ids"]
        ]


def _parts(content: Sequence[int], room: int, how: str) -> list[Sequence[int]]:
    """``content`` in parts of at most ``room`` tokens."""
    if len(content) <= room:
        return [content]
    if how == "head_tail":
        tail = room // 2
        return [[*content[: room - tail], *content[len(content) - tail :]]]
    return [content[start : start + room] for start in range(0, len(content), room)]


def whole(text: str) -> str:
    """Text that tokenizers accept: half a surrogate pair, as JSON can hold it, becomes U+FFFD."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text
