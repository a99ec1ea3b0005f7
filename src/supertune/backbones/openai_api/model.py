"""A model at a server that speaks the OpenAI API, as methods see it: vectors, and words scored.

Nothing is sent without consent, nothing twice: an answer is kept under what it was asked by.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from supertune.backbones.openai_api import replies, words, writing
from supertune.backbones.openai_api.asking import Spoken
from supertune.backbones.openai_api.client import host
from supertune.backbones.openai_api.counting import units
from supertune.backbones.openai_api.ordering import ordered
from supertune.backbones.openai_api.probing import Verified, verified
from supertune.backbones.openai_api.sending import Request, Sender
from supertune.backbones.openai_api.texts import Text, texts
from supertune.backbones.openai_api.writing import Conversation
from supertune.contracts import (
    Answering,
    BackboneRef,
    Completed,
    Encoding,
    FloatArray,
    Injection,
    Input,
    JobAsked,
    JobDone,
    Offer,
    Prompt,
    Told,
    Tunable,
)
from supertune.contracts.remote import Kept
from supertune.errors import InputError, SupertuneError

TEXTS = 64  # in one request
PIECES = 20_000  # and so many pieces at most
BYTES_AROUND = 16  # that a server adds to each text, at most
OTHERWISE = ("reply_broken", "request_refused")  # than was verified
LONGEST_ANSWER = 16  # tokens around a structured or written word
LIKELY = 0.35  # share of the tokens allowed that are written, for an estimate

Answer = npt.NDArray[Any]


class OpenAIBackbone:
    """See `supertune.contracts.Backbone`. ``keeps``: its answers are kept by itself."""

    precision: Literal["fp32", "bf16"] = "fp32"
    keeps = True

    def __init__(self, ref: BackboneRef, offer: Offer, sender: Sender, known: Verified) -> None:
        self.ref, self.offer, self.sender, self.known = ref, offer, sender, known
        url = sender.client.url
        self.sha256 = hashlib.sha256(f"openai|{url}|{sender.model}".encode()).hexdigest()
        self.arithmetic = "openai"
        self._sources: dict[str, list[str]] = {}
        self._tuned: dict[str, OpenAIBackbone] = {}
        self._own: dict[str, Answer] = {}  # where nothing is kept on disk, and in a dry run

    def at(self, precision: Literal["fp32", "bf16"]) -> AbstractContextManager[None]:
        return nullcontext()  # the server's own

    def tokens(self, inputs: Sequence[Input], encoding: Encoding) -> list[tuple[Text, ...]]:
        return texts(inputs, encoding)

    def features(
        self, tokens: Sequence[tuple[Text, ...]], encoding: Encoding, *, exact: bool = True
    ) -> FloatArray:
        """(n, d) float32; of a text in chunks the mean of theirs."""
        flat = self._distinct([piece for row in tokens for piece in row])
        found = self._answers(
            flat, [self._key("embeddings", one.whole) for one in flat], self._read
        )
        rows = [
            found[row[0].whole]
            if len(row) == 1
            else np.mean([found[one.whole] for one in row], axis=0)
            for row in tokens
        ]
        empty = np.zeros((0, self.offer.width), np.float32)
        return np.stack(rows).astype(np.float32, copy=False) if rows else empty

    def scores(
        self, tokens: Sequence[tuple[Text, ...]], encoding: Encoding, *, exact: bool = True
    ) -> FloatArray:
        """(n, W) float32, see `words`."""
        if encoding.checkpoint is not None:
            return self._of_tuned(encoding.checkpoint, tokens, encoding)
        prompt = encoding.prompt
        assert prompt is not None
        labels, spoken = prompt.all_words, self.spoken
        way = words.way(spoken, labels)
        asked = [row[0] for row in tokens]
        bodies = {one.whole: self._body(prompt, one, way) for one in asked}
        first = way == "top_logprobs"
        read, drawn = (spoken.first, [("", -1.0)]) if first else (spoken.content, "")
        found = self.answers_of(asked, bodies, read, drawn, 1.0 if first else LIKELY, way)
        self.sender.sent.how = words.told(way, spoken)
        scored = {text: _scored(answer, labels, way) for text, answer in found.items()}
        rows = [scored[row[0].whole] for row in tokens]
        return np.asarray(rows, dtype=np.float32).reshape(len(rows), len(labels))

    # --- what jobs make of it -----------------------------------------------------------------

    def fine_tune(self, asked: JobAsked, encoding: Encoding, told: Told | None) -> JobDone:
        """See `supertune.contracts.FineTuning`."""
        return ordered(self.sender, self.spoken.asked, asked, encoding, told).done()

    def _of_tuned(
        self, name: str, tokens: Sequence[tuple[Text, ...]], encoding: Encoding
    ) -> FloatArray:
        """Scores of what a job made of it. It is asked as the backbone is, and only if it does not
        answer so it is found out anew how it does."""
        plain = replace(encoding, checkpoint=None)
        if name not in self._tuned:
            sender = self.sender.of_tuned(name)
            self._tuned[name] = OpenAIBackbone(self.ref, self.offer, sender, self.known)
        made = self._tuned[name]
        try:
            return made.scores(tokens, plain)
        except SupertuneError as error:
            if error.code == "unknown_remote_model":
                raise _no_checkpoint(name, host(made.sender.client.url), error) from None
            if error.code not in OTHERWISE or made.known is not self.known:
                raise
        known = verified(made.sender)
        self._tuned[name] = OpenAIBackbone(self.ref, self.offer, made.sender, known)
        return self._tuned[name].scores(tokens, plain)

    # --- what is kept, and what is not yet ----------------------------------------------------

    @property
    def _kept(self) -> Kept | None:
        return self.sender.terms.kept

    def _key(self, what: str, text: str) -> str:
        """The same for whoever asks the same of the same model."""
        return hashlib.sha256(f"{self.sha256}|{what}|{text}".encode()).hexdigest()

    def _answers(self, flat: Sequence[Text], keys: Sequence[str], ask: Any) -> dict[str, Answer]:
        """By text; what is not kept is asked for now."""
        account, sent = self.sender.terms.account, self.sender.sent
        there: dict[str, Answer] = {key: self._own[key] for key in keys if key in self._own}
        if self._kept is not None:
            there |= self._kept.get([key for key in keys if key not in there])
        todo = [i for i, key in enumerate(keys) if key not in there]
        gone = [one for one, key in zip(flat, keys, strict=True) if key in there]
        account.note(sent, self._sources_of(gone), fresh=False)
        if todo:
            self._consent(len(todo))
            asked = [keys[i] for i in todo]
            ask([flat[i] for i in todo], asked)
            there |= {key: self._own[key] for key in asked if key in self._own}
            if self._kept is not None:
                there |= self._kept.get([key for key in asked if key not in there])
        return {one.whole: there[key] for one, key in zip(flat, keys, strict=True)}

    def _distinct(self, given: Sequence[Text]) -> list[Text]:
        """Each text once; of several inputs that become one text, all are known to be sent."""
        self._sources = {}
        for one in given:
            self._sources.setdefault(one.whole, []).append(one.source)
        return list({one.whole: one for one in given}.values())

    def _sources_of(self, sent: Sequence[Text]) -> list[str]:
        return [source for one in sent for source in self._sources[one.whole]]

    def _consent(self, count: int) -> None:
        terms = self.sender.terms
        if terms.allowed or terms.account.dry:
            return
        where = host(self.sender.client.url)
        raise InputError(
            "remote_not_allowed",
            f"Rows would leave this machine for {where}, and nobody has allowed it.",
            received=f"{count} texts for {self.sender.model}",
            allowed="--allow-remote, or SUPERTUNE_ALLOW_REMOTE=1 in the environment",
            next="`supertune plan` with the same options says what would be sent and what it "
            "costs; then add --allow-remote.",
        )

    def _keep(self, sent: Sequence[Text], answers: Mapping[str, Answer]) -> None:
        account = self.sender.terms.account
        account.note(self.sender.sent, self._sources_of(sent), fresh=True)
        if self._kept is None or account.dry:
            self._own.update(answers)
        else:
            self._kept.put(answers)

    # --- vectors ------------------------------------------------------------------------------

    def _read(self, todo: Sequence[Text], keys: Sequence[str]) -> None:
        self.sender.sent.how = self.sender.sent.how or "vectors of texts"
        parts = list(_batches(todo))
        requests = [self._for_vectors([todo[i] for i in part]) for part in parts]

        def keep(number: int, found: FloatArray) -> None:
            part = parts[number]
            answers = {keys[i]: row for i, row in zip(part, found, strict=True)}
            self._keep([todo[i] for i in part], answers)

        def read(number: int, reply: dict[str, Any]) -> FloatArray:
            return replies.vectors(reply, len(parts[number]), self.known.width)

        if self.sender.terms.account.dry:
            for number, request in enumerate(requests):
                self._counted(request)
                keep(number, np.stack([_drawn(keys[i], self.known.width) for i in parts[number]]))
            return
        self.sender.all(requests, read, keep)

    def _for_vectors(self, part: Sequence[Text]) -> Request:
        body = {
            "model": self.sender.model,
            # A server refuses a text without a character.
            "input": [one.whole or " " for one in part],
            "encoding_format": "base64",
        }
        tokens = self.known.read.tokens(sum(units(one.whole) for one in part), len(part))
        most = sum(len(one.whole.encode()) + BYTES_AROUND for one in part)
        return Request("embeddings", body, (tokens, 0), (most, 0))

    # --- words --------------------------------------------------------------------------------

    @property
    def spoken(self) -> Spoken:
        if self.known.best is None:
            raise _nothing("words")
        return self.known.best

    def _body(self, prompt: Prompt, text: Text, way: words.Way) -> dict[str, Any]:
        said, labels = words.messages(prompt, text.fields), prompt.all_words
        if way == "top_logprobs":
            return self.spoken.body(self.sender.model, said, 1, top=self.spoken.top)
        longest = max(len(word.encode()) for word in labels) + LONGEST_ANSWER
        schema = words.schema(labels) if way == "structured" else None
        return self.spoken.body(self.sender.model, said, longest, schema=schema)

    def answers_of(
        self,
        asked: Sequence[Text],
        bodies: Mapping[str, dict[str, Any]],
        read: Callable[[dict[str, Any]], Any],
        drawn: Any,
        likely: float,
        what: str = "writing",
    ) -> dict[str, Any]:
        """By text what ``read`` made of the reply to its body, now or earlier.

        Args:
            drawn: what stands for it in a dry run.
            likely: the share of the tokens allowed that are written, for an estimate.
        """
        flat = self._distinct(asked)
        keys = [self._key(what, json.dumps(bodies[one.whole], sort_keys=True)) for one in flat]

        def ask(todo: Sequence[Text], keys: Sequence[str]) -> None:
            requests = [self._for_words(bodies[one.whole], likely) for one in todo]

            def keep(number: int, answer: Any) -> None:
                self._keep([todo[number]], {keys[number]: _packed(answer)})

            if self.sender.terms.account.dry:
                for number, request in enumerate(requests):
                    self._counted(request)
                    keep(number, drawn)
                return
            self.sender.all(requests, lambda _, reply: read(reply), keep)

        return {text: _unpacked(one) for text, one in self._answers(flat, keys, ask).items()}

    def _for_words(self, body: dict[str, Any], likely: float) -> Request:
        spoken = self.spoken
        said, allowed = spoken.said(body), spoken.most(body)
        tokens = spoken.asked.tokens(sum(map(units, said)))
        most = sum(len(text.encode()) for text in said) + 16 * BYTES_AROUND * len(said)
        most += len(json.dumps([body.get("response_format"), body.get("text")]))
        written = max(1, round(likely * allowed))
        return Request(spoken.route, body, (tokens, written), (most, allowed))

    # --- answers in writing -------------------------------------------------------------------

    def requested(
        self, turns: Sequence[tuple[str, str]], chat: bool, of: Input | None = None
    ) -> Conversation:
        """See `supertune.contracts.Completing`; the server has a template of its own."""
        return writing.asked_of(turns, self.spoken.asked, of)

    def answered(self, request: Conversation, text: str) -> Conversation:
        """See `supertune.contracts.Completing`."""
        return request.behind(text)

    def answer_losses(self, pieces: Sequence[Any], kept: Any, cut: int) -> tuple[Any, Any]:
        raise _nothing("the likelihood of answers")

    def completed(
        self, requests: Sequence[Conversation], how: Answering, *, room: int = 0
    ) -> list[Completed]:
        """See `supertune.contracts.Completing`."""
        return writing.completed(self, requests, how)

    def _counted(self, request: Request) -> None:
        """Of a dry run: what the request would take."""
        terms, sent, price = self.sender.terms, self.sender.sent, self.sender.price
        terms.account.begin(sent, None, terms)
        cost = None if price is None else price.of(request.tokens)
        terms.account.end(sent, None, request.tokens, cost, estimated=True)

    # --- what a server has none of ------------------------------------------------------------

    def activations(
        self, pieces: Sequence[Any], cut: int, *, dropout: float = 0.0, draw: int = 0
    ) -> list[FloatArray]:
        raise _nothing("the activations at a cut")

    def tapped(self, cut: int) -> AbstractContextManager[Mapping[Any, FloatArray]]:
        raise _nothing("the activations at a cut")

    def inject(
        self,
        injection: Injection,
        *,
        seed: int,
        numbers: Mapping[str, npt.NDArray[Any]] | None = None,
    ) -> Tunable:
        raise _nothing(injection.kind)


def _batches(todo: Sequence[Text]) -> list[list[int]]:
    """Places of the texts of each request."""
    parts: list[list[int]] = []
    size = 0
    for place, text in enumerate(todo):
        if not parts or len(parts[-1]) == TEXTS or size + len(text.ids) > PIECES:
            parts.append([])
            size = 0
        parts[-1].append(place)
        size += len(text.ids)
    return parts


def _packed(answer: Any) -> Answer:
    """What was answered, as bytes in an array, which is what is kept."""
    return np.frombuffer(json.dumps(answer).encode(), dtype=np.uint8)


def _unpacked(answer: Answer) -> Any:
    return json.loads(np.asarray(answer, dtype=np.uint8).tobytes())


def _scored(held: Any, labels: tuple[str, ...], way: words.Way) -> FloatArray:
    if way == "top_logprobs":
        return words.by_tokens([(str(token), float(value)) for token, value in held], labels)
    plain = tuple(word.strip() for word in labels)
    word = replies.chosen(held, plain) if way == "structured" else None
    return words.by_word(word or words.found(held, plain), labels)


def _drawn(key: str, width: int) -> FloatArray:
    """What stands for a vector that nobody was asked for."""
    drawn = np.random.default_rng(int(key[:16], 16)).standard_normal(width)
    return drawn.astype(np.float32)


def _nothing(wanted: str) -> InputError:
    return InputError(
        "nothing_to_tune",
        "A model at a server has neither blocks nor weights here.",
        received=wanted,
        allowed="methods that need features or score_text alone",
        next="Choose linear_probe, nearest_centroid or zero_shot_prompt.",
    )


def _no_checkpoint(name: str, where: str, error: SupertuneError) -> InputError:
    return InputError(
        "checkpoint_missing",
        f"The model that a job made is not at {where}.",
        received=f"{name}: {error.received}",
        allowed="a model that nobody has deleted there, and a key that may use it",
        next="`supertune jobs` says which job made it; after `supertune jobs forget JOB` the same "
        "fit begins a new one, which is paid for again.",
    )
