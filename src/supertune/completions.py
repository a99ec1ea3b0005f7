"""Answers against references: exact match, ROUGE-L, F1 of words, F1 of fields of JSON objects.

ROUGE-L is the F-measure of the longest common subsequence of words (Lin 2004,
aclanthology.org/W04-1013); F1 of words is that of SQuAD (Rajpurkar et al. 2016, arXiv:1606.05250)
without its list of articles. All are means over rows but ``field_f1``, which is of all fields
together: a field is right where name and value are those of the reference, an element of a list
counts for itself. ``valid`` is the share of answers that are JSON objects, where references are.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from supertune.contracts import FloatArray
from supertune.contracts.speech import texts_of
from supertune.structures import object_of

METRICS: Mapping[str, bool] = {
    "rouge_l": True,
    "exact": True,
    "token_f1": True,
    "field_f1": True,
    "valid": True,
}
# Chinese and Japanese have no blanks: each sign counts for itself.
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W_\u3040-\u30ff\u3400-\u9fff]+")
SMALL = 1e-12


def words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def rouge_l(reference: str, written: str) -> float:
    """From 0 to 1; two texts without a word are the same."""
    first, second = words(reference), words(written)
    if not first or not second:
        return float(first == second)
    row = [0] * (len(second) + 1)
    for one in first:
        before = 0
        for place, other in enumerate(second, 1):
            above = row[place]
            row[place] = before + 1 if one == other else max(above, row[place - 1])
            before = above
    return 2 * row[-1] / (len(first) + len(second))


def token_f1(reference: str, written: str) -> float:
    first, second = Counter(words(reference)), Counter(words(written))
    if not first or not second:
        return float(first == second)
    return 2 * (first & second).total() / (first.total() + second.total())


def fields(text: str) -> Counter[tuple[str, str]] | None:
    """Names with values of a JSON object, inner objects by dotted names; None where it is none."""
    found = object_of(text)
    return None if found is None else Counter(_fields("", found))


def _fields(name: str, value: Any) -> list[tuple[str, str]]:
    if isinstance(value, dict):
        return [
            one for key, each in value.items() for one in _fields(f"{name}.{key}".strip("."), each)
        ]
    if isinstance(value, list):
        return [one for each in value for one in _fields(name, each)]
    plain = " ".join(value.split()).casefold() if isinstance(value, str) else json.dumps(value)
    return [(name, plain)]


@lru_cache(maxsize=65_536)  # a bootstrap and a baseline ask about the same rows
def counts(reference: str, written: str) -> tuple[float, ...]:
    """ROUGE-L, exact, F1 of words; fields right, of both, and whether both are objects."""
    same = " ".join(reference.split()) == " ".join(written.split())
    wanted = fields(reference)
    there = None if wanted is None else fields(written)
    right = (wanted & there).total() if wanted is not None and there is not None else 0
    both = (wanted or Counter()).total() + (there or Counter()).total()
    return (
        rouge_l(reference, written),
        float(same),
        token_f1(reference, written),
        float(2 * right),
        float(both),
        float(there is not None),
        float(wanted is not None),
    )


def counted(answers: FloatArray, targets: npt.NDArray[Any]) -> FloatArray:
    """(n, 7) of each row."""
    rows = [counts(str(said), text) for said, text in zip(targets.tolist(), texts_of(answers))]
    return np.array(rows, dtype=np.float64).reshape(len(rows), 7)


def of_sums(sums: FloatArray, mass: Any) -> dict[str, FloatArray]:
    """Metrics of (B, 7) sums over rows of weight ``mass`` (B,); those of objects where a reference
    is one."""
    share = sums / np.maximum(mass, SMALL).reshape(-1, 1)
    found = {"rouge_l": share[:, 0], "exact": share[:, 1], "token_f1": share[:, 2]}
    if sums[:, 6].any():
        found["field_f1"] = sums[:, 3] / np.maximum(sums[:, 4], SMALL)
        found["valid"] = sums[:, 5] / np.maximum(sums[:, 6], SMALL)
    return found


def scores(
    answers: FloatArray, targets: npt.NDArray[Any], weights: FloatArray | None = None
) -> dict[str, FloatArray]:
    """Metrics by name, re-weighted by ``weights`` (B, n); of one weight each if None."""
    rows = counted(answers, targets)
    given = np.ones((1, len(rows))) if weights is None else weights
    return of_sums(given @ rows, given.sum(axis=1))


def each(answers: FloatArray, targets: npt.NDArray[Any]) -> FloatArray:
    """(n,) how near each answer is, from 0 to 100: ROUGE-L, of objects the F1 of their fields."""
    rows = counted(answers, targets)
    of_fields = rows[:, 3] / np.maximum(rows[:, 4], SMALL)
    return 100 * np.where(rows[:, 6] > 0, of_fields, rows[:, 0])


def valid_share(texts: Sequence[str]) -> float:
    """Of texts that are JSON objects."""
    return sum(object_of(text) is not None for text in texts) / max(1, len(texts))
