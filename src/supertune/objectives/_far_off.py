"""Which translations can be relied on, learned from those of rows that models had not seen.

A translation counts as wrong where its chrF++ is below `FAR_OFF`: a person would write it anew
rather than mend it. The surest are those that nothing speaks against by their looks, in the order
of the mean log-likelihood of their tokens.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from supertune import translations as scoring
from supertune.contracts import Examples, FloatArray
from supertune.contracts.translation import translations
from supertune.evaluation import novelty

FAR_OFF = 40.0  # chrF++


def worth(answers: FloatArray, targets: npt.NDArray[Any]) -> FloatArray:
    """(n,) chrF++ of each row."""
    rows = scoring.counted(answers, targets)
    return scoring.of_sums(rows, np.ones(len(rows)))["chrf"]


def answered(
    answers: FloatArray, targets: npt.NDArray[Any]
) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """(n,) how sure the answers (n, W) are, and (n,) whether they are near enough."""
    found = translations(answers)
    return found.confidence, worth(answers, targets) >= FAR_OFF


def kept(answers: FloatArray, examples: Examples) -> dict[str, npt.NDArray[Any]]:
    """As `supertune.evaluation.abstaining.kept`, of answers (R, n, W); nothing where these do not
    say how sure they are."""
    assert examples.targets is not None
    if any(translations(one).surety is None for one in answers):
        return {}
    pairs = [answered(one, examples.targets) for one in answers]
    return {
        "confidence": np.stack([confidence for confidence, _ in pairs]),
        "wrong": np.stack([~right for _, right in pairs]),
        "units": np.array([novelty.independent(len(examples), examples.groups)]),
    }
