"""Pictures painted in a style: how much nearer a tuned style comes than the nearest published."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from supertune.contracts import (
    STYLE_LOSSES,
    Answers,
    Asked,
    ClassWeights,
    Examples,
    Finding,
    FloatArray,
    HeadSpec,
    Judged,
    Stylized,
)
from supertune.errors import InputError
from supertune.objectives._refusals import own_weights, refuse_bounds, refuse_costs

METRICS = "the metrics skill, style_loss and content_loss"
ROWS_SHOWN = 60


class Stylize:
    """See `supertune.contracts.Judge`."""

    name = "stylize"
    summary = "photographs painted in a style"
    backbones = ("multistyle",)
    baselines = ("nearest_style",)
    tolerance = 0.0
    decider: str | None = None
    folds = 2  # each is a training of its own
    repeats = 1
    rivals = (("nearest_style", "the published style that comes nearest"),)

    def tried(self, rows: str) -> tuple[str, ...]:
        # Alone, so that it is waited for; the baseline is judged beside it.
        return ("style_vector",)

    def noticed(self, examples: Examples, folds: int) -> list[Finding]:
        """Nothing: one picture is enough."""
        return []

    def row_weights(self, examples: Examples, classes: ClassWeights) -> FloatArray | None:
        said = "Pictures of a style have no classes to weigh."
        return own_weights(examples, classes, said, allowed=METRICS)

    def costs(
        self, labels: Sequence[str], matrix: Sequence[Sequence[float]] | None
    ) -> FloatArray | None:
        refuse_costs(matrix, "A picture is not painted right or wrong.", allowed=METRICS)
        return None

    def unknowing(self, examples: Examples) -> FloatArray:
        """(n, 4): as far off as the style is large."""
        return np.ones((len(examples), len(STYLE_LOSSES)))

    def breakdown(
        self, judged: Judged, *, seed: int, costs: FloatArray | None, shown: bool
    ) -> dict[str, Any]:
        """``stylizing``: the mean of each of the losses."""
        means = judged.mean.mean(axis=0)
        return {"stylizing": {name: float(v) for name, v in zip(STYLE_LOSSES, means, strict=True)}}

    def doubt(self, answers: FloatArray, head: HeadSpec) -> FloatArray:
        return np.ones(len(answers))  # a loss says nothing of its own error

    def rows_to_look_at(
        self, examples: Examples, answers: FloatArray, shown: bool
    ) -> tuple[list[dict[str, Any]], list[Finding]]:
        """Pictures of the style that the tuned style comes no nearer to than a published one."""
        if not shown:
            return [], []
        found = Stylized(answers.mean(axis=0))
        gain = found.nearest - found.own
        order = sorted(range(len(gain)), key=lambda i: (gain[i], examples.rows[i]))
        rows = [
            {
                "row": int(examples.rows[i]),
                "text": str(examples.inputs[i]),
                "label": "the style",
                "predicted": f"loss {found.own[i]:.3f}, nearest style {found.nearest[i]:.3f}",
                "why": "not nearer than a published style",
            }
            for i in order[:ROWS_SHOWN]
            if gain[i] <= 0
        ]
        return rows, []

    def answers_given(self, examples: Examples) -> dict[str, Any]:
        """Nothing is said of pictures of a style."""
        return {"labels": []}

    def check(self, asked: Asked) -> None:
        refuse_bounds(asked, "Painted pictures", allowed=METRICS)

    def array(self, answers: Answers, head: HeadSpec) -> npt.NDArray[Any]:
        """(n,) style losses; painted pictures are asked for by `supertune.generate`."""
        assert isinstance(answers, Stylized)
        return answers.own

    def table(self, answers: Answers) -> FloatArray:
        raise InputError(
            "no_probabilities",
            "A style has losses and no probabilities.",
            received="predict_proba",
            allowed="generate to paint, predict for losses",
            next='Call model.generate(pictures=["photo.jpg"]).',
        )


OBJECTIVE = Stylize()
