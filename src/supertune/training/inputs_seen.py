"""What the model will read, read back: is the text in it, is the prompt, is the answer's place?"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Any

from supertune.contracts import Backbone, Encoding, Finding, Input, fields_of
from supertune.training.codes import finding, some, stop

PROMPTS_READ = 4  # rows whose tokens are turned into text again
SHORTEST = 3  # characters of a template that are looked for


def seen(
    backbone: Backbone,
    encoding: Encoding,
    inputs: Sequence[Input],
    pieces: Sequence[Any],
    rows: Sequence[int],
) -> list[Finding]:
    """Findings about tokenised inputs.

    Args:
        pieces: what `Backbone.tokens` gave for ``inputs`` under ``encoding``.
        rows: their numbers in the source.

    Raises:
        SupertuneError: ``rows_look_alike``, ``prompt_missing``, ``answer_slot_missing``.
    """
    if not inputs or not all(hasattr(piece, "ids") for row in pieces for piece in row):
        return []  # an engine without tokens
    distinct = len(set(inputs)) > 1
    if distinct and len({tuple(piece.ids for piece in row) for row in pieces}) == 1:
        raise stop("rows_look_alike", received=f"max_length {encoding.max_length}")
    if encoding.prompt is not None:
        _check_prompt(backbone, encoding, pieces[:PROMPTS_READ])
        _check_slots(backbone, pieces)
    empty = ["" if isinstance(one, str) else ("",) * len(fields_of(one)) for one in inputs[:1]]
    bare = tuple(piece.ids for piece in backbone.tokens(empty, encoding)[0])
    lost = [
        int(number)
        for number, row in zip(rows, pieces, strict=True)
        if tuple(piece.ids for piece in row) == bare
    ]
    return [finding("text_missing", f"{len(lost)} of {len(inputs)} rows", lost)] if lost else []


def _check_prompt(backbone: Any, encoding: Encoding, pieces: Sequence[Any]) -> None:
    """Every literal of the template is in the text that the tokens stand for."""
    tokenizer = getattr(backbone, "tokenizer", None)
    if tokenizer is None:
        return
    assert encoding.prompt is not None
    parts = [encoding.prompt.shown, *re.split(r"\{\w+\}", encoding.prompt.template)]
    if backbone.offer.family != "masked":  # what follows the answer is not read
        parts = [parts[0], *re.split(r"\{\w+\}", encoding.prompt.template.split("{answer}")[0])]
    wanted = [_read_back(tokenizer, part) for part in parts]
    for row in pieces:
        text = _bare(tokenizer.decode(row[0].ids))
        lost = [part for part in wanted if len(part) >= SHORTEST and part not in text]
        if lost:
            raise stop("prompt_missing", some(lost), received=text[:200])


def _check_slots(backbone: Any, pieces: Sequence[Any]) -> None:
    """A masked model is read at its mask, others within what they were given."""
    mask = getattr(getattr(backbone, "tokenizer", None), "mask_token_id", None)
    for row in pieces:
        for piece in row:
            length = len(piece.ids)
            if backbone.offer.family == "seq2seq":
                length = len(piece.answer) + 1
            whole = bool(piece.reads) and all(0 <= place < length for place in piece.reads)
            if whole and backbone.offer.family == "masked" and mask is not None:
                whole = all(piece.ids[place] == mask for place in piece.reads)
            if not whole:
                raise stop(
                    "answer_slot_missing",
                    received=f"place {', '.join(map(str, piece.reads)) or 'none'} of {length}",
                )


def _read_back(tokenizer: Any, literal: str) -> str:
    """A literal as the tokenizer gives it back, unknown words included."""
    plain = literal.replace("{{", "{").replace("}}", "}")
    return _bare(tokenizer.decode(tokenizer(plain, add_special_tokens=False)["input_ids"]))


def _bare(text: str) -> str:
    """Without blanks, case and accents, which tokenizers treat in their own ways."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    return "".join(c for c in plain if not (c.isspace() or c == "▁" or unicodedata.combining(c)))
