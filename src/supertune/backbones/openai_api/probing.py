"""What a server really does for a model, found out by texts of ours before any row is sent.

Servers accept fields that they do not heed, so each is tried: are there vectors, are there
log-probabilities, is a structured answer held to its structure where the model would say something
else? Once found it is kept on disk, by server and model, until an answer is not what it should be.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any

from supertune.backbones.openai_api import replies, words
from supertune.backbones.openai_api.asking import APIS, Form, Spoken, unseen
from supertune.backbones.openai_api.client import Unanswered, host
from supertune.backbones.openai_api.counting import SPECIMEN, Rate, rate, units
from supertune.backbones.openai_api.sending import Request, Sender
from supertune.catalogue.measured import forget, remembered
from supertune.contracts.remote import Api
from supertune.errors import InputError, SupertuneError

TOP = (20, 5, 0)  # likeliest tokens asked for in turn; 20 is the most that the API allows
SHORT = "library"
SYSTEM = "You are asked something, and answer in a few words."
STRANGE = ("zephyr", "quagmire")  # nobody answers so of their own accord
ABSENT = {"request_refused", "unknown_remote_model", "server_failed", "reply_broken"}
NEEDLESS = ("temperature", "seed", "store")  # fields that an answer can do without


@dataclass(frozen=True)
class Verified:
    """Attributes:
    width: numbers of a vector; 0 where there are none.
    spoken: by which routes it answers, and how.
    read: tokens of texts that become vectors.
    """

    width: int = 0
    spoken: tuple[Spoken, ...] = ()
    read: Rate = field(default_factory=lambda: Rate(2.0, 1.3))

    @property
    def best(self) -> Spoken | None:
        """The route that says most of how likely words are; the first of several."""
        return max(self.spoken, key=lambda one: (one.top > 0, one.structured), default=None)


Probe = Callable[[Sender, Verified], Verified]


def verified(sender: Sender) -> Verified:
    """What is known, or is found out now.

    Raises:
        InputError: ``nothing_offered`` where there are neither vectors nor answers;
            ``api_missing`` where it does not answer by the one route that was named.
        SupertuneError: where the server cannot be asked at all.
    """
    for _ in range(2):
        kept: Any = remembered(sender.known_as, lambda: asdict(_found(sender)))
        try:
            spoken = tuple(map(_restored, kept["spoken"]))
            return Verified(kept["width"], spoken, read=Rate(**kept["read"]))
        except (TypeError, KeyError):  # kept by another version
            forget(sender.known_as)
    raise AssertionError("unreachable")


def _restored(kept: dict[str, Any]) -> Spoken:
    return Spoken(**{**kept, "without": tuple(kept["without"]), "asked": Rate(**kept["asked"])})


def _found(sender: Sender) -> Verified:
    known, reasons = Verified(), list[SupertuneError]()
    routes = APIS if sender.terms.api is None else (sender.terms.api,)
    probes: list[Probe] = [_vectors, *(partial(_words, api=api) for api in routes)]
    for probe in probes:
        try:
            known = probe(sender, known)
        except SupertuneError as error:
            # OpenAI's own answers 403 where a model that chats is asked for vectors.
            if error.code not in {*ABSENT, "key_refused"}:
                raise
            reasons.append(error)
    if not known.width and not known.spoken:
        raise _nothing(sender, reasons)
    return known


def _nothing(sender: Sender, reasons: list[SupertuneError]) -> SupertuneError:
    where = f"{sender.model} at {host(sender.client.url)}"
    api, said = sender.terms.api, "; ".join(str(e.received) for e in reasons)
    if api is not None:
        return InputError(
            "api_missing",
            f"{where} does not answer by {unseen(api).route}.",
            received=f"api={api}: {said}",
            allowed=f"{' or '.join(APIS)}, where the server has it; by default what it has",
            next="Leave --set api out, or correct --backbone openai:MODEL or --base-url.",
        )
    if len({e.code for e in reasons}) == 1:
        return reasons[0]
    return next((e for e in reasons if e.code == "unknown_remote_model"), None) or InputError(
        "nothing_offered",
        f"{where} gives neither vectors nor answers.",
        received=said,
        allowed="a model that /embeddings, /chat/completions or /responses answers for",
        next="Correct --backbone openai:MODEL or --base-url.",
    )


def _used(reply: dict[str, Any], text: str) -> tuple[float, int]:
    """Of one text its units and its tokens."""
    count, usage = units(text), reply.get("usage")
    held = usage if isinstance(usage, dict) else {}
    tokens = held.get("prompt_tokens", held.get("input_tokens"))
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


def _words(sender: Sender, known: Verified, api: Api) -> Verified:
    """Log-probabilities and the tokens of two texts, then a structure. The second route is tried
    where the first gives no log-probabilities."""
    if known.best is not None and known.best.top:
        return known
    spoken, short = _asked(sender, SHORT, unseen(api))
    spoken, long = _asked(sender, SPECIMEN, spoken)
    spoken = replace(spoken, asked=rate(short, long))
    spoken = replace(spoken, form=_heeded(sender, spoken))
    return replace(known, spoken=(*known.spoken, spoken))


def _asked(sender: Sender, text: str, spoken: Spoken) -> tuple[Spoken, tuple[float, int]]:
    """With as many log-probabilities as the server gives, without the fields it refuses."""

    def read(spoken: Spoken, most: int, reply: dict[str, Any]) -> Any:
        spoken.content(reply)
        try:
            given = len(spoken.first(reply)) if most else 0
        except Unanswered:
            given = 0
        return replace(spoken, top=given if given > 1 else 0), _used(reply, SYSTEM + text)

    todo = list(TOP)
    while True:
        body = spoken.body(sender.model, _messages(text), 1, top=todo[0])
        most = spoken.most(body)
        request = Request(spoken.route, body, (150, most), (len(text) + 100, most))
        how: Callable[[dict[str, Any]], Any] = partial(read, spoken, todo[0])
        try:
            answer: tuple[Spoken, tuple[float, int]] = sender.one(request, how)
        except InputError as error:
            fitted = _without(spoken, str(error.received))
            if error.code != "request_refused" or (fitted == spoken and len(todo) == 1):
                raise
            if fitted == spoken:
                del todo[0]
            spoken = fitted
            continue
        return answer


def _without(spoken: Spoken, said: str) -> Spoken:
    """As a server wants to be asked that said so much when it refused."""
    if "max_completion_tokens" in said and spoken.limit == "max_tokens":
        return replace(spoken, limit="max_completion_tokens")
    named = tuple(name for name in NEEDLESS if re.search(rf"\b{name}\b", said))
    return replace(spoken, without=tuple(dict.fromkeys((*spoken.without, *named))))


def _heeded(sender: Sender, spoken: Spoken) -> Form:
    """In which form a structure is held to: a question that has another answer is then answered by
    one of two strange words."""
    schema = words.schema(STRANGE)

    def read(reply: dict[str, Any]) -> bool:
        return replies.chosen(spoken.content(reply), STRANGE) is not None

    for form in spoken.forms:
        asked = replace(spoken, form=form)
        body = asked.body(sender.model, _messages("Say hello."), 24, schema=schema)
        request = Request(spoken.route, body, (100, 10), (400, 24))
        try:
            if sender.one(request, read, tries=1):
                return form
        except SupertuneError as error:
            if error.code not in ABSENT:
                raise
    return ""


def _messages(text: str) -> list[dict[str, str]]:
    """As rows are asked: some templates say something of their own where no system does."""
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": text}]
