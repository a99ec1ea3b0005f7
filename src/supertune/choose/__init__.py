"""Which backbone and which method, within limits of time and memory, and how good the choice
really is.

`suiting` says which backbones suit some rows, `prior` what is worth trying, `listing` what it is
expected to cost, `race` compares on shared folds and stops what can no longer win (`halving`),
`deciding` takes one of those that the rows cannot tell from the best and corrects its estimate for
having been chosen.
"""

from supertune.choose.deciding import decide, has_other, without
from supertune.choose.entries import Decision, Entry
from supertune.choose.listing import (
    NOT_TRIED,
    backbones,
    candidates,
    expected_seconds,
    language_notes,
    taking_unlabelled,
)
from supertune.choose.suiting import Suiting, suiting

__all__ = [
    "NOT_TRIED",
    "Decision",
    "Entry",
    "Suiting",
    "backbones",
    "candidates",
    "decide",
    "expected_seconds",
    "has_other",
    "language_notes",
    "suiting",
    "taking_unlabelled",
    "without",
]
