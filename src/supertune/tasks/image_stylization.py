"""Pictures painted again in a style, which is learned from one picture of it or several."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy.typing as npt

from supertune import metrics
from supertune.contracts import (
    Columns,
    Examples,
    FloatArray,
    HeadSpec,
    Input,
    Objective,
    Reading,
    Stylized,
)
from supertune.data.pictures import reading, sources, styles


class ImageStylization:
    """See `supertune.contracts.Task`.

    Rows are pictures of one style. An answer is how near photographs, painted by the model, come to
    such a picture. Photographs to be painted are given to `supertune.generate`.
    """

    name = "image_stylization"
    summary = "photographs painted again, in a style learned from one picture or several"
    objective: Objective = "stylize"
    modalities = ("image",)
    metrics: Mapping[str, bool] = metrics.STYLIZING
    default_metric = "skill"
    improved_by = (
        "Raise steps, lower content, or give more photographs with --unlabeled; the report "
        "shows what it paints."
    )
    predicted_by = "supertune generate {model} --picture photo.jpg --output painted.png"

    def read(
        self,
        source: Any,
        columns: Columns,
        *,
        test: Any = None,
        labels: tuple[str, ...] | None = None,
        new_labels: bool = False,
    ) -> Reading:
        """Pictures of a style to learn from and, where ``test`` has some, to judge by.

        Args:
            source: a picture, a folder of pictures, a table with a column of them, or a list.
            labels, new_labels: of no use; the pictures of a model that exists are judged.

        Raises:
            InputError: what is wrong with files, columns or pictures.
        """
        if labels is not None:
            return styles.judged(source, columns)
        return styles.learned(source, columns, test)

    def stream(
        self, source: Any, columns: Columns, window: int
    ) -> Iterator[tuple[Any, tuple[Input, ...]]]:
        """Windows of rows and the pictures in them."""
        named = None if sources.nameless(source) else columns.picture
        yield from reading.stream(source, replace(Columns(), picture=named), window)

    def count(self, source: Any) -> int | None:
        """See `supertune.contracts.Counting`."""
        return sources.count(source)

    def head(self, examples: Examples) -> HeadSpec:
        return HeadSpec(len(examples.labels), losses=len(examples.labels))

    def decode(
        self,
        logits: FloatArray,
        labels: tuple[str, ...],
        head: HeadSpec,
        costs: FloatArray | None = None,
    ) -> Stylized:
        """(n, 4) numbers are the losses themselves."""
        return Stylized(logits)

    def score(
        self,
        answers: FloatArray,
        targets: npt.NDArray[Any],
        weights: FloatArray | None = None,
        costs: FloatArray | None = None,
    ) -> dict[str, FloatArray]:
        return metrics.stylizing(answers, weights)


TASK = ImageStylization()
