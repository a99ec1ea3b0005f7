"""How rows become requests that a language model answers: instruction, shown rows, the row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from supertune.contracts import Answering, Completing, Input, Lens, Problem
from supertune.contracts.completion import Structured, Turns, turns_of
from supertune.errors import InputError
from supertune.structures import checked

SPARE = 1.5  # times the longest answer that is learned from, in tokens
LEAST = 16


@dataclass(frozen=True)
class Asking:
    """What is the same for all rows.

    Attributes:
        instruction: stands in front of what the user says first.
        chat: whether the backbone's own chat template is used.
        writing: how answers are written.
    """

    instruction: str
    chat: bool
    writing: Answering

    @classmethod
    def of(cls, problem: Problem, options: Structured) -> Asking:
        """As long as the longest answer, and more.

        Raises:
            InputError: as `supertune.structures.checked`.
        """
        lens, prompt = problem.lens, problem.prompt
        assert lens is not None
        targets = problem.examples.targets
        assert targets is not None
        said = [str(text) for text in targets.tolist()]
        chat = lens.backbone.offer.chat and (prompt is None or prompt.chat)
        made = cls("" if prompt is None else prompt.shown, chat, Answering())
        backbone = writer(lens)
        asked = backbone.requested((("user", ""),), chat)
        longest = max((len(backbone.answered(asked, text)) - len(asked) for text in said),
                      default=0)  # fmt: skip
        writing = Answering(
            max_new_tokens=max(LEAST, int(SPARE * longest) + 1),
            structure=checked(options.structure, said),
        )
        return cls(made.instruction, chat, writing)

    def turns(self, value: Input, shown: Sequence[tuple[str, str]] = ()) -> Turns:
        """A row's request behind those that are ``shown`` with their answers."""
        found: list[tuple[str, str]] = []
        for request, answer in shown:
            found += [*self._begun(turns_of(request)), ("assistant", answer)]
        own = self._begun(turns_of(str(value)))
        system = [one for one in (*found, *own) if one[0] == "system"][:1]
        return (*system, *(one for one in (*found, *own) if one[0] != "system"))

    def _begun(self, turns: Turns) -> Turns:
        first = next((i for i, (role, _) in enumerate(turns) if role == "user"), None)
        if first is None or not self.instruction:
            return turns
        text = f"{self.instruction}\n{turns[first][1]}"
        return (*turns[:first], ("user", text), *turns[first + 1 :])

    def pieces(
        self, inputs: Sequence[Input], lens: Lens, shown: Sequence[Sequence[tuple[str, str]]] = ()
    ) -> list[Any]:
        """The piece of each request."""
        before = shown or [()] * len(inputs)
        return [
            writer(lens).requested(self.turns(value, some), self.chat, value)
            for value, some in zip(inputs, before, strict=True)
        ]

    def as_dict(self) -> dict[str, Any]:
        writing = self.writing.model_dump(mode="json")
        return {"instruction": self.instruction, "chat": self.chat, "writing": writing}

    @classmethod
    def from_dict(cls, held: Mapping[str, Any]) -> Asking:
        writing = dict(held["writing"])
        if isinstance(writing.get("structure"), list):
            writing["structure"] = tuple(writing["structure"])
        return cls(str(held["instruction"]), bool(held["chat"]), Answering(**writing))


def writer(lens: Lens) -> Completing:
    """The backbone as what writes answers.

    Raises:
        InputError: ``no_writer``.
    """
    if not isinstance(lens.backbone, Completing):
        raise InputError(
            "no_writer",
            f"{lens.backbone.ref.name} does not write texts.",
            received=lens.backbone.ref.name,
            allowed="a causal language model, such as smollm2",
            next="`supertune backbones` lists those with generate.",
        )
    return lens.backbone
