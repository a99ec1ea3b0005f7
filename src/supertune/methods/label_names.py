"""No training at all: an input gets the label whose name lies nearest to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import Field

from supertune.contracts import FloatArray, HeadSpec, Input, IntArray, Lens, Options, Problem, State
from supertune.errors import InputError
from supertune.methods._unit import unit


class LabelNamesOptions(Options):
    """Keys of ``label_names``."""

    phrase: str = Field("{label}", description="the text put in place of a label's name")
    temperature: float = Field(20.0, gt=0, description="cosine similarities are multiplied by it")


@dataclass(frozen=True, eq=False)
class Names:
    """Cosine similarity to the label names' vectors (C, d), times a temperature."""

    vectors: FloatArray
    temperature: float
    tuned_parameters: int = 0

    def logits(self, inputs: Sequence[Input], lens: Lens | None) -> FloatArray:
        assert lens is not None
        return self.similarities(lens.features(inputs, prediction=True))

    def similarities(self, features: FloatArray) -> FloatArray:
        """(n, C) from features (n, d)."""
        return np.asarray(unit(features) @ self.vectors.T * self.temperature, dtype=np.float64)

    def state(self) -> State:
        return State({"label_vectors": self.vectors}, {"temperature": self.temperature})


def named_by(problem: Problem, phrase: str) -> FloatArray:
    """(C, d) vectors of length 1 of the labels' names put into ``phrase``.

    Raises:
        InputError: ``phrase_hides_label``.
    """
    assert problem.lens is not None
    if "{label}" not in phrase:
        raise InputError(
            "phrase_hides_label",
            "The phrase does not show the label.",
            received=phrase,
            allowed="a text with {label}, e.g. 'This text is about {label}.'",
            next="Put {label} into the phrase.",
        )
    texts = [phrase.format(label=label.replace("_", " ")) for label in problem.examples.labels]
    return unit(problem.lens.features(texts))


class LabelNames:
    """See `supertune.contracts.FoldSolver`."""

    name = "label_names"
    summary = "Zero-shot with encoders: the label whose name is most similar, nothing tuned"
    reference = "Chang et al. 2008 (dataless classification); Yin et al. 2019"
    needs = frozenset({"features", "names"})
    objectives = frozenset({"classify"})
    simplicity = 10
    options: type[Options] = LabelNamesOptions

    def fit(self, problem: Problem, options: LabelNamesOptions) -> Names:
        return Names(named_by(problem, options.phrase), options.temperature)

    def out_of_fold(
        self,
        problem: Problem,
        options: LabelNamesOptions,
        folds: Sequence[tuple[IntArray, IntArray]],
    ) -> list[FloatArray]:
        # Nothing is learned from any row, so every fold has the same model.
        assert problem.lens is not None
        logits = self.fit(problem, options).similarities(
            problem.lens.features(problem.examples.inputs)
        )
        return [logits[test] for _, test in folds]

    def restore(self, state: State, head: HeadSpec, lens: Lens | None) -> Names:
        return Names(state.arrays["label_vectors"], float(state.settings["temperature"]))


METHOD = LabelNames()
