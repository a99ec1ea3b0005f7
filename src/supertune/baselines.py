"""What costs nothing, answered for the same rows as the model: the scores beside every score."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from supertune import registry
from supertune.contracts import Examples, FloatArray, misfit
from supertune.errors import InputError
from supertune.pipeline import Candidate, Folds, Workshop, assess, predict, tune


def candidates(workshop: Workshop, backbone: str | None, rows: str = "text") -> list[Candidate]:
    """The objective's baselines that serve such rows: with a backbone, also those that need one."""
    objective, found = workshop.task.objective, []
    for name in workshop.objective.baselines:
        method = registry.method(name)
        if misfit(method, objective, None, rows) is None:
            found.append(Candidate(None, name))
        elif backbone is not None:
            offer = workshop.offer(backbone)
            if misfit(method, objective, offer, rows) is None:
                found.append(Candidate(backbone, name))
    return found


def out_of_fold(
    workshop: Workshop,
    examples: Examples,
    folds: Folds,
    backbone: str | None,
    known: Mapping[str, FloatArray],
) -> dict[str, FloatArray]:
    """(R, n, C) answers by name; ``known`` are those of candidates that were compared anyway."""
    found = {}
    for one in candidates(workshop, backbone, examples.modality):
        with suppress(InputError):  # what cannot serve these rows is no baseline of theirs
            answers = known.get(str(one))
            if answers is None:
                answers = assess(workshop, one, examples, folds).answers
            found[one.method] = answers
    return found


def on_test(
    workshop: Workshop, train: Examples, test: Examples, backbone: str | None
) -> dict[str, FloatArray]:
    """(n, C) answers to the rows of ``test`` by name, each fitted on all of ``train``."""
    found = {}
    for one in candidates(workshop, backbone, train.modality):
        with suppress(InputError):  # see `out_of_fold`
            found[one.method] = predict(workshop, one, tune(workshop, one, train), test).scored
    return found
