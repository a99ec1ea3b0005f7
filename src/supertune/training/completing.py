"""What writes answers, tuned by the likelihood of the answers of a few rows.

What lies below the lowest block touched is computed once for each row and kept. Only tokens of
answers have a loss; a row is learned from whole or refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np

from supertune.contracts import (
    Answering,
    Completed,
    CompletionOptions,
    Curve,
    Finding,
    FloatArray,
    GradientMethod,
    HeadSpec,
    Injection,
    Input,
    Lens,
    Method,
    Notes,
    Problem,
    State,
    Tunable,
    Tuned,
)
from supertune.contracts.speech import numbered
from supertune.errors import InputError
from supertune.prompts.requests import Asking, writer
from supertune.training import worded


@dataclass(eq=False)
class TunedWriter:
    """See `supertune.contracts.Composing`."""

    injection: Injection
    tunable: Tunable
    spec: HeadSpec
    asking: Asking
    losses: list[tuple[float, float]] = field(default_factory=list)

    @property
    def tuned_parameters(self) -> int:
        return self.tunable.tuned_parameters

    @property
    def writing(self) -> Answering:
        return self.asking.writing

    def logits(self, inputs: Sequence[Input], lens: Lens | None) -> FloatArray:
        """(n, W) texts."""
        assert lens is not None
        found = self.complete(inputs, lens, self.writing)
        return numbered([one.text for one in found], self.spec.completion)

    def complete(self, inputs: Sequence[Input], lens: Lens, how: Answering) -> list[Completed]:
        """See `supertune.contracts.Composing`."""
        with self.tunable:
            requests = self.asking.pieces(inputs, lens)
            return writer(lens).completed(requests, how, room=self.tunable.room)

    def state(self) -> State:
        return worded.written(self.injection, self.tunable, asking=self.asking.as_dict())

    def notes(self) -> Notes:
        curve = Curve("loss", "step", tuple(self.losses))
        return Notes((curve,) if self.losses else ())


def train(method: Method, problem: Problem, options: CompletionOptions) -> TunedWriter:
    """``options`` as `supertune.contracts.CompletionOptions` has them and the method's own.

    Raises:
        InputError: ``row_too_long``, ``bad_structure``, and what the engine refuses.
        SupertuneError: ``loss_not_finite``.
    """
    lens = problem.lens
    assert lens is not None
    made = cast(GradientMethod, method).injection(lens.backbone.offer, options)
    injection = worded.everywhere(made)
    asking = Asking.of(problem, options)
    pieces = _pieces(problem, asking, lens)
    tunable = lens.backbone.inject(injection, seed=problem.seed)
    tuned = TunedWriter(injection, tunable, problem.head, asking)
    kept = None if tunable.from_input else lens.activations(pieces, tunable.cut)
    with tunable:
        tuned.losses = _descend(tunable, problem, pieces, kept, options)
    return tuned


def restore(
    method: Method, state: State, options: Any, head: HeadSpec, lens: Lens | None
) -> TunedWriter:
    assert lens is not None
    injection = worded.injection_of(state)
    tunable = lens.backbone.inject(injection, seed=0, numbers=state.adapter or state.arrays)
    return TunedWriter(injection, tunable, head, Asking.from_dict(state.settings["asking"]))


def _pieces(problem: Problem, asking: Asking, lens: Lens) -> list[Any]:
    """Requests with their answers, none of them cut.

    Raises:
        InputError: ``row_too_long``.
    """
    examples, backbone = problem.examples, writer(lens)
    assert examples.targets is not None
    found = []
    for row, request, text in zip(
        examples.rows, asking.pieces(examples.inputs, lens), examples.targets.tolist(), strict=True
    ):
        piece = backbone.answered(request, str(text))
        most = min(lens.backbone.offer.max_length, LONGEST)
        if len(piece) > most:
            raise InputError(
                "row_too_long",
                "A row has more tokens than the model is tuned on.",
                received=f"row {row}: {len(piece):,} tokens with its answer",
                allowed=f"at most {most:,}",
                next="Shorten the row or leave it out. Nothing is cut here, since nobody but you "
                "knows which part can be spared.",
            )
        found.append(piece)
    return found


LONGEST = 4096  # tokens of a row, above which a step takes gigabytes


def _descend(
    tunable: Tunable,
    problem: Problem,
    pieces: Sequence[Any],
    kept: Sequence[FloatArray] | None,
    options: CompletionOptions,
) -> list[tuple[float, float]]:
    import torch

    lens, own = problem.lens, problem.examples.weights
    assert lens is not None
    backbone = writer(lens)
    weights = np.ones(len(pieces)) if own is None else np.asarray(own)

    def summed(chosen: list[int]) -> tuple[Any, Any]:
        some = None if kept is None else [kept[i] for i in chosen]
        sums, counts = backbone.answer_losses([pieces[i] for i in chosen], some, tunable.cut)
        each = torch.tensor(weights[chosen], dtype=sums.dtype, device=sums.device)
        return (sums * each).sum(), (counts * each).sum()

    return worded.descended(tunable, problem, options, [len(one) for one in pieces], summed)


def verified(method: Method, problem: Problem, options: Any, tuned: Tuned) -> tuple[Finding, ...]:
    """See `worded.verified`."""
    losses = tuned.losses if isinstance(tuned, TunedWriter) else []
    return worded.verified(method, problem, options, tuned, losses, "answers")
