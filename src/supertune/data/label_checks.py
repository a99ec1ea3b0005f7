"""What a person should know about the labels of their rows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from supertune import registry
from supertune.contracts import Examples, Finding, Input, IntArray
from supertune.data.cells import as_number, counted, listed
from supertune.data.labels import Answers, ordered

UNEVEN = 5.0  # largest class to smallest
FEW = 30  # labelled rows below which every interval is wide

Check = Callable[[Examples], list[Finding]]


def numeric(names: tuple[str, ...]) -> list[Finding]:
    """``label_looks_numeric`` when there are many labels and all are numbers."""
    if len(names) <= 10 or any(as_number(name) is None for name in names):
        return []
    message = (
        f"All {len(names)} labels are numbers. They are learned as classes without an order; "
        "fewer classes, such as low and high, may serve better."
    )
    return [Finding("label_looks_numeric", message)]


def variants(answers: Answers, rows: IntArray) -> list[Finding]:
    """``label_variants``: labels that differ in case alone stay apart, with a warning; blanks
    around a label were left out, and that is said."""
    given, blanks = answers.given, answers.blanks
    names = ordered(given)
    spellings: dict[str, list[str]] = {}
    for name in names:
        spellings.setdefault(" ".join(name.casefold().split()), []).append(name)
    found = []
    for alike in spellings.values():
        if len(alike) > 1:
            members = set(alike)
            where = tuple(int(rows[i]) for i, one in enumerate(given) if one and members & {*one})
            quoted = " and ".join(map(repr, alike))
            message = f"The labels {quoted} differ only in spelling but are learned as different."
            found.append(Finding("label_variants", message, where))
    if blanks:
        message = f"{counted(len(blanks), 'label')} had blanks around, which were left out."
        where = tuple(int(rows[i]) for i in blanks)
        found.append(Finding("label_variants", message, where, "info"))
    return found


def unlabelled(examples: Examples) -> list[Finding]:
    """``unlabelled``: rows that carry no answer; they are not learned from."""
    if examples.targets is None or examples.multi_label:
        return []
    open_rows = np.flatnonzero(examples.targets < 0)
    if not len(open_rows):
        return []
    count = len(open_rows)
    message = f"{counted(count, 'row')} without a label {are(count)} not learned from."
    return [Finding("unlabelled", message, numbers(examples.rows[open_rows]), "info")]


def few_rows(examples: Examples) -> list[Finding]:
    """``few_rows``: so few that every interval will be wide."""
    assert examples.targets is not None
    count = len(examples) if examples.multi_label else int((examples.targets >= 0).sum())
    if count >= FEW:
        return []
    message = f"With {counted(count, 'labelled row')} every score has a wide interval."
    return [Finding("few_rows", message, (), "info")]


def small_classes(examples: Examples, folds: int) -> list[Finding]:
    """``few_rows_in_class``: classes that cannot be asked about in every fold."""
    held = _held(examples)
    counts = held.sum(axis=0)
    small = np.flatnonzero(counts < folds)
    if not len(small):
        return []
    named = [f"{examples.labels[i]} ({counts[i]:.0f})" for i in small]
    classes = counted(len(small), "class", "classes")
    message = (
        f"{classes} {'has' if len(small) == 1 else 'have'} fewer rows than the {folds} folds: "
        f"{listed(named)}. Some folds are not asked about them; label more of these."
    )
    rows = np.flatnonzero(held[:, small].any(axis=1))
    return [Finding("few_rows_in_class", message, numbers(examples.rows[rows]))]


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
    return [Finding("imbalance", message, numbers(examples.rows[rows]))]


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
    return [Finding("class_in_one_group", message, numbers(examples.rows[rows]))]


def contradictions(examples: Examples) -> list[Finding]:
    """``contradicting_labels``: the same text with different answers."""
    answers: dict[Input, dict[object, list[int]]] = {}
    for i, value in enumerate(examples.inputs):
        answer = answer_of(examples, i)
        if answer not in (None, -1):
            answers.setdefault(value, {}).setdefault(answer, []).append(i)
    torn = [each for each in answers.values() if len(each) > 1]
    if not torn:
        return []
    rows = sorted(i for each in torn for held in each.values() for i in held)
    noun = registry.modality(examples.modality).noun
    message = (
        f"{counted(len(torn), noun)} {'has' if len(torn) == 1 else 'have'} different labels in "
        f"different rows ({counted(len(rows), 'row')}); no model can be right on all of them."
    )
    return [Finding("contradicting_labels", message, numbers(examples.rows[rows]))]


def answer_of(examples: Examples, i: int) -> object:
    """What row ``i`` answers, as something that can be compared and counted."""
    if examples.targets is None:
        return None
    return tuple(examples.targets[i]) if examples.multi_label else examples.targets[i].item()


def _held(examples: Examples) -> npt.NDArray[np.float64]:
    """(n, C) ones where a row has a label."""
    assert examples.targets is not None
    if examples.multi_label:
        return np.asarray(examples.targets, dtype=np.float64)
    return np.asarray(examples.targets[:, None] == np.arange(len(examples.labels)), np.float64)


def numbers(rows: IntArray) -> tuple[int, ...]:
    return tuple(int(row) for row in rows)


def are(count: int) -> str:
    return "is" if count == 1 else "are"


ALL: tuple[Check, ...] = (unlabelled, contradictions, few_rows, imbalance)
"""Those that look at nothing but the training rows, whatever the recipe."""
