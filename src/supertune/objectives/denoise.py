"""Pictures drawn out of noise: how much less a tuned denoiser is wrong than the untuned one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from supertune.contracts import (
    Answers,
    Asked,
    ClassWeights,
    Denoised,
    Examples,
    Finding,
    FloatArray,
    HeadSpec,
    Judged,
    Picture,
)
from supertune.contracts.diffusion import DRAWS
from supertune.errors import InputError
from supertune.objectives._refusals import own_weights, refuse_bounds, refuse_costs

FEW = 4  # pictures, below which little can be learned
ROWS_SHOWN = 60
METRICS = "the metrics skill and denoising_loss"
BANDS = 4  # of noise levels, from little noise to much


class Denoise:
    """See `supertune.contracts.Judge`."""

    name = "denoise"
    summary = "pictures drawn by a text"
    backbones = ("emoji-diffusion",)
    baselines = ("untuned",)
    tolerance = 0.0
    decider: str | None = None
    folds = 2  # each is a training of its own
    repeats = 1
    rivals = (("untuned", "the model as it was, asked by the same captions"),)

    def tried(self, rows: str) -> tuple[str, ...]:
        return ("lora",)  # alone, so that it is waited for; the untuned model is judged beside it

    def noticed(self, examples: Examples, folds: int) -> list[Finding]:
        """``few_pictures``."""
        if len(examples) >= FEW:
            return []
        message = f"{len(examples)} pictures are few to learn from; {FEW} to 20 serve better."
        return [Finding("few_pictures", message, (), "info")]

    def row_weights(self, examples: Examples, classes: ClassWeights) -> FloatArray | None:
        said = "Pictures to be drawn have no classes to weigh."
        return own_weights(examples, classes, said, allowed=METRICS)

    def costs(
        self, labels: Sequence[str], matrix: Sequence[Sequence[float]] | None
    ) -> FloatArray | None:
        refuse_costs(matrix, "A picture is not drawn right or wrong.", allowed=METRICS)
        return None

    def unknowing(self, examples: Examples) -> FloatArray:
        """(n, 2 T): what says nothing is off by the noise itself, of variance 1."""
        return np.ones((len(examples), 2 * DRAWS))

    def breakdown(
        self, judged: Judged, *, seed: int, costs: FloatArray | None, shown: bool
    ) -> dict[str, Any]:
        """``denoising``: the losses, tuned and untuned, from little noise to much."""
        losses = judged.mean
        half = losses.shape[1] // 2
        # Draws are made from the least noise to the most (`supertune.contracts.diffusion.fixed`).
        bands = [
            {"tuned": float(own.mean()), "untuned": float(untuned.mean())}
            for own, untuned in zip(
                np.array_split(losses[:, :half], BANDS, axis=1),
                np.array_split(losses[:, half:], BANDS, axis=1),
            )
        ]
        return {"denoising": {"draws": half, "bands": bands}}

    def doubt(self, answers: FloatArray, head: HeadSpec) -> FloatArray:
        return np.ones(len(answers))  # a loss says nothing of its own error

    def rows_to_look_at(
        self, examples: Examples, answers: FloatArray, shown: bool
    ) -> tuple[list[dict[str, Any]], list[Finding]]:
        """Pictures that tuning on the others helped least."""
        found = Denoised(answers.mean(axis=0))
        gain = 1 - found.own / np.maximum(found.untuned, 1e-12)
        if not shown:
            return [], []
        order = sorted(range(len(gain)), key=lambda i: (gain[i], examples.rows[i]))
        rows = [
            {
                "row": int(examples.rows[i]),
                "text": str(examples.inputs[i]),
                "label": _caption(examples, i),
                "predicted": f"loss {found.own[i]:.4f}, untuned {found.untuned[i]:.4f}",
                "why": "not known better than untuned",
            }
            for i in order[:ROWS_SHOWN]
            if gain[i] <= 0
        ]
        return rows, []

    def answers_given(self, examples: Examples) -> dict[str, Any]:
        """The captions, as labels are told."""
        counts = Counter(_caption(examples, i) for i in range(len(examples)))
        return {"labels": [{"name": text, "rows": count} for text, count in sorted(counts.items())]}

    def check(self, asked: Asked) -> None:
        refuse_bounds(asked, "Pictures that are drawn", allowed=METRICS)

    def array(self, answers: Answers, head: HeadSpec) -> npt.NDArray[Any]:
        """(n,) mean losses; what is drawn is asked for by `supertune.generate`."""
        assert isinstance(answers, Denoised)
        return answers.own

    def table(self, answers: Answers) -> FloatArray:
        raise InputError(
            "no_probabilities",
            "A denoiser has losses and no probabilities.",
            received="predict_proba",
            allowed="generate to draw, predict for losses",
            next='Call model.generate("a wug clock", n=8).',
        )


OBJECTIVE = Denoise()


def _caption(examples: Examples, row: int) -> str:
    value = examples.inputs[row]
    assert isinstance(value, Picture)
    return value.caption
