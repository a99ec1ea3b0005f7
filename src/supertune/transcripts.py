"""Texts that were heard against texts that were said: aligned word by word, counted, scored.

Before they are compared both are normalised, so that spelling conventions are no errors: Unicode
NFKC, lower case, whatever is no letter, digit or mark becomes a blank but an apostrophe within a
word, and blanks are single. Numbers stay as they are written: "2" is not "two".

WER and CER are errors (substitutions, deletions, insertions) over words or characters that were
said, summed over all rows (Morris et al. 2004); jiwer aligns.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt

from supertune.contracts import FloatArray
from supertune.contracts.speech import texts_of

METRICS: Mapping[str, bool] = {"wer": False, "cer": False, "exact": True}
NORMALISED = "Unicode NFKC, lower case, without punctuation; numbers as written"
Kind = Literal["equal", "substitute", "delete", "insert"]


@dataclass(frozen=True)
class Piece:
    """Words that belong together in an alignment: what was said, and what was written."""

    kind: Kind
    said: tuple[str, ...]
    written: tuple[str, ...]


def normalised(text: str) -> str:
    """A text as it is compared."""
    plain = unicodedata.normalize("NFKC", text).lower().replace("\u2019", "'")
    kept = []
    for place, sign in enumerate(plain):
        inside = 0 < place < len(plain) - 1 and plain[place - 1].isalnum()
        inside = inside and plain[place + 1].isalnum()
        whole = unicodedata.category(sign)[0] in "LNM" or (sign == "'" and inside)
        kept.append(sign if whole else " ")
    return " ".join("".join(kept).split())


@lru_cache(maxsize=65_536)  # a bootstrap and a baseline ask about the same rows
def errors(said: str, written: str) -> tuple[int, int, int, int]:
    """Errors and what was said, in words and in characters, of two texts as they are."""
    said, written = normalised(said), normalised(written)
    if not said or not written:  # jiwer refuses to compare with nothing
        words, signs = said.split(), len(said)
        return len(words or written.split()), len(words), signs or len(written), signs
    import jiwer

    words_of, signs_of = jiwer.process_words(said, written), jiwer.process_characters(said, written)
    return _errors(words_of), len(said.split()), _errors(signs_of), len(said)


def _errors(found: Any) -> int:
    return int(found.substitutions + found.deletions + found.insertions)


def aligned(said: str, written: str) -> list[Piece]:
    """What belongs to what, of both texts normalised."""
    first, second = normalised(said).split(), normalised(written).split()
    if not first or not second:
        kind: Kind = "delete" if first else "insert"
        return [Piece(kind, tuple(first), tuple(second))] if first or second else []
    import jiwer

    chunks = jiwer.process_words(" ".join(first), " ".join(second)).alignments[0]
    return [
        Piece(
            cast(Kind, chunk.type),
            tuple(first[chunk.ref_start_idx : chunk.ref_end_idx]),
            tuple(second[chunk.hyp_start_idx : chunk.hyp_end_idx]),
        )
        for chunk in chunks
    ]


def counted(answers: FloatArray, targets: npt.NDArray[Any]) -> FloatArray:
    """(n, 5) of each row: word errors, words, character errors, characters, and whether all of it
    is right."""
    rows = [
        (*errors(str(said), written),) for said, written in zip(targets.tolist(), texts_of(answers))
    ]
    found = np.array(rows, dtype=np.float64).reshape(len(rows), 4)
    return np.column_stack([found, found[:, 0] == 0])


def scores(
    answers: FloatArray, targets: npt.NDArray[Any], weights: FloatArray | None = None
) -> dict[str, FloatArray]:
    """All metrics, B values each.

    Args:
        answers: (n, W) texts as `supertune.contracts.speech.numbered` has them.
        targets: (n,) what was said.
        weights: (B, n); one if None.
    """
    rows = counted(answers, targets)
    times = np.ones((1, len(rows))) if weights is None else weights
    sums = times @ rows
    mass = np.maximum(times.sum(axis=1), 1e-12)
    return {
        "wer": sums[:, 0] / np.maximum(sums[:, 1], 1.0),
        "cer": sums[:, 2] / np.maximum(sums[:, 3], 1.0),
        "exact": sums[:, 4] / mass,
    }


def term_accuracy(said: Sequence[str], written: Sequence[str], terms: Sequence[str]) -> float:
    """The share of all mentions of terms that are written as they were said, each in its text; NaN
    where none of them is mentioned."""
    right = there = 0
    for first, second in zip(said, written, strict=True):
        own, found = normalised(first).split(), normalised(second).split()
        for term in {tuple(normalised(term).split()) for term in terms} - {()}:
            times = _mentions(own, term)
            there += times
            right += min(times, _mentions(found, term))
    return right / there if there else float("nan")


def term_scores(
    terms: Sequence[str],
    answers: FloatArray,
    targets: npt.NDArray[Any],
    weights: FloatArray | None = None,
) -> dict[str, FloatArray]:
    """``term_accuracy`` and ``mentions`` of terms, B values each. A draw of rows without a mention
    has the accuracy of all of them; that of no mention at all is 0."""
    found = []
    for said, written in zip(targets.tolist(), texts_of(answers), strict=True):
        times, right = mentions([said], terms), term_accuracy([said], [written], terms)
        found.append((right * times if times else 0.0, times))
    rows = np.array(found, dtype=np.float64).reshape(len(found), 2)
    sums = (np.ones((1, len(rows))) if weights is None else weights) @ rows
    whole = rows.sum(axis=0)
    share = np.full(len(sums), whole[0] / max(1.0, whole[1]))
    there = sums[:, 1] > 0
    share[there] = sums[there, 0] / sums[there, 1]
    return {"term_accuracy": share, "mentions": sums[:, 1]}


def mentions(said: Sequence[str], terms: Sequence[str]) -> int:
    """How often any of the terms is said."""
    own = [normalised(text).split() for text in said]
    wanted = {tuple(normalised(term).split()) for term in terms} - {()}
    return sum(_mentions(words, term) for words in own for term in wanted)


def _mentions(words: Sequence[str], term: tuple[str, ...]) -> int:
    size = len(term)
    starts = range(len(words) - size + 1)
    return sum(tuple(words[start : start + size]) == term for start in starts)
