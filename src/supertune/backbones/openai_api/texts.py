"""Inputs as what is sent: cut by tokens that are counted here, nearly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from supertune.backbones.openai_api.counting import _PIECES, pieces
from supertune.contracts import Encoding, Input, fields_of
from supertune.contracts.remote import source_of


@dataclass(frozen=True)
class Text:
    """One text that is sent.

    Attributes:
        fields: of the row, each cut.
        around: what is put in front: a prefix, or all that a prompt adds.
        source: the key of the input it comes from.
    """

    fields: tuple[str, ...]
    around: str
    source: str = field(compare=False)

    @property
    def whole(self) -> str:
        return self.around + "\n".join(self.fields)

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Pieces instead of numbers of a vocabulary, which only the server has."""
        return pieces(self.whole)

    @property
    def reads(self) -> tuple[int, ...]:
        """Where an answer is read: behind the last piece."""
        return (max(0, len(self.ids) - 1),) if self.ids else ()


def texts(inputs: Sequence[Input], encoding: Encoding) -> list[tuple[Text, ...]]:
    """Of each input one text, or several where long ones are read in chunks."""
    return [_texts(value, encoding) for value in inputs]


def _texts(value: Input, encoding: Encoding) -> tuple[Text, ...]:
    source = source_of(value)
    prompt = encoding.prompt
    around = (encoding.prefix or "") if prompt is None else ""
    if prompt is not None:
        around = prompt.shown + prompt.template + "\n"
    fields = tuple(_clean(str(one)) for one in fields_of(value))
    most = max(1, encoding.max_length // len(fields))
    if encoding.long_text == "chunk" and prompt is None and len(fields) == 1:
        chunks = _chunks(fields[0], most)
        return tuple(Text((one,), around, source) for one in chunks)
    ends = encoding.long_text == "head_tail"
    return (Text(tuple(_cut(one, most, ends) for one in fields), around, source),)


def _clean(text: str) -> str:
    """Without halves of characters, which no server reads."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _cut(text: str, most: int, ends: bool) -> str:
    if len(text) <= most:  # no piece is shorter than a character
        return text
    places = [match.span() for match in _PIECES.finditer(text)]
    if len(places) <= most:
        return text
    if not ends:
        return text[: places[most - 1][1]]
    head = max(1, most // 2)
    return text[: places[head - 1][1]] + " " + text[places[head - most][0] :]


def _chunks(text: str, most: int) -> list[str]:
    places = [match.span() for match in _PIECES.finditer(text)]
    if len(places) <= most:
        return [text]
    parts = [places[start : start + most] for start in range(0, len(places), most)]
    return [text[part[0][0] : part[-1][1]] for part in parts]
