"""Translations against references: chrF++, BLEU and TER, additive over rows.

Popović 2017 (chrF++, aclanthology.org/W17-4770), Papineni et al. 2002 (BLEU), Snover et al. 2006
(TER), Post 2018 (arXiv:1804.08771). sacrebleu cuts and counts; what is summed of its counts over
rows is what it computes of a whole corpus, so that a bootstrap only re-weighs them.

``placeholders`` is the share of rows that have those of the reference, ``exact`` that of rows that
are the reference itself.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from supertune import placeholders
from supertune.contracts import FloatArray
from supertune.contracts.speech import texts_of
from supertune.errors import EnvironmentFault

METRICS: Mapping[str, bool] = {
    "chrf": True,
    "bleu": True,
    "ter": False,
    "exact": True,
    "placeholders": True,
}
ORDERS = 6 + 2  # of characters, and of words
SIZES = (3 * ORDERS, 2 + 2 * 4, 2, 2)  # columns of chrF, of BLEU, of TER, of the rest
BETA = 2.0
SMALL = 1e-16


@cache
def _counters() -> tuple[Any, Any, Any]:
    try:
        from sacrebleu.metrics.bleu import BLEU
        from sacrebleu.metrics.chrf import CHRF
        from sacrebleu.metrics.ter import TER
    except ImportError as error:
        raise EnvironmentFault(
            "extra_missing",
            "Translations are scored by sacrebleu, which is not installed.",
            received=str(error),
            allowed="the extra translation",
            next="pip install 'supertune[translation]'",
        ) from error
    return CHRF(word_order=2), BLEU(), TER()


def signatures() -> dict[str, str]:
    """By metric, how sacrebleu describes what it counted."""
    chrf, bleu, ter = _counters()
    for one in (chrf, bleu, ter):
        one.corpus_score(["a b"], [["a b"]])
    names = ("chrf", "bleu", "ter")
    return {name: str(one.get_signature()) for name, one in zip(names, (chrf, bleu, ter))}


@lru_cache(maxsize=65_536)  # a bootstrap and a baseline ask about the same rows
def counts(reference: str, written: str) -> tuple[float, ...]:
    """What is summed over rows: sacrebleu's counts of chrF++, BLEU and TER, and whether the text is
    the reference and keeps its placeholders."""
    found: list[float] = []
    for one in _counters():
        found += one._extract_corpus_statistics([written], [[reference]])[0]
    same = " ".join(reference.split()) == " ".join(written.split())
    kept = placeholders.of(reference) == placeholders.of(written)
    return (*found, float(same), float(kept))


def counted(answers: FloatArray, targets: npt.NDArray[Any]) -> FloatArray:
    """(n, 38) of each row."""
    rows = [counts(str(said), text) for said, text in zip(targets.tolist(), texts_of(answers))]
    return np.array(rows, dtype=np.float64).reshape(len(rows), sum(SIZES))


def scores(
    answers: FloatArray, targets: npt.NDArray[Any], weights: FloatArray | None = None
) -> dict[str, FloatArray]:
    """All metrics, B values each: chrF++, BLEU and TER from 0 to 100 as they are known.

    Args:
        answers: (n, W) texts as `supertune.contracts.speech.numbered` has them.
        targets: (n,) references.
        weights: (B, n); one if None.
    """
    rows = counted(answers, targets)
    return of_sums((np.ones((1, len(rows))) if weights is None else weights) @ rows,
                   len(rows) if weights is None else weights.sum(axis=1))  # fmt: skip


def of_sums(sums: FloatArray, mass: Any) -> dict[str, FloatArray]:
    """Metrics of (B, 38) sums over rows of weight ``mass`` (B,)."""
    ends = np.cumsum(SIZES)
    share = sums[:, ends[2] :] / np.maximum(mass, 1e-12).reshape(-1, 1)
    return {
        "chrf": _chrf(sums[:, : ends[0]]),
        "bleu": _bleu(sums[:, ends[0] : ends[1]]),
        "ter": 100 * sums[:, ends[1]] / np.maximum(sums[:, ends[1] + 1], SMALL),
        "exact": share[:, 0],
        "placeholders": share[:, 1],
    }


def _chrf(sums: FloatArray) -> FloatArray:
    """(B,) of (B, 24): of each order n-grams written, of the reference, and of both."""
    written, said, both = (sums[:, place::3] for place in range(3))
    there = (written > 0) & (said > 0)
    precision = np.where(there, both / np.maximum(written, SMALL), SMALL)
    recall = np.where(there, both / np.maximum(said, SMALL), SMALL)
    orders = np.maximum(there.sum(axis=1), 1)
    means = [np.where(there, each, 0).sum(axis=1) / orders for each in (precision, recall)]
    weight = BETA**2
    down = weight * means[0] + means[1]
    return np.asarray(100 * (1 + weight) * means[0] * means[1] / np.maximum(down, SMALL))


def _bleu(sums: FloatArray) -> FloatArray:
    """(B,) of (B, 10): lengths written and of the reference, n-grams right and written of each
    order. Where none of an order is right, it counts as a half, a quarter and so on."""
    lengths, right, total = sums[:, :2], sums[:, 2:6], sums[:, 6:10]
    logs = np.zeros(len(sums))
    halves = np.ones(len(sums))
    for order in range(4):
        none = right[:, order] <= 0
        halves = np.where(none, halves / 2, halves)
        top = np.where(none, halves, right[:, order])
        logs += np.log(np.maximum(top / np.maximum(total[:, order], SMALL), SMALL)) / 4
    short = lengths[:, 0] < lengths[:, 1]
    brevity = np.where(short, 1 - lengths[:, 1] / np.maximum(lengths[:, 0], SMALL), 0.0)
    found = 100 * np.exp(logs + np.maximum(brevity, -700))
    empty = (lengths[:, 0] <= 0) | (total[:, 3] <= 0) | (right.sum(axis=1) <= 0)
    return np.where(empty, 0.0, found)


def marked(reference: str, written: str) -> list[tuple[str, str, str]]:
    """Words of both in order, as (``"equal"``, ``"replace"``, ``"delete"`` or ``"insert"``, of the
    reference, written)."""
    first, second = reference.split(), written.split()
    found = difflib.SequenceMatcher(None, first, second, False).get_opcodes()
    return [(kind, " ".join(first[a:b]), " ".join(second[c:d])) for kind, a, b, c, d in found]


def term_accuracy(
    sources: Sequence[str], written: Sequence[str], glossary: Mapping[str, str]
) -> float:
    """The share of all mentions of a glossary's terms in sources whose translation has what they
    are called, whatever its case; NaN where none is mentioned."""
    right = there = 0
    for source, text in zip(sources, written, strict=True):
        for term, name in glossary.items():
            times = source.casefold().count(term.casefold())
            there += times
            right += min(times, text.casefold().count(name.casefold()))
    return right / there if there else float("nan")
