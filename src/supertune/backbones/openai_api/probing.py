"""What a server really does for a model, found out by texts of ours before any row is sent.

Servers accept fields that they do not heed, so each is tried: are there vectors, are there
log-probabilities, is a structured answer held to its structure where the model would say something
else? Once found it is kept on disk, by server and model, until an answer is not what it should be.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any

from supertune.backbones.openai_api import replies, words
from supertune.backbones.openai_api.client import Unanswered, host
from supertune.backbones.openai_api.counting import SPECIMEN, Rate, rate, units
from supertune.backbones.openai_api.sending import Request, Sender
from supertune.catalogue.measured import remembered
from supertune.errors import InputError, SupertuneError

TOP = 20  # likeliest tokens asked for; the most that the API allows
SHORT = "library"
SYSTEM = "You are asked something, and answer in a few words."
STRANGE = ("zephyr", "quagmire")  # nobody answers so of their own accord
ABSENT = {"request_refused", "unknown_remote_model", "server_failed", "reply_broken"}


@dataclass(frozen=True)
class Verified:
    """Attributes:
    width: numbers of a vector; 0 where there are none.
    chat: whether it answers.
    top: likeliest tokens that it gives log-probabilities of; 0 where it gives none.
    structured: whether it holds to a structure.
    limit: by which name it takes the largest number of tokens.
    read, asked: tokens of texts that become vectors, and of chats.
    """

    width: int = 0
    chat: bool = False
    top: int = 0
    structured: bool = False
    limit: str = "max_tokens"
    read: Rate = field(default_factory=lambda: Rate(2.0, 1.3))
    asked: Rate = field(default_factory=lambda: Rate(20.0, 1.3))


def verified(sender: Sender) -> Verified:
    """What is known, or is found out now.

    Raises:
        InputError: ``nothing_offered`` where there are neither vectors nor answers.
        SupertuneError: where the server cannot be asked at all.
    """
    kept: Any = remembered(sender.known_as, lambda: asdict(_found(sender)))
    return Verified(**{**kept, "read": Rate(**kept["read"]), "asked": Rate(**kept["asked"])})


def _found(sender: Sender) -> Verified:
    known, reasons = Verified(), list[SupertuneError]()
    for probe in (_vectors, _chat):
        try:
            known = probe(sender, known)
        except SupertuneError as error:
            if error.code not in ABSENT:
                raise
            reasons.append(error)
    if not known.width and not known.chat:
        first = next((e for e in reasons if e.code == "unknown_remote_model"), reasons[0])
        if len({e.code for e in reasons}) == 1:
            raise first
        raise InputError(
            "nothing_offered",
            f"{sender.model} at {host(sender.client.url)} gives neither vectors nor answers.",
            received="; ".join(str(e.received) for e in reasons),
            allowed="a model that /embeddings or /chat/completions answers for",
            next="Correct --backbone openai:MODEL or --base-url.",
        )
    return known


def _used(reply: dict[str, Any], text: str) -> tuple[float, int]:
    """Of one text its units and its tokens."""
    count = units(text)
    usage = reply.get("usage")
    tokens = usage.get("prompt_tokens") if isinstance(usage, dict) else None
    return count, tokens if isinstance(tokens, int) else round(1.3 * count)


def _vectors(sender: Sender, known: Verified) -> Verified:
    """Two texts, one a request, so that their tokens are told apart."""
    counts, width = [], 0
    for text in (SHORT, SPECIMEN):
        body = {"model": sender.model, "input": [text], "encoding_format": "base64"}
        request = Request("embeddings", body, (100, 0), (len(text) + 8, 0))

        def read(reply: dict[str, Any], text: str = text) -> tuple[int, tuple[float, int]]:
            return replies.vectors(reply, 1, None).shape[1], _used(reply, text)

        width, count = sender.one(request, read)
        counts.append(count)
    return replace(known, width=width, read=rate(counts[0], counts[1]))


def _chat(sender: Sender, known: Verified) -> Verified:
    """Log-probabilities and the tokens of two chats, then a structure."""
    known = replace(known, chat=True)
    try:
        tried, short = _asked(sender, SHORT, known)
    except InputError as error:
        if error.code != "request_refused" or "max_completion_tokens" not in str(error.received):
            raise
        known = replace(known, limit="max_completion_tokens")
        tried, short = _asked(sender, SHORT, known)
    tried, long = _asked(sender, SPECIMEN, tried)
    tried = replace(tried, asked=rate(short, long))
    return replace(tried, structured=_heeds(sender, tried))


def _asked(sender: Sender, text: str, known: Verified) -> tuple[Verified, tuple[float, int]]:
    """With as many log-probabilities as the server gives."""

    def read(most: int, reply: dict[str, Any]) -> tuple[Verified, tuple[float, int]]:
        replies.content(reply)
        count = _used(reply, SYSTEM + text)
        try:
            given = len(replies.top(reply)) if most else 0
        except Unanswered:
            given = 0
        return replace(known, top=given if given > 1 else 0), count

    for most in (TOP, 5, 0):
        body: dict[str, Any] = _body(sender, text, known.limit, 1)
        if most:
            body |= {"logprobs": True, "top_logprobs": most}
        request = Request("chat/completions", body, (150, 1), (len(text) + 100, 1))
        how: Callable[[dict[str, Any]], Any] = partial(read, most)
        try:
            answer: tuple[Verified, tuple[float, int]] = sender.one(request, how)
        except InputError as error:
            named = "max_completion_tokens" in str(error.received)
            if error.code != "request_refused" or named or not most:
                raise
            continue
        return answer
    raise AssertionError("unreachable")


def _heeds(sender: Sender, known: Verified) -> bool:
    """Whether a question that has another answer is answered by one of two strange words."""
    body = _body(sender, "Say hello.", known.limit, 30)
    body["response_format"] = words.structure(STRANGE)

    def read(reply: dict[str, Any]) -> bool:
        return replies.chosen(replies.content(reply), STRANGE) is not None

    request = Request("chat/completions", body, (100, 10), (400, 30))
    try:
        return sender.one(request, read)
    except SupertuneError as error:
        if error.code not in ABSENT:
            raise
        return False


def _body(sender: Sender, text: str, limit: str, most: int) -> dict[str, Any]:
    return {
        "model": sender.model,
        # As rows are asked: some templates say something of their own where no system does.
        "messages": [{"role": "system", "content": SYSTEM}, {"role": "user", "content": text}],
        "temperature": 0,
        "seed": 0,
        limit: most,
    }
