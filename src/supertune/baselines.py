"""What costs nothing, answered for the same rows as the model: the scores beside every score."""

from __future__ import annotations

from collections.abc import Mapping

from supertune import registry
from supertune.contracts import Examples, FloatArray, misfit
from supertune.pipeline import Candidate, Folds, Workshop, assess, predict, tune


def candidates(workshop: Workshop, backbone: str | None) -> list[Candidate]:
    """The majority class, label names without tuning (with a backbone), and bag of words."""
    wanted = [Candidate(None, "majority"), Candidate(None, "bag_of_words")]
    if backbone is not None:
        wanted.insert(1, Candidate(backbone, "label_names"))
    return [one for one in wanted if _fits(workshop, one)]


def out_of_fold(
    workshop: Workshop,
    examples: Examples,
    folds: Folds,
    backbone: str | None,
    known: Mapping[str, FloatArray],
) -> dict[str, FloatArray]:
    """(R, n, C) answers by name; ``known`` are those of candidates that were compared anyway."""
    return {
        one.method: known[str(one)]
        if str(one) in known
        else assess(workshop, one, examples, folds).probabilities
        for one in candidates(workshop, backbone)
    }


def on_test(
    workshop: Workshop, train: Examples, test: Examples, backbone: str | None
) -> dict[str, FloatArray]:
    """(n, C) answers to the rows of ``test`` by name, each fitted on all of ``train``."""
    return {
        one.method: predict(workshop, one, tune(workshop, one, train), test).probabilities
        for one in candidates(workshop, backbone)
    }


def _fits(workshop: Workshop, candidate: Candidate) -> bool:
    offer = None if candidate.backbone is None else workshop.offer(candidate.backbone)
    method = registry.method(candidate.method)
    return misfit(method, workshop.task.objective, offer) is None
