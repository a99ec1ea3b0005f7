"""Inputs inside a prompt as token ids: the text is cut, the prompt and the answer never are."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from supertune.backbones.transformers.batching import Piece
from supertune.backbones.transformers.tokenizing import Tokens, whole
from supertune.backbones.transformers.words import Words, after_prefixes, at_masks, word_ids
from supertune.contracts import Encoding, Input, Prompt, fields_of
from supertune.errors import InputError

_FIELD = re.compile(r"\{text(\d*)\}")
_NOT_WORTH = 4  # fewer tokens of the text than this say nothing about it


@dataclass(frozen=True, eq=False)
class Frame:
    """One prompt for one tokenizer.

    Attributes:
        lead, tail: the template before and after the answer, fields still in it.
        space: what stands between ``lead`` and the answer and belongs to the word.
        shown: ids in front of every row, the model's own opening tokens included.
    """

    prompt: Prompt
    lead: str
    space: str
    tail: str
    shown: tuple[int, ...]
    words: Words


def frame(tokens: Tokens, family: str, prompt: Prompt) -> Frame:
    """Split a template at its answer and find the tokens of its words."""
    before, _, after = prompt.template.partition("{answer}")
    lead = before.rstrip(" ")
    space = "" if prompt.chat else before[len(lead) :]
    if family != "masked" and not _FIELD.search(lead):
        raise InputError(
            "template_hides_text",
            "The text stands behind the answer, where this backbone does not see it.",
            received=prompt.template,
            allowed="the text before {answer}",
            next="Put {text} before {answer}, or choose a masked backbone.",
        )
    if family == "masked" and tokens.tokenizer.mask_token is None:
        raise InputError(
            "mask_missing",
            "The backbone's tokenizer has no mask, so no answer can be asked for.",
            received=type(tokens.tokenizer).__name__,
            next="Set tokenizer.mask_token and save it beside the weights.",
        )
    ids = word_ids(tokens.tokenizer, prompt, lead, space)
    words = at_masks(ids, prompt) if family == "masked" else after_prefixes(ids, prompt)
    shown: list[int] = []
    if not prompt.chat:
        opening = list(tokens.opening)
        shown = opening + tokens.code(prompt.shown) if prompt.shown else opening
    return Frame(prompt, lead, space, after, tuple(shown), words)


def pieces(
    tokens: Tokens, family: str, made: Frame, inputs: Sequence[Input], encoding: Encoding, room: int
) -> list[tuple[Piece, ...]]:
    """The sequences of each input, with the places that are read in them.

    Args:
        room: tokens that the backbone takes in all.

    Raises:
        InputError: ``prompt_too_long`` when no room is left for the text,
            ``prompt_cannot_chunk``.
    """
    if encoding.long_text == "chunk":
        raise InputError(
            "prompt_cannot_chunk",
            "A text inside a prompt cannot be read in parts.",
            received="long_text chunk",
            allowed="truncate, head_tail",
            next="Set long_text to head_tail to read the beginning and the end of long texts.",
        )
    longest = max(len(run) for run, _ in made.words.runs)
    if family == "seq2seq":  # its answer goes into the decoder
        longest = len(tokens.closing)
    spent = len(_coded(tokens, family, made, ("",) * 9)) + longest
    if room - spent < _NOT_WORTH:
        raise InputError(
            "prompt_too_long",
            "The prompt leaves no room for the text.",
            received=f"{spent} tokens of prompt",
            allowed=f"at most {room - _NOT_WORTH} of the {room} tokens the backbone reads",
            next="Shorten the template or the instruction, or show fewer examples.",
        )
    budget = min(encoding.max_length, room - spent)
    return [
        _of_one(tokens, family, made, parts, budget, room - longest, encoding.long_text)
        for parts in (tuple(map(str, fields_of(item))) for item in inputs)
    ]


def _of_one(
    tokens: Tokens,
    family: str,
    made: Frame,
    parts: tuple[str, ...],
    budget: int,
    room: int,
    how: str,
) -> tuple[Piece, ...]:
    texts = [_plain(tokens.tokenizer, whole(part)) for part in parts]
    while True:
        ids = _coded(tokens, family, made, tuple(_cut(tokens, texts, budget, how)))
        if len(ids) <= room or budget <= 1:
            break
        budget -= len(ids) - room  # the seams between text and prompt can cost a token more
    if family == "masked":
        return tuple(
            _masked(tokens, made, texts, budget, how, len(run)) for run, _ in made.words.runs
        )
    found = []
    for run, ends in made.words.runs:
        if family == "seq2seq":
            closed = (*ids, *tokens.closing)
            found.append(Piece(closed, reads=ends, answer=run))
        else:
            reads = tuple(len(ids) - 1 + end for end in ends)
            found.append(Piece((*ids, *run), reads=reads))
    return tuple(found)


def _coded(tokens: Tokens, family: str, made: Frame, parts: tuple[str, ...]) -> list[int]:
    """Ids of everything before the answer (of a masked model, of everything)."""
    prompt = made.prompt
    text = filled(made.lead, parts)
    if prompt.chat:
        said = tokens.tokenizer.apply_chat_template(
            [{"role": "user", "content": prompt.shown + text}],
            tokenize=False,
            add_generation_prompt=True,
        )
        return tokens.code(said)
    if family == "masked":
        text = text + made.space + filled(made.tail, parts)
        return [*made.shown, *tokens.code(text), *tokens.closing]
    return [*made.shown, *tokens.code(text)]


def _masked(
    tokens: Tokens, made: Frame, texts: list[str], budget: int, how: str, count: int
) -> Piece:
    parts = tuple(_cut(tokens, texts, budget, how))
    mask = tokens.tokenizer.mask_token
    text = filled(made.lead, parts) + made.space + mask * count + filled(made.tail, parts)
    ids = [*made.shown, *tokens.code(text), *tokens.closing]
    reads = tuple(i for i, token in enumerate(ids) if token == tokens.tokenizer.mask_token_id)
    assert len(reads) == count
    return Piece(tuple(ids), reads=reads)


def filled(template: str, parts: Sequence[str]) -> str:
    """``{text}``, ``{text1}`` ... replaced; doubled braces made single."""
    pieces = _FIELD.split(template.replace("{{", "\x00").replace("}}", "\x01"))
    out = [pieces[0]]
    for number, literal in zip(pieces[1::2], pieces[2::2], strict=True):
        index = int(number or 1) - 1
        out += [parts[index] if index < len(parts) else "", literal]
    braces = {"\x00": "{", "\x01": "}"}
    return "".join(
        "".join(braces.get(char, char) for char in piece) if place % 2 == 0 else piece
        for place, piece in enumerate(out)
    )


def _cut(tokens: Tokens, texts: list[str], budget: int, how: str) -> list[str]:
    """The texts with at most ``budget`` tokens in all, the longest cut first."""
    spans = [tokens.offsets(text, budget if how == "truncate" else None) for text in texts]
    keep = [len(span) for span in spans]
    while sum(keep) > budget:
        largest = max(range(len(keep)), key=keep.__getitem__)
        second = max(keep[:largest] + keep[largest + 1 :], default=0)
        keep[largest] -= min(sum(keep) - budget, max(1, keep[largest] - second))
    return [_kept(text, span, n, how) for text, span, n in zip(texts, spans, keep, strict=True)]


def _kept(text: str, span: Sequence[tuple[int, int]], count: int, how: str) -> str:
    if count >= len(span) and (how != "truncate" or not span or span[-1][1] >= len(text.rstrip())):
        return text
    if count <= 0:
        return ""
    if how == "truncate":
        return text[: span[count - 1][1]]
    tail = count // 2
    head = text[: span[count - tail - 1][1]]
    return head + (text[span[len(span) - tail][0] :] if tail else "")


def _plain(tokenizer: Any, text: str) -> str:
    """A text cannot bring a mask of its own: its brackets are taken off."""
    mask = tokenizer.mask_token
    return text.replace(mask, mask.strip("<>[]")) if mask and mask in text else text
