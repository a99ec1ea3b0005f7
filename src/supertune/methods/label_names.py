"""No training at all: an input gets the label whose name lies nearest to it.

Of texts it is the vector of the name itself; of pictures that of a second tower, CLIP's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import Field

from supertune.contracts import (
    FloatArray,
    HeadSpec,
    Input,
    IntArray,
    Lens,
    Options,
    Problem,
    State,
    naming_of,
)
from supertune.errors import InputError
from supertune.methods._unit import unit

SCALE = 20.0  # of a cosine of a backbone that was pretrained with none
BARE = "{label}"
Phrases = str | tuple[str, ...]
PHRASE = (
    "the text put in place of a label's name; of several the vectors are averaged; a bare "
    f"'{BARE}' is put into the backbone's own, as 'a photo of a {BARE}.', where it has one"
)


class LabelNamesOptions(Options):
    """Keys of ``label_names``."""

    phrase: Phrases = Field(BARE, description=PHRASE)
    temperature: float = Field(
        SCALE,
        gt=0,
        description="cosine similarities are multiplied by it; CLIP and its like bring their own",
    )


@dataclass(frozen=True, eq=False)
class Names:
    """Cosine similarity to the label names' vectors (C, d), times a temperature."""

    vectors: FloatArray
    temperature: float
    bias: float = 0.0
    tuned_parameters: int = 0

    def logits(self, inputs: Sequence[Input], lens: Lens | None) -> FloatArray:
        assert lens is not None
        return self.similarities(lens.features(inputs, prediction=True))

    def similarities(self, features: FloatArray) -> FloatArray:
        """(n, C) from features (n, d)."""
        cosines = unit(features) @ self.vectors.T
        return np.asarray(cosines * self.temperature + self.bias, dtype=np.float64)

    def state(self) -> State:
        settings = {"temperature": self.temperature, "bias": self.bias}
        return State({"label_vectors": self.vectors}, settings)

    @classmethod
    def of(cls, problem: Problem, phrase: Phrases, temperature: float = SCALE) -> Names:
        """Of the labels of a problem, as its backbone reads and weighs them.

        Raises:
            InputError: those of `named_by`, ``temperature_pretrained``.
        """
        vectors = named_by(problem, phrase)
        assert problem.lens is not None
        naming = naming_of(problem.lens.backbone)
        if naming is None:
            return cls(vectors, temperature)
        if temperature != SCALE:
            raise InputError(
                "temperature_pretrained",
                f"{problem.lens.backbone.ref.name} brings the temperature of its similarities.",
                received=f"temperature {temperature:g}",
                allowed=f"its own, {naming.scale:g}",
                next="Leave temperature out.",
            )
        return cls(vectors, naming.scale, naming.bias)


def named_by(problem: Problem, phrase: Phrases) -> FloatArray:
    """(C, d) vectors of length 1 of the labels' names put into ``phrase``; of several phrases the
    direction of the mean of such vectors (Radford et al. 2021, arXiv:2103.00020, section 3.1.4).

    Raises:
        InputError: ``phrase_hides_label``, ``phrases_missing``, and ``names_say_nothing`` where the
            labels are numbers and nobody says of what.
    """
    assert problem.lens is not None
    naming = naming_of(problem.lens.backbone)
    if phrase == BARE and naming is not None:
        _check_named(problem)
        phrase = naming.phrase
    phrases = (phrase,) if isinstance(phrase, str) else phrase
    _check_phrases(phrases)
    names = [label.replace("_", " ") for label in problem.examples.labels]
    texts = [each.replace("{label}", name) for each in phrases for name in names]
    vectors = unit(problem.lens.names(texts)).reshape(len(phrases), len(names), -1)
    return unit(vectors.mean(axis=0)) if len(phrases) > 1 else vectors[0]


def _check_named(problem: Problem) -> None:
    labels = problem.examples.labels
    if any(sign.isalpha() for label in labels for sign in label):
        return
    raise InputError(
        "names_say_nothing",
        "The labels are no names, and pictures are compared with names.",
        received=", ".join(labels[:8]),
        allowed="labels in words, e.g. cat, dog",
        next="Rename them, or say what they are: --set 'phrase=a photo of the number {label}.'",
    )


def _check_phrases(phrases: Sequence[str]) -> None:
    if not phrases:
        raise InputError(
            "phrases_missing",
            "There is no phrase to put the labels' names into.",
            received="no phrase",
            allowed="one text with {label}, or several",
            next="Leave phrase out.",
        )
    for phrase in phrases:
        if "{label}" not in phrase:
            raise InputError(
                "phrase_hides_label",
                "The phrase does not show the label.",
                received=phrase,
                allowed="a text with {label}, e.g. 'This text is about {label}.'",
                next="Put {label} into the phrase.",
            )


def log_odds(targets: Any) -> FloatArray:
    """(C,) of how often each label is given, by its rows (n, C) and one that is undecided."""
    share = (np.sum(targets, axis=0) + 0.5) / (len(targets) + 1)
    return np.asarray(np.log(share) - np.log1p(-share))


class LabelNames:
    """See `supertune.contracts.FoldSolver`."""

    name = "label_names"
    summary = (
        "Zero-shot with encoders and CLIP: the label whose name is most similar, nothing tuned"
    )
    reference = "Chang et al. 2008; Yin et al. 2019; Radford et al. 2021, arXiv:2103.00020"
    needs = frozenset({"features", "names"})
    objectives = frozenset({"classify"})
    simplicity = 10
    options: type[Options] = LabelNamesOptions

    def fit(self, problem: Problem, options: LabelNamesOptions) -> Names:
        return Names.of(problem, options.phrase, options.temperature)

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
        temperature = float(state.settings["temperature"])
        return Names(state.arrays["label_vectors"], temperature, state.settings.get("bias", 0.0))


METHOD = LabelNames()
