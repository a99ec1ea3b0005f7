"""A language model asked in words, nothing trained; what it leans to is taken away."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from supertune.contracts import FloatArray, HeadSpec, IntArray, Lens, Options, Problem, State
from supertune.methods._asking import Asked, label_scores, learned_bias, prompt_of
from supertune.prompts.likelihoods import Calibration


class ZeroShotPromptOptions(Options):
    """Keys of ``zero_shot_prompt``."""

    calibration: Calibration = Field(
        "batch",
        description="what the model leans to is measured on: no input, inputs without "
        "content, random words of the rows, all rows, the middle row",
    )


class ZeroShotPrompt:
    """See `supertune.contracts.FoldSolver`."""

    name = "zero_shot_prompt"
    summary = "Asks a language model for the label in words, calibrated, nothing trained"
    reference = "Brown et al. 2020, arXiv:2005.14165; Zhao et al. 2021, arXiv:2102.09690"
    needs = frozenset({"score_text"})
    objectives = frozenset({"classify"})
    simplicity = 12
    options: type[Options] = ZeroShotPromptOptions

    def fit(self, problem: Problem, options: ZeroShotPromptOptions) -> Asked:
        assert problem.lens is not None
        prompt = prompt_of(problem)
        own = label_scores(problem.lens, prompt, problem.examples.inputs)
        found = learned_bias(problem, prompt, own, options.calibration)
        return Asked(prompt, found, labels=problem.examples.labels)

    def out_of_fold(
        self,
        problem: Problem,
        options: ZeroShotPromptOptions,
        folds: Sequence[tuple[IntArray, IntArray]],
    ) -> list[FloatArray]:
        assert problem.lens is not None
        prompt = prompt_of(problem)
        own = label_scores(problem.lens, prompt, problem.examples.inputs)
        return [
            own[test] + learned_bias(problem, prompt, own, options.calibration, train)
            for train, test in folds
        ]

    def restore(self, state: State, head: HeadSpec, lens: Lens | None) -> Asked:
        return Asked.from_state(state)


METHOD = ZeroShotPrompt()
