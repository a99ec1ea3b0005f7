"""A backbone as it is: a denoiser asked by the captions of pictures, what writes down speech,
speaks, translates or answers. Nothing is tuned."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from supertune.contracts import (
    Denoising,
    FloatArray,
    HeadSpec,
    Input,
    Lens,
    Options,
    Picture,
    Problem,
    Sampling,
    State,
    Still,
    Untuned,
)
from supertune.contracts.diffusion import DENOISER
from supertune.contracts.method import BACKBONE
from supertune.methods._as_it_answers import AsItAnswers, UntunedWriterOptions
from supertune.methods._as_it_speaks import AsItSpeaks
from supertune.methods._as_it_translates import AsItTranslates
from supertune.methods._as_it_writes import AsItWrites


class UntunedOptions(Options):
    """Keys of ``untuned``: none."""


@dataclass(frozen=True, eq=False)
class AsItIs:
    """See `supertune.contracts.Tuned`."""

    head: HeadSpec

    @property
    def tuned_parameters(self) -> int:
        return 0

    def logits(self, inputs: Sequence[Input], lens: Lens | None) -> FloatArray:
        """(n, 2 T) the same losses twice."""
        assert lens is not None
        return self._losses(inputs, lens, lens.backbone.activations)

    def held_out(self, inputs: Sequence[Input], lens: Lens | None) -> FloatArray:
        assert lens is not None
        return self._losses(inputs, lens, lens.activations)

    def _losses(self, inputs: Sequence[Input], lens: Lens, activations: Any) -> FloatArray:
        backbone = lens.backbone
        assert isinstance(backbone, Denoising)
        side = backbone.side(lens.encoding)
        pieces = [
            Untuned(Still(value, side), value.caption, self.head.draws)
            for value in inputs
            if isinstance(value, Picture)
        ]
        if not pieces:
            return np.zeros((0, self.head.width))
        losses = np.stack(activations(pieces, DENOISER)).astype(np.float64)
        return np.concatenate([losses, losses], axis=1)

    def sample(
        self,
        captions: Sequence[str],
        seeds: Sequence[int],
        how: Sampling,
        lens: Lens,
        progress: Callable[[int, int], None] | None = None,
    ) -> list[npt.NDArray[np.uint8]]:
        """(h, w, 3) pictures; see `supertune.contracts.Denoising.sample`."""
        backbone = lens.backbone
        assert isinstance(backbone, Denoising)
        size = backbone.side(lens.encoding)
        return backbone.sample(captions, seeds, how, size=size, progress=progress)

    def state(self) -> State:
        return State({})


_AsItIs = AsItIs | AsItWrites | AsItSpeaks | AsItTranslates | AsItAnswers


class UntunedMethod:
    """See `supertune.contracts.Solver`."""

    name = "untuned"
    summary = "The backbone as it is, asked the same; nothing is tuned"
    reference = "Ho et al. 2020, arXiv:2006.11239; Radford et al. 2022, arXiv:2212.04356; "
    reference += "Kim et al. 2021, arXiv:2106.06103"
    needs = frozenset({BACKBONE})
    objectives = frozenset({"denoise", "transcribe", "synthesise", "translate", "generate"})
    simplicity = 4
    options: type[Options] = UntunedOptions
    options_for: ClassVar[Mapping[str, type[Options]]] = {"generate": UntunedWriterOptions}

    def fit(self, problem: Problem, options: Any) -> _AsItIs:
        if problem.head.figures:
            return AsItSpeaks.of(problem)
        if problem.head.translation:
            return AsItTranslates(problem.head)
        if problem.head.completion:
            return AsItAnswers.of(problem, options)
        if not problem.head.characters:
            return AsItIs(problem.head)
        assert problem.lens is not None
        return AsItWrites.of(problem.examples, problem.head, problem.lens)

    def restore(self, state: State, head: HeadSpec, lens: Lens | None) -> _AsItIs:
        if head.figures:
            return AsItSpeaks.restored(state)
        if head.translation:
            return AsItTranslates(head)
        if head.completion:
            return AsItAnswers.restored(state, head)
        if not head.characters:
            return AsItIs(head)
        return AsItWrites(head, state.settings["language"])


METHOD = UntunedMethod()
