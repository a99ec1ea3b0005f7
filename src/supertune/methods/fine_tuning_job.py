"""A model at a server that is tuned there, by a job, and asked in words.

The rows are written as chats: each is shown as it will be asked about, and the word of its label
is the answer. Nothing is tuned here; what is kept is the tuned model's name and what it is asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from pydantic import Field

from supertune.contracts import (
    Curve,
    Examples,
    FloatArray,
    HeadSpec,
    Input,
    JobAsked,
    JobDone,
    Lens,
    Notes,
    Options,
    Problem,
    Prompt,
    State,
    fine_tuning_of,
)
from supertune.errors import InputError
from supertune.methods._asking import prompt_of
from supertune.prompts.likelihoods import by_label, owners, parts


class FineTuningJobOptions(Options):
    """Keys of ``fine_tuning_job``."""

    set_aside: float = Field(
        0.2,
        ge=0.02,
        le=0.5,
        description="share of the rows that judge the model where no test rows are given; "
        "cross-validation would pay for a job a fold",
    )
    epochs: int | None = Field(
        None,
        ge=1,
        le=50,
        description="how often the job sees each row; by default 3, and more of fewer than 34 rows",
    )
    batch_size: int | None = Field(None, ge=1, le=256, description="by default the server's choice")
    learning_rate_multiplier: float | None = Field(
        None, gt=0, le=100, description="by default the server's choice"
    )
    validation: float = Field(
        0.0,
        ge=0,
        le=0.5,
        description="share of the rows that the server says a loss of and does not learn from",
    )
    suffix: str = Field(
        "", pattern="^[a-zA-Z0-9_-]{0,18}$", description="part of the tuned model's name"
    )
    keep_file: bool = Field(
        False, description="leave the uploaded rows at the server once the job has ended"
    )


@dataclass(frozen=True, eq=False)
class AskedTuned:
    """See `supertune.contracts.Tuned`: a prompt, and the model at the server that is asked by it.
    ``done`` is the job where it was just fitted, of ``labels``."""

    prompt: Prompt
    checkpoint: str
    job: Mapping[str, Any]
    labels: tuple[str, ...] = ()
    done: JobDone | None = field(default=None, repr=False)

    @property
    def tuned_parameters(self) -> int:
        return 0  # here; the server does not say how many there

    def logits(self, inputs: Sequence[Input], lens: Lens | None) -> FloatArray:
        """(n, C) log-likelihood of each label's words."""
        assert lens is not None
        encoding = replace(lens.encoding, prompt=self.prompt, checkpoint=self.checkpoint)
        scores = lens.under(encoding).scores(inputs, prediction=True)
        return by_label(scores, owners(self.prompt))

    def state(self) -> State:
        settings = {
            "prompt": self.prompt.as_dict(),
            "checkpoint": self.checkpoint,
            "job": dict(self.job),
        }
        return State({}, settings)

    def notes(self) -> Notes:
        if self.done is None:
            return Notes()
        tokens = f"{self.done.tokens:,} tokens" + ("" if self.done.counted else ", estimated")
        asked = (
            ("Model at the server", self.checkpoint),
            (
                "Job",
                f"{self.done.job}: {self.job['rows']} rows, {self.done.epochs} epochs, {tokens}",
            ),
            *parts(self.prompt, self.labels),
        )
        curves = (Curve("loss", "step", self.done.losses),) if len(self.done.losses) > 1 else ()
        return Notes(curves=curves, asked=asked, findings=self.done.findings)


class FineTuningJob:
    """See `supertune.contracts.Solver`."""

    name = "fine_tuning_job"
    summary = "Has a language model tuned by a job at its server, then asks it for the label"
    reference = "Howard and Ruder 2018, arXiv:1801.06146; OpenAI's API of fine-tuning jobs, 2023"
    needs = frozenset({"score_text", "fine_tuning"})
    objectives = frozenset({"classify"})
    simplicity = 90
    paid = True
    options: type[Options] = FineTuningJobOptions

    def fit(self, problem: Problem, options: FineTuningJobOptions) -> AskedTuned:
        """Raises as `supertune.contracts.FineTuning.fine_tune`, and:

        InputError: ``several_labels``, ``labels_without_words``.
        """
        lens, examples = problem.lens, problem.examples
        assert lens is not None
        if problem.head.multi_label:
            raise _several(examples)
        prompt = prompt_of(problem)
        assert examples.targets is not None
        asked = JobAsked(
            prompt,
            examples.inputs,
            tuple(prompt.words[int(target)][0] for target in examples.targets),
            tuple(int(row) for row in examples.rows),
            problem.fields,
            _held(len(examples), options.validation, problem.seed),
            options.epochs,
            options.batch_size,
            options.learning_rate_multiplier,
            problem.seed,
            options.suffix,
            options.keep_file,
        )
        done = fine_tuning_of(lens.backbone).fine_tune(asked, lens.encoding, problem.told)
        job = {
            "id": done.job,
            "model": lens.backbone.ref.name,
            "rows": len(examples) - len(asked.held),
            "epochs": done.epochs,
            "tokens": done.tokens,
        }
        return AskedTuned(prompt, done.checkpoint, job, examples.labels, done)

    def restore(self, state: State, head: HeadSpec, lens: Lens | None) -> AskedTuned:
        settings = state.settings
        prompt = Prompt.from_dict(settings["prompt"])
        return AskedTuned(prompt, str(settings["checkpoint"]), settings["job"])


def _held(count: int, share: float, seed: int) -> tuple[int, ...]:
    """Places of rows for the validation file; at least one where there is to be any."""
    if share == 0:
        return ()
    order = np.random.default_rng(seed).permutation(count)
    return tuple(sorted(int(place) for place in order[: max(1, round(share * count))]))


def _several(examples: Examples) -> InputError:
    row = next(
        int(row)
        for row, target in zip(examples.rows, examples.targets, strict=True)  # type: ignore[arg-type]
        if target.sum() != 1
    )
    return InputError(
        "several_labels",
        "A fine-tuning job learns one label a row.",
        received=f"row {row} with several labels or none",
        allowed="rows with one label each",
        next="Choose another method, such as linear_probe on an embedding model.",
    )


METHOD = FineTuningJob()
