"""People and items that are left out of learning, so that they judge as new ones would.

Who is left out depends on names alone: neither on the order of rows nor on chance.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from supertune.contracts import Finding, History, IntArray
from supertune.data.cells import counted
from supertune.errors import InputError

OUT = 0.2  # of all people, or of the items that may judge
FIRST = 5  # items of somebody new that a model is given; the later ones judge
ENOUGH = 5  # people who took an item that may judge

Mask = npt.NDArray[np.bool_]


def shown(count: int) -> int:
    """How many of somebody's items a model is given that never saw them."""
    return min(FIRST, max(0, count - 1))


def people(histories: Sequence[History]) -> Mask:
    """(p,) those who are left out, a fifth of those with two items or more."""
    able = [i for i, one in enumerate(histories) if len(one) > 1]
    return _mask(_drawn(able, [histories[i].person for i in able]), len(histories))


def items(histories: Sequence[History], ids: Sequence[str]) -> Mask:
    """(I,) those that are left out, a fifth of those that several people took.

    Raises:
        InputError: ``too_few_items``.
    """
    counts = np.bincount(np.concatenate([one.items for one in histories]), minlength=len(ids))
    able = np.flatnonzero(counts >= ENOUGH).tolist()
    out = _drawn(able, [ids[i] for i in able])
    if len(out) < 2:
        raise InputError(
            "too_few_items",
            "Too few items were taken often enough to be left out and judge.",
            received=f"{counted(len(able), 'item')} that {ENOUGH} people or more took",
            allowed=f"{round(2 / OUT)} such items or more",
            next="Give more interactions, or judge by --hold-out last.",
        )
    return _mask(out, len(ids))


def without(one: History, gone: Mask) -> History:
    """A person without some items."""
    left = ~gone[one.items]
    return replace(
        one,
        items=one.items[left],
        times=one.times[left],
        ratings=one.ratings[left],
        known=int(left.sum()),
    )


def asked_about(one: History, among: IntArray) -> History:
    """The same person, who is to be told about some items alone."""
    return replace(one, among=among)


def told(hold_out: str | None, count: int) -> list[Finding]:
    """What is to be said of scores by people or items that are left out."""
    message = {
        "users": f"Judged by {counted(count, 'person', 'people')} of whom nothing was learned "
        f"from, each by what they did after their first {FIRST} items.",
        "items": f"Judged by {counted(count, 'item')} that were left out of learning and are "
        "ranked among themselves; candidates are compared by items that were not.",
    }.get(hold_out or "")
    return [] if message is None else [Finding("judged_as_new", message, severity="info")]


def _drawn(able: Sequence[int], names: Sequence[str]) -> list[int]:
    order = sorted(zip(able, names, strict=True), key=lambda one: _digest(one[1]))
    return [place for place, _ in order[: max(1, round(OUT * len(able)))]]


def _digest(name: str) -> Any:
    return hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest()


def _mask(places: Sequence[int], size: int) -> Mask:
    found = np.zeros(size, dtype=bool)
    found[list(places)] = True
    return found
