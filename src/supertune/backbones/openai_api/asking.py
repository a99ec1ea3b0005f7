"""How a model is asked for words: by which of two routes, and where each puts question and answer.

``/chat/completions`` is what nearly every server has; ``/responses`` is the newer one, at some
servers the only one of a model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from supertune.backbones.openai_api import replies
from supertune.backbones.openai_api.counting import Rate
from supertune.contracts.remote import Api

APIS: tuple[Api, ...] = ("chat", "responses")

# How a structure is asked for: as OpenAI has it, and as llama.cpp's servers had it before.
Form = Literal["", "json_schema", "json_object"]
LEAST = 16  # tokens that /responses must be allowed to write
LOGPROBS = "message.output_text.logprobs"
Message = Mapping[str, str]


@dataclass(frozen=True)
class Spoken:
    """What a server was seen to do by one route.

    Attributes:
        top: likeliest tokens that it gives log-probabilities of; 0 where it gives none.
        form: of a structure that it holds to; empty where it holds to none.
        limit: by which name it takes the largest number of tokens.
        without: fields that it refuses, and is not sent.
        asked: tokens of what is asked.
    """

    api: Api = "chat"
    top: int = 0
    form: Form = ""
    limit: str = "max_tokens"
    without: tuple[str, ...] = ()
    asked: Rate = field(default_factory=lambda: Rate(20.0, 1.3))

    @property
    def structured(self) -> bool:
        return bool(self.form)

    @property
    def forms(self) -> tuple[Form, ...]:
        """Those that there are by this route."""
        return ("json_schema", "json_object") if self.api == "chat" else ("json_schema",)

    @property
    def route(self) -> str:
        return "chat/completions" if self.api == "chat" else "responses"

    def body(
        self,
        model: str,
        messages: Sequence[Message],
        most: int,
        *,
        top: int = 0,
        schema: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """A request for ``most`` tokens, the ``top`` likeliest of each with their
        log-probabilities, of the form of a JSON ``schema``."""
        made: dict[str, Any] = {"model": model, "temperature": 0}
        if self.api == "chat":
            made |= {"messages": list(messages), "seed": 0, self.limit: most}
            made |= {"logprobs": True, "top_logprobs": top} if top else {}
            if schema is not None and self.form == "json_object":
                made["response_format"] = {"type": "json_object", "schema": dict(schema)}
            elif schema is not None:
                made["response_format"] = {"type": "json_schema", "json_schema": _held(schema)}
        else:
            # Without ``store`` the provider keeps what it was asked, and some servers stream
            # unless they are told not to.
            made |= {"input": list(messages), "store": False, "stream": False}
            made[self.limit] = max(LEAST, most)
            made |= {"include": [LOGPROBS], "top_logprobs": top} if top else {}
            if schema is not None:
                made["text"] = {"format": {"type": "json_schema", **_held(schema)}}
        return {key: value for key, value in made.items() if key not in self.without}

    def most(self, body: Mapping[str, Any]) -> int:
        """Tokens that a body of `body` allows to be written."""
        return int(body[self.limit])

    def said(self, body: Mapping[str, Any]) -> list[str]:
        """The texts of a body's messages."""
        return [str(one["content"]) for one in body.get("messages") or body["input"]]

    def content(self, reply: Mapping[str, Any]) -> str:
        """What the model wrote; see `replies`."""
        return replies.content(reply) if self.api == "chat" else replies.written(reply)

    def first(self, reply: Mapping[str, Any]) -> list[tuple[str, float]]:
        """The likeliest first tokens; see `replies`."""
        return replies.top(reply) if self.api == "chat" else replies.top_written(reply)

    def sureties(self, reply: Mapping[str, Any]) -> list[float]:
        """The log-probability of each token written; see `replies`."""
        part = replies.told(reply) if self.api == "chat" else replies.told_written(reply)
        return replies.chances(part)

    def ended(self, reply: Mapping[str, Any]) -> bool:
        """Whether the model came to an end, and was not cut off."""
        if self.api == "chat":
            return replies.reason(reply) == "stop"
        return reply.get("status") in (None, "completed")

    def told(self) -> str:
        """For the report."""
        warm = ", at the server's own temperature" if "temperature" in self.without else ""
        return f"asked by /{self.route}{warm}"


def unseen(api: Api) -> Spoken:
    """What is tried first."""
    return Spoken(api, limit="max_tokens" if api == "chat" else "max_output_tokens")


def _held(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": "answer", "strict": True, "schema": dict(schema)}
