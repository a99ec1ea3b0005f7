"""Answered rows shown in front of the question; nothing is trained.

Which rows are shown: at random (the same number of each label), spread out over the rows
(``diverse``: farthest first), or those nearest to each question. In which order: labels take
turns, and where nearness is known the nearest stands last, next to the question (Liu et al. 2022,
arXiv:2101.06804; order matters, Lu et al. 2022, arXiv:2104.08786). What is shown is bounded by
what the backbone reads. The same rows in front of every question are read once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from supertune.contracts import (
    Examples,
    FloatArray,
    HeadSpec,
    Input,
    Lens,
    Notes,
    Options,
    Problem,
    Prompt,
    State,
    as_json,
)
from supertune.errors import InputError
from supertune.methods._as_it_answers import AsItAnswers, ShownOptions
from supertune.methods._asking import label_scores, learned_bias, prompt_of
from supertune.methods._shown import Row, first_labels, in_turns, showing, written
from supertune.methods._unit import unit
from supertune.prompts.likelihoods import Calibration, parts


class InContextOptions(Options):
    """Keys of ``in_context``."""

    shots: int = Field(8, ge=1, le=200, description="rows shown, as far as they fit")
    select: Literal["random", "nearest", "diverse"] = Field(
        "random", description="which rows; 'nearest' to each question costs far more time"
    )
    calibration: Calibration = "batch"


@dataclass(frozen=True, eq=False)
class Shown:
    """A prompt with answered rows in front; see `supertune.contracts.Tuned`.

    Attributes:
        rows: (text, word) of the rows that may be shown, in their order.
        vectors: (rows, d) for ``nearest``; empty otherwise.
    """

    prompt: Prompt
    bias: FloatArray
    rows: tuple[Row, ...]
    vectors: FloatArray
    shots: int
    labels: tuple[str, ...] = ()  # of the rows it was fitted on

    def notes(self) -> Notes:
        shown = ("Rows shown", f"{min(self.shots, len(self.rows))} in front of every question")
        return Notes(asked=(*parts(self.prompt, self.labels), shown) if self.labels else ())

    @property
    def tuned_parameters(self) -> int:
        return int(np.count_nonzero(self.bias))

    def logits(self, inputs: Sequence[Input], lens: Lens | None) -> FloatArray:
        assert lens is not None
        return self.scores(inputs, lens, prediction=True) + self.bias

    def scores(
        self, inputs: Sequence[Input], lens: Lens, *, prediction: bool = False
    ) -> FloatArray:
        """(n, C) before the bias."""
        if not len(self.vectors):
            asked = showing(self.prompt, self.rows, lens)
            return label_scores(lens, asked, inputs, prediction=prediction)
        if not len(inputs):
            return np.zeros((0, len(self.prompt.words)))
        near = unit(lens.features(inputs, prediction=prediction)) @ self.vectors.T
        found = []
        for one, closeness in zip(inputs, near, strict=True):
            order = np.argsort(closeness, kind="stable")[-self.shots :]  # the nearest last
            asked = showing(self.prompt, [self.rows[i] for i in order], lens)
            found.append(label_scores(lens, asked, [one], prediction=prediction)[0])
        return np.stack(found)

    def state(self) -> State:
        arrays: dict[str, Any] = {"bias": self.bias, "vectors": self.vectors}
        rows = [[as_json(text), word] for text, word in self.rows]
        settings = {"prompt": self.prompt.as_dict(), "rows": rows, "shots": self.shots}
        return State(arrays, settings)


class InContext:
    """See `supertune.contracts.Solver`."""

    name = "in_context"
    summary = "Shows a language model answered rows, then asks; nothing trained"
    reference = "Brown et al. 2020, arXiv:2005.14165"
    needs = frozenset({"score_text"})
    objectives = frozenset({"classify", "generate"})
    simplicity = 18
    holds_rows = True  # the rows shown are part of the model
    options: type[Options] = InContextOptions
    options_for: ClassVar[Mapping[str, type[Options]]] = {"generate": ShownOptions}

    def fit(self, problem: Problem, options: Any) -> Shown | AsItAnswers:
        if problem.head.completion:
            return AsItAnswers.of(problem, options)
        lens, examples = problem.lens, problem.examples
        assert lens is not None
        prompt = prompt_of(problem)
        vectors = np.zeros((0, 0), dtype=np.float32)
        if options.select != "random":
            _refuse_without_vectors(lens, options.select)
            vectors = unit(lens.features(examples.inputs))
        order = _chosen(examples, vectors, options, problem.seed)
        rows = written(examples, prompt, order)
        kept = vectors[order] if options.select == "nearest" else np.zeros((0, 0), np.float32)
        none = np.zeros(len(prompt.words))
        shown = Shown(prompt, none, rows, kept, options.shots, examples.labels)
        return replace(shown, bias=self._bias(problem, shown, options, order, lens))

    def _bias(
        self, problem: Problem, shown: Shown, options: InContextOptions, order: Any, lens: Lens
    ) -> FloatArray:
        """Learned from rows that are not shown, where there are any: a shown row is copied."""
        if options.calibration == "none":
            return shown.bias
        if options.select == "nearest":  # each row would find itself
            asked = showing(shown.prompt, shown.rows[: shown.shots], lens)
        else:
            asked = showing(shown.prompt, shown.rows, lens)
        others = np.setdiff1d(np.arange(len(problem.examples)), order[: options.shots])
        rows = others if len(others) else np.arange(len(problem.examples))
        part = replace(problem, examples=problem.examples.take(rows))
        own = label_scores(lens, asked, part.examples.inputs)
        return learned_bias(part, asked, own, options.calibration)

    def restore(self, state: State, head: HeadSpec, lens: Lens | None) -> Shown | AsItAnswers:
        if head.completion:
            return AsItAnswers.restored(state, head)
        rows = tuple(
            (text if isinstance(text, str) else tuple(text), word)
            for text, word in state.settings["rows"]
        )
        prompt = Prompt.from_dict(state.settings["prompt"])
        shots = int(state.settings["shots"])
        return Shown(prompt, state.arrays["bias"], rows, state.arrays["vectors"], shots)


def _refuse_without_vectors(lens: Lens, select: str) -> None:
    offer = lens.backbone.offer
    if "features" not in offer.capabilities:
        raise InputError(
            "select_needs_features",
            f"{offer.architecture} gives no vectors to choose rows by.",
            received=f"select {select}",
            allowed="select random",
            next="Leave --set select out, or take a backbone that offers features.",
        )


def _chosen(
    examples: Examples, vectors: FloatArray, options: InContextOptions, seed: int
) -> list[int]:
    """Rows to show; for ``nearest`` all that have a label, of which each question chooses."""
    if options.select == "nearest":
        return [int(i) for i in np.flatnonzero(first_labels(examples) >= 0)]
    spread = vectors if options.select == "diverse" else None
    return in_turns(examples, options.shots, seed, spread)


METHOD = InContext()
