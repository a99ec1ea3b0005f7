"""What became of a model on rows from elsewhere, as `Model.evaluate` tells it, with what to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from supertune.contracts import FloatArray, Input, Lens, Shifting
from supertune.evaluation import shift
from supertune.evaluation.intervals import Estimate
from supertune.evaluation.shift import Change, Distance, Side
from supertune.pipeline import Workshop

SAMPLE = 1000  # inputs whose features are looked at


@dataclass(frozen=True, eq=False)
class Known:
    """One side of a comparison, as far as it is known.

    Attributes:
        scores: by metric; empty without labels.
        inputs: what is read, for its features; empty where no row was kept.
        profile: by name what its answers are like, with intervals.
    """

    name: str
    scores: dict[str, Estimate]
    inputs: Sequence[Input]
    profile: dict[str, Side]


def section(
    workshop: Workshop, lens: Lens | None, source: Known, other: Known, *, answers: FloatArray
) -> dict[str, Any]:
    """Scores, classes (or values) and features of both sides, compared.

    Args:
        answers: (n, C) what the model answers to the rows of ``other``.
    """
    metric, larger = workshop.metric, workshop.task.metrics
    scores = {
        name: shift.change(name, shift.side(source.scores[name]), shift.side(found))
        for name, found in other.scores.items()
        if name in source.scores
    }
    profile, guessed = other.profile, False
    if not profile and source.profile and isinstance(workshop.objective, Shifting):
        prior = {name: value for name, (value, _, _) in source.profile.items()}
        profile = workshop.objective.profile_unlabelled(answers, prior, workshop.recipe.seed)
        guessed = bool(profile)
    answered = [
        shift.change(name, source.profile[name], there)
        for name, there in profile.items()
        if name in source.profile
    ]
    apart = _apart(lens, source.inputs, other.inputs, workshop.recipe.seed)
    head = scores.get(metric)
    return {
        "source": source.name,
        "shifted": other.name,
        "rows": len(other.inputs),
        "scores": {name: one.as_dict() for name, one in scores.items()},
        "answers": [one.as_dict() for one in answered],
        "answers_estimated": guessed,
        "features": None if apart is None else apart.as_dict(),
        "text": [
            *_score_words(head, larger[metric], source, other),
            *_answer_words(answered, guessed),
            *_feature_words(apart),
        ],
        "next": _next(head, larger[metric], answered, apart, other),
    }


def _apart(
    lens: Lens | None, source: Sequence[Input], other: Sequence[Input], seed: int
) -> Distance | None:
    if lens is None or len(source) < 2 or len(other) < 2:
        return None
    if "features" not in lens.backbone.offer.capabilities:
        return None
    rng = np.random.default_rng(seed)
    sides = []
    for inputs in (source, other):
        chosen = rng.permutation(len(inputs))[:SAMPLE]
        sides.append(lens.features([inputs[i] for i in np.sort(chosen)]))
    return shift.distance(sides[0], sides[1], seed=seed)


def _score_words(head: Change | None, larger: bool, source: Known, other: Known) -> list[str]:
    if head is None:
        return ["Without labels there, how good the model is on it cannot be said."]
    worse = head.difference < 0 if larger else head.difference > 0
    size = f"{abs(head.difference):.2f}"
    ends = sorted(abs(end) for end in (head.low, head.high))
    text = f"{head.source:.2f} on {source.name}, {head.shifted:.2f} on {other.name}: "
    if not head.shown:
        return [
            f"{text}these rows cannot tell whether that is a change "
            f"(difference {head.difference:+.2f} [{head.low:+.2f}, {head.high:+.2f}])."
        ]
    return [
        f"{text}{'worse' if worse else 'better'} there by {size} [{ends[0]:.2f}, {ends[1]:.2f}]."
    ]


def _answer_words(answered: Sequence[Change], guessed: bool) -> list[str]:
    if not answered:
        return []
    moved = [one for one in answered if one.shown]
    by = " (estimated from the model's answers, which holds if the classes look as they did)"
    if not moved:
        return ["No change in how the answers are shared out is to be seen" + by * guessed + "."]
    listed = "; ".join(
        f"{one.name} {one.source:.3g} to {one.shifted:.3g} [{one.low:+.2g}, {one.high:+.2g}]"
        for one in sorted(moved, key=lambda one: -abs(one.difference))[:5]
    )
    return [f"The answers are shared out otherwise{by if guessed else ''}: {listed}."]


def _feature_words(apart: Distance | None) -> list[str]:
    if apart is None:
        return []
    share = f"{max(0.5, apart.told_apart):.0%}"
    told = f"of {share} of the rows a plain classifier tells which file they are from"
    if not apart.shown:
        return [f"The rows themselves look alike: {told} (a guess: 50 %; p = {apart.p_value:.2f})."]
    return [f"The rows themselves are unlike: {told} (a guess: 50 %; p = {apart.p_value:.3f})."]


def _next(
    head: Change | None,
    larger: bool,
    answered: Sequence[Change],
    apart: Distance | None,
    other: Known,
) -> list[str]:
    if head is None:
        return [f"Label 50 rows of {other.name}, so that a score can be had."]
    worse = head.shown and (head.difference < 0 if larger else head.difference > 0)
    if not head.shown and max(abs(head.low), abs(head.high)) > 0.1:
        return [f"Label more rows of {other.name}: the difference may be as large as "
                f"{max(abs(head.low), abs(head.high)):.2f}."]  # fmt: skip
    if not worse:
        return []
    steps = [f"Learn from both: supertune fit {other.name} --from MODEL -o NEW-MODEL"]
    if apart is not None and apart.shown:
        steps.append(
            "Try on these rows too: a linear head (--method linear_probe), or tuning less far "
            "(--set interpolation=0.5)."
        )
    return steps
