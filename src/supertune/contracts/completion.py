"""Texts that answer a request: what a backbone that writes them owes, and what it is asked.

A request is a text, or a conversation that ends before an answer, written as the JSON of its
messages (`said`, `turns_of`). Answers pass through the straight line as texts by number
(`supertune.contracts.speech.numbered`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from pydantic import Field, model_validator

from supertune.contracts.backbone import Lens
from supertune.contracts.data import FloatArray, Input
from supertune.contracts.generation import Decoding
from supertune.contracts.method import Options, Tuned
from supertune.contracts.speech import Texts, texts_of

COMPLETION = ("completion",)  # the one name of what is answered
LETTERS = 1200  # characters of one answer at most, unless those that are learned from have more
ROLES = ("system", "user", "assistant")

Turns = tuple[tuple[str, str], ...]  # (role, content), in order
# "answers": as the answers that are learned from are made; choices; a JSON schema; None: free.
Structure = None | str | tuple[str, ...] | dict[str, Any]


class Structured(Options):
    """What answers may look like; see `supertune.structures`."""

    structure: Structure = Field(
        None,
        description="what alone may be written: a JSON schema, a list of choices, or 'answers' for "
        "objects made as the answers learned from are",
    )


class Answering(Decoding):
    """How answers are written: as `Decoding`, and what may be written at all."""

    repetition_penalty: float = Field(
        1.0,
        ge=1,
        le=10,
        description="scores of tokens that stand in the answer already are divided by it (CTRL, "
        "arXiv:1909.05858)",
    )
    structure: Structure = None
    beams: int = Field(1, ge=1, le=16, description="answers that are followed at a time")
    n_best: int = Field(
        1,
        ge=1,
        le=16,
        description="answers that are told of each request, at most as many as beams",
    )
    length_penalty: float = Field(
        1.0, ge=0, le=5, description="a beam ranks by log-likelihood / length to this power"
    )

    @model_validator(mode="after")
    def _agreeing(self) -> Answering:
        if self.n_best > self.beams:
            raise ValueError(f"n_best is {self.n_best}, and at most as many as beams, {self.beams}")
        if self.beams > 1 and self.temperature:
            raise ValueError("beams follow the likeliest answers; leave temperature at 0")
        return self


@dataclass(frozen=True)
class Completed:
    """One answer.

    Attributes:
        surety: the mean log-likelihood of its tokens, at most 0; None where nobody tells.
        ended: whether the model ended it; otherwise it was cut off at ``max_new_tokens``.
        others: the next best, where more than one was asked for.
    """

    text: str
    surety: float | None = 0.0
    ended: bool = True
    others: tuple[Completed, ...] = ()


@runtime_checkable
class Completing(Protocol):
    """What a `Backbone` with ``generate`` among its capabilities also owes. Tensors are the
    engine's own; inside ``with tunable:`` all but `activations` is as tuned."""

    def requested(
        self, turns: Sequence[tuple[str, str]], chat: bool, of: Input | None = None
    ) -> Any:
        """The piece of tokens that an answer follows; with the backbone's own chat template.

        Args:
            of: the row that asks, for an account of what was sent to a server.
        """
        ...

    def answered(self, request: Any, text: str) -> Any:
        """The request with an answer and its end behind it, read where each of its tokens is
        foretold."""
        ...

    def answer_losses(
        self, pieces: Sequence[Any], kept: Sequence[FloatArray] | None, cut: int
    ) -> tuple[Any, Any]:
        """(B,) sums over the answers' tokens of their negative log-likelihood, with gradients, and
        (B,) how many these are; ``kept`` is what `activations` gave at ``cut``, None to begin at
        the input."""
        ...

    def completed(
        self, requests: Sequence[Any], how: Answering, *, room: int = 0
    ) -> list[Completed]:
        """(n,) answers; ``room`` positions are taken up by what is tuned.

        Raises:
            InputError: ``text_too_long``, ``bad_structure``.
        """
        ...


@runtime_checkable
class Composing(Tuned, Protocol):
    """A `Tuned` that writes answers."""

    @property
    def writing(self) -> Answering:
        """How it writes where nothing else is asked."""
        ...

    def complete(self, inputs: Sequence[Input], lens: Lens, how: Answering) -> list[Completed]:
        """(n,) answers in the order of ``inputs``."""
        ...


def said(turns: Turns) -> str:
    """Turns as one text: their JSON, or what the one user says."""
    if len(turns) == 1 and turns[0][0] == "user":
        return turns[0][1]
    return json.dumps([{"role": a, "content": b} for a, b in turns], ensure_ascii=False)


def turns_of(text: str) -> Turns:
    """The inverse of `said`; what is no JSON of messages is what a user says."""
    if text.startswith('[{"role"'):
        try:
            return tuple((str(one["role"]), str(one["content"])) for one in json.loads(text))
        except (ValueError, KeyError, TypeError):
            pass
    return (("user", text),)


@dataclass(frozen=True, eq=False)
class Completions(Texts):
    """Answers to n requests."""

    COLUMN = COMPLETION[0]
    NOTHING = "(nothing)"

    width: int = LETTERS

    @classmethod
    def of(cls, answers: FloatArray) -> Completions:
        """The inverse of `scored`."""
        return cls(tuple(texts_of(answers)), answers.shape[1])
