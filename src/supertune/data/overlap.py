"""What training and test rows have in common: a score is only worth what the model has not seen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from supertune import registry
from supertune.contracts import Finding, Input, fields_of, modality_of
from supertune.data.cells import counted, listed
from supertune.data.text_rows import TextRows
from supertune.errors import InputError


def without_overlap(
    train: TextRows, test: TextRows, option: str = "--test"
) -> tuple[TextRows, list[Finding]]:
    """Test rows whose text (but for case and blanks) or picture, and whose group, is not learned
    from. ``option`` is what made them test rows.

    Raises:
        InputError: ``test_overlap`` or ``group_overlap`` when none is left.
    """
    rows = registry.modality(modality_of(train.inputs))
    known = set(map(rows.same, train.inputs))
    shared = np.array([rows.same(value) in known for value in test.inputs], dtype=bool)
    what = "also in the training rows"
    test, found = _left(test, shared, "test_overlap", what, f"{rows.noun}s", option)
    if train.named is not None and test.named is not None:
        groups = set(train.named) - {None}
        shared = np.array([name in groups for name in test.named], dtype=bool)
        test, more = _left(
            test, shared, "group_overlap", "of a group that is also learned from", "groups", option
        )
        found += more
    return test, found


def near_overlap(train: Sequence[Input], test: TextRows) -> list[Finding]:
    """``near_test_overlap``: test rows nearly the same as a training row; they are kept."""
    alike = registry.modality(modality_of(train)).alike
    near = sorted(
        i - len(train)
        for members in alike([*train, *test.inputs])
        if members[0] < len(train)
        for i in members
        if i >= len(train)
    )
    if not near:
        return []
    verb = "is" if len(near) == 1 else "are"
    message = (
        f"{counted(len(near), 'test row')} {verb} nearly the same as a training row and kept; the "
        "score may be too good by them."
    )
    return [Finding("near_test_overlap", message, tuple(int(test.rows[i]) for i in near))]


def _left(
    test: TextRows, shared: npt.NDArray[np.bool_], code: str, what: str, allowed: str, option: str
) -> tuple[TextRows, list[Finding]]:
    if not shared.any():
        return test, []
    rows = tuple(int(row) for row in test.rows[shared])
    if shared.all():
        raise InputError(
            code,
            f"Every test row is {what}, so nothing is left to judge by.",
            received=f"test rows {listed([str(row) for row in rows])}",
            allowed=f"test rows whose {allowed} the model has not seen",
            next=f"Give other rows with --test, or leave {option} out to cross-validate.",
        )
    verb = "is" if len(rows) == 1 else "are"
    message = (
        f"{counted(len(rows), 'test row')} {verb} {what} and left out of the test; "
        f"{len(test) - len(rows):,} remain."
    )
    return test.take(np.flatnonzero(~shared)), [Finding(code, message, rows)]


def folded(value: Input) -> tuple[str, ...]:
    """An input without regard to case and to how many spaces there are."""
    return tuple(" ".join(str(part).casefold().split()) for part in fields_of(value))
