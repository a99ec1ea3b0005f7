"""What the methods that only ask in words share: a prompt, a bias a label, nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from supertune.contracts import FloatArray, Input, Lens, Notes, Problem, Prompt, State
from supertune.errors import InputError
from supertune.prompts.likelihoods import (
    Calibration,
    bias,
    by_label,
    owners,
    parts,
    reference_inputs,
)


@dataclass(frozen=True, eq=False)
class Asked:
    """See `supertune.contracts.Tuned`. ``bias`` (C,) is all that was learned; ``searched`` are
    the prompts that were tried, each with its log loss."""

    prompt: Prompt
    bias: FloatArray
    searched: tuple[dict[str, Any], ...] = ()
    labels: tuple[str, ...] = ()  # of the rows it was fitted on

    @property
    def tuned_parameters(self) -> int:
        return int(np.count_nonzero(self.bias))

    def logits(self, inputs: Sequence[Input], lens: Lens | None) -> FloatArray:
        assert lens is not None
        return label_scores(lens, self.prompt, inputs, prediction=True) + self.bias

    def notes(self) -> Notes:
        tried = [(_named(one), f"log loss {one['log_loss']}") for one in self.searched]
        return Notes(asked=(*parts(self.prompt, self.labels), *tried) if self.labels else ())

    def state(self) -> State:
        settings: dict[str, Any] = {"prompt": self.prompt.as_dict()}
        if self.searched:
            settings["searched"] = list(self.searched)
        return State({"bias": self.bias}, settings)

    @classmethod
    def from_state(cls, state: State) -> Asked:
        prompt = Prompt.from_dict(state.settings["prompt"])
        return cls(prompt, state.arrays["bias"], tuple(state.settings.get("searched", ())))


def _named(searched: Mapping[str, Any]) -> str:
    """A prompt that was tried, with the numbers of the rows shown in front, in their order."""
    shown = ", ".join(map(str, searched.get("shown", ())))
    return f"Tried: {searched['template']}" + (f", behind rows {shown}" if shown else "")


def prompt_of(problem: Problem) -> Prompt:
    """The first prompt of a problem.

    Raises:
        InputError: ``labels_without_words``.
    """
    if problem.prompt is None:
        raise InputError(
            "labels_without_words",
            "The labels cannot be asked for in words.",
            received=", ".join(problem.examples.labels[:5]),
            allowed="labels with a word each that is no other label's",
            next="Give them words: --verbalizer 'a=good; b=bad'.",
        )
    return problem.prompt


def label_scores(
    lens: Lens, prompt: Prompt, inputs: Sequence[Input], *, prediction: bool = False
) -> FloatArray:
    """(n, C) log-likelihood of each label's words."""
    under = lens.under(replace(lens.encoding, prompt=prompt))
    return by_label(under.scores(inputs, prediction=prediction), owners(prompt))


def learned_bias(
    problem: Problem, prompt: Prompt, own: FloatArray, how: Calibration, rows: Any = None
) -> FloatArray:
    """(C,) for a prompt whose label scores on all rows are ``own`` (n, C), learned from ``rows``.

    Where a row may have several labels, each label's share of the rows sets its threshold.
    """
    examples = problem.examples if rows is None else problem.examples.take(rows)
    seen = own if rows is None else own[rows]
    if problem.head.multi_label and how != "none":
        assert examples.targets is not None
        shares = (examples.targets.sum(axis=0) + 0.5) / (len(examples) + 1.0)
        levels = zip(seen.T, shares, strict=True)
        return np.array([-np.quantile(column, 1.0 - share) for column, share in levels])
    if how in ("contextual", "domain"):
        assert problem.lens is not None
        inputs = reference_inputs(examples.inputs, how, problem.seed)
        return bias(label_scores(problem.lens, prompt, inputs), how)
    weights = examples.weights if how == "batch" else None
    return bias(seen, how, weights)
