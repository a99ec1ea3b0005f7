"""What a person should know about their rows before they trust a score.

Each check is a function of rows that answers with findings; those that change the rows return
what is left. `prepared` runs them in the order in which they build on one another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from supertune.contracts import Examples, Finding, Input, IntArray
from supertune.data import grouping, near_duplicates
from supertune.data.cells import counted, listed
from supertune.data.joining import as_one, is_blank
from supertune.errors import InputError

FOLDS = 5  # of the default recipe
LONG = 256  # tokens, the default of the recipe's max_length
UNEVEN = 5.0  # largest class to smallest
FEW = 30  # labelled rows below which every interval is wide

Check = Callable[[Examples], list[Finding]]


@dataclass(frozen=True, eq=False)
class Prepared:
    """Rows to learn from and to judge by, after the checks."""

    train: Examples
    test: Examples | None
    findings: list[Finding]


def prepared(
    train: Examples, test: Examples | None, named: Sequence[str | None] | None = None
) -> Prepared:
    """Both sets after the checks. Copies are dropped from the training rows, rows that are
    alike share a group, and test rows that were also learned from are dropped.

    Args:
        named: (n,) the group that each training row was given, if any.

    Raises:
        InputError: ``test_overlap`` when every test row is also a training row.
    """
    kept, found = duplicates(train, named)
    train = train.take(kept)
    named = None if named is None else [named[i] for i in kept]
    texts = [as_one(value) for value in train.inputs]
    clusters = near_duplicates.clusters(texts)
    found += alike(train, texts, clusters)
    train = grouping.kept_together(train, named, clusters)
    for check in (contradictions, *ABOUT_ROWS):
        found += check(train)
    if named is not None:
        found += classes_in_one_group(train)
    if test is not None:
        test, shared = without_overlap(train, test)
        found += shared
    return Prepared(train, test, found)


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
    message = f"{counted(count, 'row')} of {source} without a text {_is(count)} left out."
    return np.flatnonzero(~void), [Finding("empty_text", message, _numbers(rows[void]))]


def token_count(text: str) -> int:
    """Tokens of a text, estimated from characters: 4 to a token, 1.3 in unspaced scripts."""
    if text.isascii():
        return len(text) // 4 + 2
    head = text[:2000]
    share = sum(char > "\u2e7f" for char in head) / max(1, len(head))
    return int(len(text) * (share / 1.3 + (1 - share) / 4)) + 2


def long_texts(examples: Examples, most: int = LONG) -> list[Finding]:
    """``long_text``: more tokens, as estimated, than are read by default."""
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
    return [Finding("long_text", message, _numbers(examples.rows[long]), "info")]


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
        key = (value, _answer(examples, i))
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
        f"{counted(len(copies), 'row')} {_is(len(copies))} an exact copy of another with the same "
        "label and left out: a copy on both sides of a fold flatters every score."
        if len(copies) == 1
        else f"{counted(len(copies), 'row')} are exact copies of others with the same label and "
        "left out: copies on both sides of a fold flatter every score."
    )
    kept = np.array([i for i in range(len(examples)) if i not in gone], dtype=np.int64)
    rows = _numbers(examples.rows[sorted(copies)])
    return kept, [Finding("duplicate_text", message, rows)]


def alike(
    examples: Examples, texts: Sequence[str], clusters: Sequence[Sequence[int]]
) -> list[Finding]:
    """``near_duplicate_text``: clusters of texts that are nearly, but not exactly, the same."""
    near = [members for members in clusters if len({texts[i] for i in members}) > 1]
    if not near:
        return []
    rows = [i for members in near for i in members]
    message = (
        f"{counted(len(rows), 'row')} {_is(len(rows))} nearly the same as another "
        f"({counted(len(near), 'cluster')}); each cluster stays on one side of a split."
    )
    return [Finding("near_duplicate_text", message, _numbers(examples.rows[sorted(rows)]))]


def contradictions(examples: Examples) -> list[Finding]:
    """``contradicting_labels``: the same text with different answers."""
    answers: dict[Input, dict[object, list[int]]] = {}
    for i, value in enumerate(examples.inputs):
        answer = _answer(examples, i)
        if answer not in (None, -1):
            answers.setdefault(value, {}).setdefault(answer, []).append(i)
    torn = [each for each in answers.values() if len(each) > 1]
    if not torn:
        return []
    rows = sorted(i for each in torn for held in each.values() for i in held)
    message = (
        f"{counted(len(torn), 'text')} {'has' if len(torn) == 1 else 'have'} different labels in "
        f"different rows ({counted(len(rows), 'row')}); no model can be right on all of them."
    )
    return [Finding("contradicting_labels", message, _numbers(examples.rows[rows]))]


# --- labels -----------------------------------------------------------------------------------


def unlabelled(examples: Examples) -> list[Finding]:
    """``unlabelled``: rows that carry no answer; they are not learned from."""
    if examples.targets is None or examples.multi_label:
        return []
    open_rows = np.flatnonzero(examples.targets < 0)
    if not len(open_rows):
        return []
    count = len(open_rows)
    message = f"{counted(count, 'row')} without a label {_is(count)} not learned from."
    return [Finding("unlabelled", message, _numbers(examples.rows[open_rows]), "info")]


def few_rows(examples: Examples) -> list[Finding]:
    """``few_rows``: so few that every interval will be wide."""
    count = int(_held(examples).any(axis=1).sum())
    if count >= FEW:
        return []
    message = f"With {counted(count, 'labelled row')} every score has a wide interval."
    return [Finding("few_rows", message, (), "info")]


def small_classes(examples: Examples, folds: int = FOLDS) -> list[Finding]:
    """``few_rows_in_class``: classes that cannot be in every fold."""
    held = _held(examples)
    counts = held.sum(axis=0)
    small = np.flatnonzero(counts < folds)
    if not len(small):
        return []
    named = [f"{examples.labels[i]} ({counts[i]:.0f})" for i in small]
    classes = counted(len(small), "class", "classes")
    message = (
        f"{classes} {'has' if len(small) == 1 else 'have'} fewer rows than the {folds} folds: "
        f"{listed(named)}. Fewer folds are used; label more of these."
    )
    rows = np.flatnonzero(held[:, small].any(axis=1))
    return [Finding("few_rows_in_class", message, _numbers(examples.rows[rows]))]


def imbalance(examples: Examples) -> list[Finding]:
    """``imbalance``: the largest class has many times the rows of the smallest."""
    held = _held(examples)
    counts = held.sum(axis=0)
    most, least = int(counts.argmax()), int(counts.argmin())
    if counts[most] < UNEVEN * max(counts[least], 1):
        return []
    message = (
        f"'{examples.labels[most]}' has {counts[most]:,.0f} rows and '{examples.labels[least]}' "
        f"{counts[least]:,.0f}. Accuracy then says little of the rare one: consider --metric "
        "macro_f1 or --set class_weights=balanced."
    )
    rows = np.flatnonzero(held[:, least])
    return [Finding("imbalance", message, _numbers(examples.rows[rows]))]


def classes_in_one_group(examples: Examples) -> list[Finding]:
    """``class_in_one_group``: classes that cannot be both learned and judged."""
    if examples.groups is None:
        return []
    held = _held(examples)
    single = [
        place
        for place in range(len(examples.labels))
        if len(set(examples.groups[held[:, place] > 0].tolist())) == 1
    ]
    if not single:
        return []
    names = listed([examples.labels[place] for place in single])
    message = (
        f"All rows of {names} are in one group, so no fold can both learn and judge "
        f"{'it' if len(single) == 1 else 'them'}."
    )
    rows = np.flatnonzero(held[:, single].any(axis=1))
    return [Finding("class_in_one_group", message, _numbers(examples.rows[rows]))]


# --- training and test rows -------------------------------------------------------------------


def without_overlap(train: Examples, test: Examples) -> tuple[Examples, list[Finding]]:
    """Test rows whose text, but for case and blanks, is not among the training rows.

    Raises:
        InputError: ``test_overlap`` when none is left.
    """
    known = {_folded(value) for value in train.inputs}
    shared = np.array([_folded(value) in known for value in test.inputs], dtype=bool)
    if not shared.any():
        return test, []
    rows = _numbers(test.rows[shared])
    if shared.all():
        raise InputError(
            "test_overlap",
            "Every test row is also a training row, so nothing is left to judge by.",
            received=f"test rows {listed([str(row) for row in rows])}",
            allowed="test rows whose texts the model has not seen",
            next="Give other rows with --test, or leave it out to cross-validate.",
        )
    message = (
        f"{counted(len(rows), 'test row')} {_is(len(rows))} also in the training rows and left out "
        f"of the test: {len(test) - len(rows):,} remain."
    )
    return test.take(np.flatnonzero(~shared)), [Finding("test_overlap", message, rows)]


ABOUT_ROWS: tuple[Check, ...] = (long_texts, unlabelled, few_rows, small_classes, imbalance)


def _folded(value: Input) -> tuple[str, ...]:
    parts = (value,) if isinstance(value, str) else value
    return tuple(" ".join(part.casefold().split()) for part in parts)


def _answer(examples: Examples, i: int) -> object:
    if examples.targets is None:
        return None
    return tuple(examples.targets[i]) if examples.multi_label else int(examples.targets[i])


def _beside(
    examples: Examples, named: Sequence[str | None] | None, i: int
) -> tuple[str, float, tuple[str, ...]]:
    group = "" if named is None else named[i] or ""
    weight = 0.0 if examples.weights is None else float(examples.weights[i])
    return group, weight, tuple(str(examples.slices[name][i]) for name in sorted(examples.slices))


def _held(examples: Examples) -> npt.NDArray[np.float64]:
    """(n, C) ones where a row has a label."""
    assert examples.targets is not None
    if examples.multi_label:
        return np.asarray(examples.targets, dtype=np.float64)
    return np.asarray(examples.targets[:, None] == np.arange(len(examples.labels)), np.float64)


def _numbers(rows: IntArray) -> tuple[int, ...]:
    return tuple(int(row) for row in rows)


def _is(count: int) -> str:
    return "is" if count == 1 else "are"
