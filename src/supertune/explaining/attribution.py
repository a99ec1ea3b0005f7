"""Which parts of an input an answer came from, in every way that the model allows.

What the model's own structure gives (`supertune.contracts.Explains`) stands beside occlusion, for
which a model need only answer: each part is taken away alone, and the contrast's loss is its
share (Zeiler & Fergus 2014, arXiv:1311.2901; Li et al. 2016, arXiv:1612.08220).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from supertune.contracts import Explains, FloatArray
from supertune.errors import EnvironmentFault, InputError
from supertune.explaining.subject import Question, Subject

OCCLUSION = "occlusion"
WAYS = ("terms", "token_states", "integrated_gradients", OCCLUSION)


def ways(subject: Subject) -> tuple[str, ...]:
    """The ways there are for a model; occlusion always is one."""
    own = subject.tuned.ways(subject.lens) if isinstance(subject.tuned, Explains) else ()
    return (*own, OCCLUSION)


def attributions(
    question: Question, wanted: Sequence[str] | None = None
) -> tuple[dict[str, FloatArray], list[str]]:
    """By way (P,) what each part adds to the contrast, and the ways left out for want of a
    package.

    Raises:
        InputError: ``unknown_way``.
        EnvironmentFault: ``extra_missing`` where the only way that is wanted needs it.
    """
    there = ways(question.subject)
    chosen = there if wanted is None else tuple(wanted)
    odd = [way for way in chosen if way not in there]
    if odd:
        raise InputError(
            "unknown_way",
            f"This model cannot be explained by {odd[0]}.",
            received=odd[0],
            allowed=", ".join(there),
            next="Leave the way out to have the most faithful one chosen.",
        )
    found, missing = {}, []
    for way in chosen:
        try:
            found[way] = occlusion(question) if way == OCCLUSION else structural(question, way)
        except EnvironmentFault as error:
            if wanted is not None or error.code != "extra_missing":
                raise
            missing.append(way)
    return found, missing


def structural(question: Question, way: str) -> FloatArray:
    """(P,) from the model's own structure."""
    tuned = question.subject.tuned
    assert isinstance(tuned, Explains)
    contrasts = question.contrast[None]
    given = tuned.contributions([question.parts.value], contrasts, question.subject.lens, way)[0]
    return question.parts.gathered(given)


def occlusion(question: Question) -> FloatArray:
    """(P,) the contrast less that of the input without the part."""
    parts = question.parts
    changed = [parts.without({i}) for i in range(len(parts))]
    margins = question.margins([parts.value, *changed])
    return np.asarray(margins[0] - margins[1:])
