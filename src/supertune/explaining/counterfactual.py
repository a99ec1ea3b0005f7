"""The fewest words without which the answer is another.

Greedy, as the least set is out of reach: of the words that added most, the one whose loss weakens
the answer most goes, until the decision flips; then each that went comes back if the decision
stays flipped (Martens & Provost 2014, doi:10.25300/MISQ/2014/38.1.04). Both bounded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from supertune.contracts import FloatArray, Input
from supertune.explaining.faithfulness import order
from supertune.explaining.subject import Question

MOST = 12  # parts taken away
WIDE = 10  # parts tried at each step


@dataclass(frozen=True)
class Counterfactual:
    """Attributes:
    removed: the parts that are gone, in reading order.
    value: what is left.
    answer: the decision about it, as `Answers.listed` has it.
    """

    removed: tuple[int, ...]
    value: Input
    answer: dict[str, Any]


def counterfactual(question: Question, shares: FloatArray) -> Counterfactual | None:
    """The input with the fewest parts (P,) taken away that flip the decision; None where none
    was found within the bounds or nothing is decided."""
    subject, parts = question.subject, question.parts
    if subject.objective.decisions(subject.decided(question.logits[None])) is None:
        return None
    gone: list[int] = []
    ranked = order(shares).tolist()
    while len(gone) < min(MOST, len(parts) - 1):
        left = [i for i in ranked if i not in gone][:WIDE]
        tried = [parts.without({*gone, i}) for i in left]
        best = int(np.argmin(question.margins(tried)))
        flipped = [place for place, value in enumerate(tried) if _flips(question, value)]
        if flipped:
            best = flipped[int(np.argmin(question.margins([tried[i] for i in flipped])))]
        gone.append(left[best])
        if flipped:
            return _told(question, _restored(question, gone))
    return None


def _restored(question: Question, gone: list[int]) -> list[int]:
    """Without the parts that need not have gone, the earliest first."""
    kept = list(gone)
    for part in gone[:-1]:
        fewer = [i for i in kept if i != part]
        if _flips(question, question.parts.without(set(fewer))):
            kept = fewer
    return sorted(kept)


def _flips(question: Question, value: Input) -> bool:
    subject = question.subject
    logits = np.stack([question.logits, subject.logits([value])[0]])
    found = subject.objective.decisions(subject.decided(logits))
    return found is not None and bool(found[0] != found[1])


def _told(question: Question, gone: list[int]) -> Counterfactual:
    value = question.parts.without(set(gone))
    answers = question.subject.decided(question.subject.logits([value]))
    return Counterfactual(tuple(gone), value, answers.listed()[0])
