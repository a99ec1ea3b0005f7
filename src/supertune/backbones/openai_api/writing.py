"""Answers in writing: conversations that are sent as they are, and what a server wrote.

What `Answering` says is asked of the server where the API has a name for it, and
refused where it has none. A structure is asked for only where it was seen to be held to.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from supertune.backbones.openai_api.asking import Spoken
from supertune.backbones.openai_api.counting import Rate, units
from supertune.backbones.openai_api.texts import Text
from supertune.contracts import Answering, Completed, Input
from supertune.contracts.completion import Turns
from supertune.contracts.remote import source_of
from supertune.errors import InputError

if TYPE_CHECKING:
    from supertune.backbones.openai_api.model import OpenAIBackbone

BETWEEN = 4  # tokens around each message
LIKELY = 0.5  # share of the tokens allowed that an answer has, for an estimate
STOPS = 4  # texts that end an answer, as many as the API takes


@dataclass(frozen=True)
class Conversation(Text):
    """Turns that an answer follows; its length is that in tokens, as estimated."""

    turns: Turns = ()
    rate: Rate = field(default_factory=lambda: Rate(BETWEEN, 1.3))

    def __len__(self) -> int:
        return self.rate.tokens(sum(units(text) for _, text in self.turns), 1)

    def behind(self, text: str) -> Conversation:
        """With an answer behind it."""
        return conversation((*self.turns, ("assistant", text)), self.rate, self.source)


def conversation(turns: Turns, rate: Rate, source: str) -> Conversation:
    return Conversation((json.dumps(turns, ensure_ascii=False),), "", source, turns, rate)


def asked_of(turns: Sequence[tuple[str, str]], rate: Rate, of: Input | None) -> Conversation:
    """See `supertune.contracts.Completing.requested`."""
    return conversation(tuple(turns), rate, "" if of is None else source_of(of))


def completed(
    backbone: OpenAIBackbone, requests: Sequence[Conversation], how: Answering
) -> list[Completed]:
    """See `supertune.contracts.Completing.completed`.

    Raises:
        InputError: ``not_by_server``, ``structure_not_held``.
    """
    spoken = backbone.spoken
    _refuse(spoken, how)
    bodies = {one.whole: _body(backbone, spoken, one, how) for one in requests}
    found = backbone.answers_of(requests, bodies, _read(spoken), ["", True, None], LIKELY)
    held = "held to a structure, " if how.structure is not None else ""
    sure = "" if spoken.top else ", which does not tell how sure it is"
    backbone.sender.sent.how = f"answers in writing, {held}{spoken.told()}{sure}"
    return [_completed(found[one.whole], how) for one in requests]


def _refuse(spoken: Spoken, how: Answering) -> None:
    odd = {"beams": how.beams > 1, "repetition_penalty": how.repetition_penalty != 1}
    if any(odd.values()):
        raise InputError(
            "not_by_server",
            "A model at a server cannot be told to write so.",
            received=", ".join(name for name, is_odd in odd.items() if is_odd),
            allowed="max_new_tokens, temperature, top_p, seed, stop",
            next="Leave it out, or take a backbone that runs here, such as smollm2.",
        )
    if how.structure is not None and not spoken.form:
        raise InputError(
            "structure_not_held",
            "This server takes no notice of a structure that it is asked for.",
            received=repr(how.structure)[:120],
            allowed="a server that was seen to hold to structures",
            next="Leave structure out, say in --set instruction what answers look like, or take "
            "another server.",
        )


def _body(
    backbone: OpenAIBackbone, spoken: Spoken, one: Conversation, how: Answering
) -> dict[str, Any]:
    messages = [{"role": role, "content": text} for role, text in one.turns]
    schema = None if how.structure is None else _schema(how.structure)
    body = spoken.body(
        backbone.sender.model,
        messages,
        how.max_new_tokens,
        top=1 if spoken.top else 0,
        schema=schema,
    )
    drawn: dict[str, Any] = {}
    if how.temperature:
        drawn = {"temperature": how.temperature, "top_p": how.top_p}
    if spoken.api == "chat":
        drawn |= {"seed": how.seed}
        drawn |= {"stop": list(how.stop[:STOPS])} if how.stop else {}
    return body | {key: value for key, value in drawn.items() if key not in spoken.without}


def _schema(structure: Any) -> dict[str, Any]:
    """What the API takes is an object; anything else becomes the one field of one."""
    if isinstance(structure, Mapping) and structure.get("type") == "object":
        return dict(_typed(structure))
    inner = _typed(structure) if isinstance(structure, Mapping) else _choices(structure)
    return {
        "type": "object",
        "properties": {"answer": inner},
        "required": ["answer"],
        "additionalProperties": False,
    }


def _typed(schema: Any) -> Any:
    """With a type beside each list of texts that has none, which strict servers want."""
    if isinstance(schema, list):
        return [_typed(one) for one in schema]
    if not isinstance(schema, Mapping):
        return schema
    made = {name: _typed(one) for name, one in schema.items()}
    texts = isinstance(made.get("enum"), list) and all(isinstance(e, str) for e in made["enum"])
    return {"type": "string", **made} if texts else made


def _choices(structure: Sequence[str]) -> dict[str, Any]:
    return {"type": "string", "enum": list(structure)}


def _read(spoken: Spoken) -> Any:
    def read(reply: dict[str, Any]) -> list[Any]:
        sure = spoken.sureties(reply) if spoken.top else []
        mean = sum(sure) / len(sure) if sure else None
        return [spoken.content(reply), spoken.ended(reply), mean]

    return read


def _completed(answer: Sequence[Any], how: Answering) -> Completed:
    """As it was asked for: out of its envelope, and cut where it was to stop."""
    text, ended, sure = answer
    structure = how.structure
    if structure is not None and not (
        isinstance(structure, Mapping) and structure.get("type") == "object"
    ):
        try:
            inner = json.loads(text)["answer"]
        except (ValueError, KeyError, TypeError):
            return Completed(text.strip(), sure, False)  # cut off
        text = inner if isinstance(inner, str) else json.dumps(inner, ensure_ascii=False)
    places = [place for one in how.stop if (place := text.find(one)) >= 0]
    if places:
        text, ended = text[: min(places)], True
    return Completed(text.strip(), sure, ended)
