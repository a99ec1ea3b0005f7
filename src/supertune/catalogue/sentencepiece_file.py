"""Reading a vocabulary of SentencePiece (``.spm``, ``.model``) as a tokenizer of ``tokenizers``.

The file is a protocol buffer: field 1 are the pieces (text, float32 log-probability, kind), field 2
says how it was trained, field 3 how texts are normalised, with a table of characters.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator
from typing import Any

from supertune.catalogue.weights import bad_layout

_UNKNOWN = 2  # the kind of the piece that stands for what is not known
_UNIGRAM = 1
_MARK = "\u2581"  # stands for a blank


def tokenizer(data: bytes) -> dict[str, Any]:
    """What ``tokenizer.json`` says: pieces of a unigram model and how texts are normalised.

    Raises:
        InputError: ``weights_layout``.
    """
    pieces: list[list[Any]] = []
    unknown, table = None, b""
    for field, value in _fields(data):
        if field == 1:
            text, score, kind = _piece(_bytes(value))
            unknown = len(pieces) if kind == _UNKNOWN else unknown
            pieces.append([text, score])
        elif field == 2:
            told = dict(_fields(_bytes(value)))
            if told.get(3, _UNIGRAM) != _UNIGRAM:
                raise bad_layout(f"a vocabulary of kind {told[3]!r}")
        elif field == 3:
            table = _bytes(dict(_fields(_bytes(value))).get(2, b""))
    if not pieces or unknown is None:
        raise bad_layout("no vocabulary of SentencePiece")
    normalizers: list[dict[str, Any]] = [
        {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "},
        {"type": "Strip", "strip_left": True, "strip_right": True},
    ]
    if table:
        encoded = base64.b64encode(table).decode("ascii")
        normalizers.insert(0, {"type": "Precompiled", "precompiled_charsmap": encoded})
    blanks = {"replacement": _MARK, "prepend_scheme": "always", "split": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": {"type": "Sequence", "normalizers": normalizers},
        "pre_tokenizer": {"type": "Metaspace", **blanks},
        "post_processor": None,
        "decoder": {"type": "Metaspace", **blanks},
        "model": {"type": "Unigram", "unk_id": unknown, "vocab": pieces, "byte_fallback": False},
    }


def ending(text: str, number: int) -> dict[str, Any]:
    """What puts one token behind every text."""
    one = {"SpecialToken": {"id": text, "type_id": 0}}
    parts = [{"Sequence": {"id": "A", "type_id": 0}}, one]
    pair = [*parts, {"Sequence": {"id": "B", "type_id": 0}}, one]
    held = {text: {"id": text, "ids": [number], "tokens": [text]}}
    return {"type": "TemplateProcessing", "single": parts, "pair": pair, "special_tokens": held}


def _piece(data: bytes) -> tuple[str, float, int]:
    text, score, kind = "", 0.0, 1
    for field, value in _fields(data):
        if field == 1:
            text = _bytes(value).decode("utf-8", "replace")
        elif field == 2:
            score = struct.unpack("<f", _bytes(value))[0]
        elif field == 3 and isinstance(value, int):
            kind = value
    return text, score, kind


def _bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise bad_layout("a number where bytes are wanted")
    return value


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    at = 0
    while at < len(data):
        key, at = _number(data, at)
        kind = key & 7
        if kind == 0:
            value, at = _number(data, at)
            yield key >> 3, value
            continue
        if kind == 2:
            size, at = _number(data, at)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
        else:
            raise bad_layout(f"a field of kind {kind}")
        if at + size > len(data):
            raise bad_layout(f"{size} bytes wanted at {at} of {len(data)}")
        yield key >> 3, data[at : at + size]
        at += size


def _number(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data) and shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at
    raise bad_layout("a number without an end")
