"""What writes answers, as it is, or behind rows that are shown with their answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from pydantic import Field

from supertune.contracts import (
    Answering,
    Completed,
    FloatArray,
    HeadSpec,
    Input,
    Lens,
    Notes,
    Problem,
    State,
    Structured,
)
from supertune.contracts.speech import numbered
from supertune.prompts.nearness import Nearness
from supertune.prompts.requests import Asking, writer

Pair = tuple[str, str]


class UntunedWriterOptions(Structured):
    """Keys of ``untuned`` where answers are texts."""


class ShownOptions(Structured):
    """Keys of ``in_context`` where answers are texts."""

    shots: int = Field(6, ge=1, le=200, description="rows shown, as far as they fit")
    select: Literal["nearest", "random"] = Field(
        "nearest", description="those that share most rare words with a request, or always the same"
    )


@dataclass(eq=False)
class AsItAnswers:
    """See `supertune.contracts.Composing`.

    Attributes:
        rows: requests with answers that may be shown.
        shots: how many of them are; the nearest stand last.
        nearest: by each request, or the first.
    """

    head: HeadSpec
    asking: Asking
    rows: tuple[Pair, ...] = ()
    shots: int = 0
    nearest: bool = False

    @classmethod
    def of(cls, problem: Problem, options: Structured) -> AsItAnswers:
        asking = Asking.of(problem, options)
        if not isinstance(options, ShownOptions):
            return cls(problem.head, asking)
        examples = problem.examples
        assert examples.targets is not None
        rows = [(str(a), str(b)) for a, b in zip(examples.inputs, examples.targets.tolist())]
        nearest = options.select == "nearest"
        order = np.arange(len(rows))
        if not nearest:
            order = np.random.default_rng(problem.seed).permutation(len(rows))[: options.shots]
        return cls(problem.head, asking, tuple(rows[i] for i in order), options.shots, nearest)

    @classmethod
    def restored(cls, state: State, head: HeadSpec) -> AsItAnswers:
        held = state.settings
        rows = tuple((str(a), str(b)) for a, b in held.get("rows", ()))
        shots, nearest = int(held.get("shots", 0)), bool(held.get("nearest", False))
        return cls(head, Asking.from_dict(held["asking"]), rows, shots, nearest)

    @cached_property
    def _nearness(self) -> Nearness:
        return Nearness([request for request, _ in self.rows])

    @property
    def tuned_parameters(self) -> int:
        return 0

    @property
    def writing(self) -> Answering:
        return self.asking.writing

    def logits(self, inputs: Sequence[Input], lens: Lens | None) -> FloatArray:
        """(n, W) texts."""
        assert lens is not None
        found = self.complete(inputs, lens, self.writing)
        return numbered([one.text for one in found], self.head.completion)

    def complete(self, inputs: Sequence[Input], lens: Lens, how: Answering) -> list[Completed]:
        """See `supertune.contracts.Composing`."""
        shown = [self._fitting(value, self._shown(value), lens, how) for value in inputs]
        requests = self.asking.pieces(inputs, lens, shown)
        return writer(lens).completed(requests, how)

    def _shown(self, value: Input) -> list[Pair]:
        if not self.rows:
            return []
        if not self.nearest:
            return list(self.rows[: self.shots])
        order = np.argsort(self._nearness.to(str(value)), kind="stable")
        return [self.rows[i] for i in order[-self.shots :]]

    def _fitting(self, value: Input, shown: list[Pair], lens: Lens, how: Answering) -> list[Pair]:
        """As many of the last rows as there is room for."""
        while shown:
            (piece,) = self.asking.pieces([value], lens, [shown])
            if len(piece) + how.max_new_tokens <= lens.backbone.offer.max_length:
                break
            shown = shown[1:]
        return shown

    def state(self) -> State:
        held: dict[str, Any] = {"asking": self.asking.as_dict()}
        if self.rows:
            rows = [list(row) for row in self.rows]
            held |= {"rows": rows, "shots": self.shots, "nearest": self.nearest}
        return State({}, held)

    def notes(self) -> Notes:
        if not self.rows:
            return Notes()
        which = "the nearest" if self.nearest else "the same"
        shown = f"{min(self.shots, len(self.rows))}, {which} for every request"
        return Notes(asked=(("Rows shown", shown),))
