"""What a reply must be before it is an answer; whatever else it is, it is refused by name."""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from supertune.backbones.openai_api.client import Unanswered
from supertune.contracts import FloatArray


def vectors(reply: Mapping[str, Any], count: int, width: int | None) -> FloatArray:
    """(count, d) float32 of an embeddings reply, in the order of the texts.

    Raises:
        Unanswered: another number of vectors, an order that is none, another width, what is no
            finite number.
    """
    data = reply.get("data")
    if not isinstance(data, list) or len(data) != count:
        given = len(data) if isinstance(data, list) else "no"
        raise Unanswered(f"{given} vectors for {count} texts", charged=True)
    places = [one.get("index", at) if isinstance(one, dict) else -1 for at, one in enumerate(data)]
    if sorted(map(str, places)) != sorted(map(str, range(count))):
        raise Unanswered("vectors whose places are not those of the texts", charged=True)
    ordered = sorted(zip(places, data, strict=True), key=lambda pair: pair[0])
    found = [_vector(one.get("embedding")) for _, one in ordered]
    widths = {len(one) for one in found}
    if len(widths) != 1 or 0 in widths or (width is not None and widths != {width}):
        said = " and ".join(map(str, sorted(widths)))
        wanted = f", where {width} were verified" if width else ""
        raise Unanswered(f"vectors of {said} numbers{wanted}", charged=True)
    stacked = np.stack(found)
    if not np.isfinite(stacked).all():
        raise Unanswered("vectors with what is no finite number", charged=True)
    return stacked


def _vector(given: Any) -> FloatArray:
    try:
        if isinstance(given, str):
            return np.frombuffer(base64.b64decode(given, validate=True), dtype="<f4")
        found = np.asarray(given, dtype=np.float32)
        # Some servers give a vector of each token.
        return found.mean(axis=0) if found.ndim == 2 else found.reshape(-1)
    except (TypeError, ValueError, binascii.Error):
        raise Unanswered("a vector that is none", charged=True) from None


def _choice(reply: Mapping[str, Any]) -> dict[str, Any]:
    choices = reply.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise Unanswered("an answer without a choice", again=True, charged=True)
    return choices[0]


def content(reply: Mapping[str, Any]) -> str:
    """What the model wrote; of one that refused to, nothing."""
    message = _choice(reply).get("message")
    text = message.get("content") if isinstance(message, dict) else None
    if text is None and isinstance(message, dict) and message.get("refusal"):
        return ""
    if not isinstance(text, str):
        raise Unanswered("an answer without words", again=True, charged=True)
    return text


def top(reply: Mapping[str, Any]) -> list[tuple[str, float]]:
    """The likeliest first tokens, each with its log-probability."""
    return _likeliest(told(reply))


def told(reply: Mapping[str, Any]) -> Any:
    """What is told of each token written."""
    held = _choice(reply).get("logprobs")
    return held.get("content") if isinstance(held, dict) else None


def reason(reply: Mapping[str, Any]) -> str:
    """Why the answer ended."""
    return str(_choice(reply).get("finish_reason") or "stop")


def chances(places: Any) -> list[float]:
    """The log-probability of each token, as far as it is told."""
    listed = places if isinstance(places, list) else []
    found = [one.get("logprob") for one in listed if isinstance(one, dict)]
    return [min(0.0, float(one)) for one in found if isinstance(one, int | float)]


def _part(reply: Mapping[str, Any]) -> dict[str, Any]:
    """The first part of the message in a reply of /responses; reasoning may stand before it."""
    output = reply.get("output")
    for item in output if isinstance(output, list) else []:
        if isinstance(item, dict) and item.get("type") == "message":
            parts = item.get("content")
            if isinstance(parts, list) and parts and isinstance(parts[0], dict):
                return parts[0]
    raise Unanswered("an answer without a message", again=True, charged=True)


def written(reply: Mapping[str, Any]) -> str:
    """As `content`, of /responses."""
    part = _part(reply)
    if part.get("type") == "refusal":
        return ""
    if not isinstance(part.get("text"), str):
        raise Unanswered("an answer without words", again=True, charged=True)
    return str(part["text"])


def top_written(reply: Mapping[str, Any]) -> list[tuple[str, float]]:
    """As `top`, of /responses."""
    return _likeliest(told_written(reply))


def told_written(reply: Mapping[str, Any]) -> Any:
    """As `told`, of /responses."""
    return _part(reply).get("logprobs")


def _likeliest(places: Any) -> list[tuple[str, float]]:
    first = places[0] if isinstance(places, list) and places else None
    listed = first.get("top_logprobs") if isinstance(first, dict) else None
    if not isinstance(listed, list) or not listed:
        raise Unanswered("an answer without the log-probabilities asked for", charged=True)
    try:
        found = [(str(one["token"]), float(one["logprob"])) for one in listed]
    except (KeyError, TypeError, ValueError):
        raise Unanswered("log-probabilities that are none", charged=True) from None
    if any(math.isnan(value) or value > 1e-3 for _, value in found):
        raise Unanswered("log-probabilities that are none", charged=True)
    return found


def chosen(text: str, words: tuple[str, ...]) -> str | None:
    """The word that a structured answer holds; None where it is not of the form asked for."""
    try:
        held = json.loads(text)
    except ValueError:
        return None
    word = held.get("answer") if isinstance(held, dict) else None
    return word if word in words else None
