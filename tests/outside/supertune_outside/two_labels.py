"""Texts with exactly two labels, optimised for balanced accuracy; all else is text
classification's own, which is asked for by name and never imported."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy.typing as npt

from supertune import registry
from supertune.contracts import (
    Columns,
    Examples,
    FloatArray,
    HeadSpec,
    Input,
    Objective,
    Predictions,
    Reading,
)
from supertune.errors import InputError


class TwoLabels:
    name = "two_labels"
    summary = "one of two labels for a text"
    objective: Objective = "classify"
    modalities = ("text",)
    metrics: Mapping[str, bool] = {"balanced_accuracy": True, "accuracy": True, "log_loss": False}
    default_metric = "balanced_accuracy"

    def read(
        self,
        source: Any,
        columns: Columns,
        *,
        test: Any = None,
        labels: tuple[str, ...] | None = None,
        new_labels: bool = False,
    ) -> Reading:
        task = registry.task("text_classification")
        reading = task.read(source, columns, test=test, labels=labels, new_labels=new_labels)
        found = reading.train.labels
        if len(found) != 2:
            raise InputError(
                "not_two_labels",
                f"{reading.source} does not have two labels.",
                received=f"{len(found)}: {', '.join(found)}",
                allowed="exactly two labels",
                next="Use the task text_classification.",
            )
        return reading

    def stream(
        self, source: Any, columns: Columns, window: int
    ) -> Iterator[tuple[Any, tuple[Input, ...]]]:
        return registry.task("text_classification").stream(source, columns, window)

    def head(self, examples: Examples) -> HeadSpec:
        return HeadSpec(outputs=2)

    def decode(
        self,
        logits: FloatArray,
        labels: tuple[str, ...],
        head: HeadSpec,
        costs: FloatArray | None = None,
    ) -> Predictions:
        return registry.task("text_classification").decode(logits, labels, head, costs)

    def score(
        self,
        answers: FloatArray,
        targets: npt.NDArray[Any],
        weights: FloatArray | None = None,
        costs: FloatArray | None = None,
    ) -> dict[str, FloatArray]:
        scores = registry.task("text_classification").score(answers, targets, weights, costs)
        return {name: scores[name] for name in self.metrics}


TASK = TwoLabels()
