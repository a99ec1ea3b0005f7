"""What a person should know about their rows before they trust a score.

Each check is a function of rows that answers with findings; those that change the rows return
what is left. `prepared` runs them in the order in which they build on one another.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from supertune import registry
from supertune.contracts import Examples, Finding, Input, IntArray, modality_of
from supertune.data import grouping, label_checks
from supertune.data.cells import counted
from supertune.data.joining import as_one, is_blank
from supertune.data.label_checks import answer_of, are, numbers
from supertune.errors import InputError


def prepared(
    train: Examples, named: Sequence[str | None] | None = None
) -> tuple[Examples, list[Finding]]:
    """Training rows after the checks: copies are dropped, rows that are alike share a group.

    Args:
        named: (n,) the group that each row was given, if any.
    """
    kept, found = duplicates(train, named)
    train = train.take(kept)
    named = None if named is None else [named[i] for i in kept]
    clusters = registry.modality(train.modality).alike(train.inputs)
    found += alike(train, clusters)
    train = grouping.kept_together(train, named, clusters)
    for check in label_checks.ALL:
        found += check(train)
    if named is not None:
        found += label_checks.classes_in_one_group(train)
    return train, found


def grouped(examples: Examples, named: Sequence[str | None] | None) -> Examples:
    """``examples`` with the groups they were given, if any, as integers."""
    return grouping.kept_together(examples, named, ())


# --- texts ------------------------------------------------------------------------------------


def empty_texts(
    inputs: Sequence[Input], rows: IntArray, source: str
) -> tuple[IntArray, list[Finding]]:
    """Indices of the rows that have a text, and the finding about the others.

    Raises:
        InputError: ``no_texts`` when none has.
    """
    void = np.array([is_blank(value) for value in inputs], dtype=bool)
    if len(void) and void.all():
        raise InputError(
            "no_texts",
            f"The text is empty in all rows of {source}.",
            received=counted(len(void), "empty text"),
            allowed="texts",
            next="Name another column with --text NAME.",
        )
    if not void.any():
        return np.arange(len(void)), []
    count = int(void.sum())
    noun = registry.modality(modality_of([inputs[int(np.argmin(void))]])).noun
    message = f"{counted(count, 'row')} of {source} without a {noun} {are(count)} left out."
    return np.flatnonzero(~void), [Finding(f"empty_{noun}", message, numbers(rows[void]))]


def token_count(text: str) -> int:
    """Tokens of a text, estimated from characters: 4 to a token, 1.3 in unspaced scripts."""
    if text.isascii():
        return len(text) // 4 + 2
    head = text[:2000]
    share = sum(char > "\u2e7f" for char in head) / max(1, len(head))
    return int(len(text) * (share / 1.3 + (1 - share) / 4)) + 2


def long_texts(examples: Examples, most: int) -> list[Finding]:
    """``long_text``: more tokens, as estimated, than the ``most`` that are read."""
    texts = [as_one(value) for value in examples.inputs]
    # No script has more than one token in 1.3 characters, so most texts need no closer look.
    counts = [token_count(text) if len(text) > most else 0 for text in texts]
    long = [i for i, count in enumerate(counts) if count > most]
    if not long:
        return []
    message = (
        f"{counted(len(long), 'text')} {'has' if len(long) == 1 else 'have'} more than about "
        f"{most} tokens (the longest {max(counts):,}). The recipe's long_text and max_length say "
        "what is read of them."
    )
    return [Finding("long_text", message, numbers(examples.rows[long]), "info")]


def duplicates(
    examples: Examples, named: Sequence[str | None] | None = None
) -> tuple[IntArray, list[Finding]]:
    """Indices without the copies (same text, same answer), and the finding about the copies.

    The first of several is kept; where copies differ in group, weight or slice, the one that
    comes first in the order of these, so that the file's order cannot matter.
    """
    first: dict[object, int] = {}
    copies: list[int] = []
    for i, value in enumerate(examples.inputs):
        key = (value, answer_of(examples, i))
        held = first.setdefault(key, i)
        if held != i:
            later = i
            if _beside(examples, named, i) < _beside(examples, named, held):
                first[key], later = i, held
            copies.append(later)
    if not copies:
        return np.arange(len(examples)), []
    gone = set(copies)
    message = (
        f"{counted(len(copies), 'row')} {are(len(copies))} an exact copy of another with the same "
        "label and left out: a copy on both sides of a fold flatters every score."
        if len(copies) == 1
        else f"{counted(len(copies), 'row')} are exact copies of others with the same label and "
        "left out: copies on both sides of a fold flatter every score."
    )
    kept = np.array([i for i in range(len(examples)) if i not in gone], dtype=np.int64)
    rows = numbers(examples.rows[sorted(copies)])
    noun = registry.modality(examples.modality).noun
    return kept, [Finding(f"duplicate_{noun}", message, rows)]


def alike(examples: Examples, clusters: Sequence[Sequence[int]]) -> list[Finding]:
    """``near_duplicate_text``: clusters of texts that are nearly, but not exactly, the same."""
    near = [members for members in clusters if len({examples.inputs[i] for i in members}) > 1]
    if not near:
        return []
    rows = [i for members in near for i in members]
    message = (
        f"{counted(len(rows), 'row')} {are(len(rows))} nearly the same as another "
        f"({counted(len(near), 'cluster')}); each cluster stays on one side of a split."
    )
    noun = registry.modality(examples.modality).noun
    return [Finding(f"near_duplicate_{noun}", message, numbers(examples.rows[sorted(rows)]))]


def _beside(
    examples: Examples, named: Sequence[str | None] | None, i: int
) -> tuple[str, float, tuple[str, ...]]:
    group = "" if named is None else named[i] or ""
    weight = 0.0 if examples.weights is None else float(examples.weights[i])
    return group, weight, tuple(str(examples.slices[name][i]) for name in sorted(examples.slices))
