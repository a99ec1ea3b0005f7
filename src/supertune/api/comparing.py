"""`supertune.compare`: which of two models is better on the same rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from supertune.contracts import Judged
from supertune.contracts.remote import shared
from supertune.errors import InputError
from supertune.evaluation.intervals import paired
from supertune.model import Model, load
from supertune.report import compose
from supertune.report.compose import finite

Comparable = str | Path | Model


def compare(a: Comparable, b: Comparable, data: Any, **place: Any) -> dict[str, Any]:
    """The difference of two models on labelled rows that neither has seen, with its interval.

    Args:
        a, b: model folders, or models.
        data: labelled rows, as `supertune.fit` takes them.
        **place: as `supertune.load` takes it, of folders; limits of a server hold for both.

    Returns:
        ``metric``, ``a`` and ``b`` (estimates), ``difference`` (a minus b, paired on the same
        rows), ``answer`` ("a", "b" or "cannot_tell"), ``text``, ``rows``, ``findings``.

    Raises:
        InputError: ``labels_differ`` when they do not answer the same question.
    """
    first, second = _opened((a, b), place)
    if set(first.labels) != set(second.labels) or first.task != second.task:
        raise InputError(
            "labels_differ",
            "The two models do not answer the same question.",
            received=f"{', '.join(first.labels)} and {', '.join(second.labels)}",
            allowed="two models with the same labels",
            next="Compare models that were fitted on rows with the same labels.",
        )
    workshop = first.workshop
    metric = workshop.metric
    judged, findings = first.judge(data)
    other, _ = second.judge(data)
    order = [second.labels.index(label) for label in first.labels]
    theirs = other.answers[:, order]
    examples = judged.examples
    assert examples.targets is not None
    gap = paired(
        workshop.score(examples.labels),
        judged.answers,
        theirs,
        examples.targets,
        metric,
        seed=workshop.recipe.seed,
        groups=examples.groups,
        weights=examples.weights,
    )
    larger = workshop.task.metrics[metric]
    answer = _answer(gap.low, gap.high, larger)
    scored = Judged(examples, theirs, True)
    return dict(
        finite(
            {
                "metric": metric,
                "a": compose.scores(workshop, judged, [metric])[metric].as_dict(),
                "b": compose.scores(workshop, scored, [metric])[metric].as_dict(),
                "difference": gap.as_dict(),
                "answer": answer,
                "text": _TEXTS[answer].format(rows=len(examples)),
                "rows": len(examples),
                "findings": findings,
            }
        )
    )


def _opened(both: Sequence[Comparable], place: dict[str, Any]) -> list[Model]:
    with shared():
        return [one if isinstance(one, Model) else load(one, **place) for one in both]


_TEXTS = {
    "a": "The first model is better on these {rows} rows.",
    "b": "The second model is better on these {rows} rows.",
    "cannot_tell": "These {rows} rows cannot tell which is better.",
}


def _answer(low: float, high: float, larger: bool) -> str:
    if low <= 0 <= high:
        return "cannot_tell"
    return "a" if (low > 0) == larger else "b"
