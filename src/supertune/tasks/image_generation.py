"""Pictures to be drawn: a concept or a style, learned from a few pictures and what is said of
them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy.typing as npt

from supertune import metrics
from supertune.contracts import (
    Columns,
    Denoised,
    Examples,
    FloatArray,
    HeadSpec,
    Input,
    Objective,
    Reading,
)
from supertune.contracts.diffusion import DRAWS
from supertune.data.pictures import captions, sources


class ImageGeneration:
    """See `supertune.contracts.Task`.

    An answer is how well a denoiser knows a picture: its losses at fixed draws of noise, beside
    those of the untuned one. What is drawn is asked of the model by `supertune.generate`.
    """

    name = "image_generation"
    summary = "pictures drawn by a text, after a few pictures of a concept or a style"
    objective: Objective = "denoise"
    modalities = ("image",)
    metrics: Mapping[str, bool] = metrics.DENOISING
    improved_by = (
        "Give more pictures of it, raise steps (or epochs), or try another --method; the grid in "
        "the report shows what it draws."
    )
    default_metric = "skill"
    predicted_by = 'supertune generate {model} "WHAT TO DRAW" --n 8 --output drawn'

    def read(
        self,
        source: Any,
        columns: Columns,
        *,
        test: Any = None,
        labels: tuple[str, ...] | None = None,
        new_labels: bool = False,
    ) -> Reading:
        """Pictures with captions to learn from and, where there are any, to judge by.

        Args:
            source: a folder of pictures (a caption is a .txt file of a picture's name, or else the
                folder that it lies in), a table with a column of pictures and perhaps one of
                captions, or a list of pictures or of (picture, caption) pairs.
            columns: ``label`` names the column of captions; ``concept`` is said of pictures
                without one.
            test: another source, to judge by.
            labels, new_labels: of no use; the pictures of a model that exists are judged.

        Raises:
            InputError: what is wrong with files, columns, pictures or captions.
        """
        if labels is not None:
            return captions.judged(source, columns)
        return captions.learned(source, columns, test)

    def stream(
        self, source: Any, columns: Columns, window: int
    ) -> Iterator[tuple[Any, tuple[Input, ...]]]:
        """Windows of rows and the captioned pictures in them."""
        return captions.stream(source, columns, window)

    def count(self, source: Any) -> int | None:
        """See `supertune.contracts.Counting`."""
        return sources.count(source)

    def head(self, examples: Examples) -> HeadSpec:
        return HeadSpec(len(examples.labels), draws=DRAWS)

    def decode(
        self,
        logits: FloatArray,
        labels: tuple[str, ...],
        head: HeadSpec,
        costs: FloatArray | None = None,
    ) -> Denoised:
        """(n, 2 T) numbers are the losses themselves."""
        return Denoised(logits)

    def score(
        self,
        answers: FloatArray,
        targets: npt.NDArray[Any],
        weights: FloatArray | None = None,
        costs: FloatArray | None = None,
    ) -> dict[str, FloatArray]:
        return metrics.denoising(answers, weights)


TASK = ImageGeneration()
