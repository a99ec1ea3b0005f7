"""Repeated cross-validation: who learns and who is asked, fold by fold.

Written in NumPy alone, so that the folds depend on the seed and on nothing else installed.
Shapes: n rows, C labels, G units (rows, or whole groups of rows), k folds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from supertune.contracts import Examples, FloatArray, IntArray
from supertune.errors import InputError

Fold: TypeAlias = tuple[IntArray, IntArray]
"""Row indices to learn from and row indices to be asked about, both ascending."""

_ATTEMPTS = 10
FEW_LABELS = 2  # with more, the share of each matters less than how many rows it is learned from

_Deal: TypeAlias = Callable[[FloatArray, int, np.random.Generator], IntArray]


def feasible_folds(examples: Examples, folds: int, *, complete: bool = False) -> int:
    """How many folds these rows allow: at most ``folds``, at least 2, no more than rows or
    groups.

    A label with fewer rows than folds is asked about in some of them only, and learned from in
    all: fewer folds would judge models of far fewer rows than the one that is kept. With
    ``complete`` there are no more folds than the rarest label has rows (or groups), so that every
    fold holds each label; labels with a single one don't count.

    Raises:
        InputError: ``too_few_rows`` or ``too_few_groups`` when nothing can be split.
    """
    content, _ = _units(examples)
    if len(content) < 2:
        kind = "rows" if examples.groups is None else "groups"
        raise InputError(
            f"too_few_{kind}",
            f"Cross-validation needs at least two {kind}.",
            received=f"{len(content)} of them",
            allowed=f"2 or more labelled {kind}",
            next="Label more rows, or pass a test file with --test.",
        )
    if not complete:
        return max(2, min(folds, len(content)))
    spread = (content > 0).sum(axis=0)
    common = spread[spread >= 2]
    rarest = int(common.min()) if len(common) else len(content)
    return max(2, min(folds, rarest, len(content)))


def repeated_folds(
    examples: Examples, *, folds: int, repeats: int, seed: int, stratified: bool = False
) -> list[list[Fold]]:
    """``repeats`` lists of folds; each row is asked about once a repeat.

    Where every label has as many rows as any other, as when a person labels so many of each,
    each fold holds equally many of each. Two labels that are uneven were drawn as they came, and
    so are their folds: folds that all have their shares would show these to the models
    (docs/decisions/0024). With more labels, or fewer rows of one than folds, each fold holds its
    share of each, as little enough is left to learn a label from. ``stratified`` folds hold their
    share of each label whatever there is, to stop by and not to judge by.

    Rows of one group stay on one side; a label with at least two rows (or groups) is in every
    training part where that can be had. ``folds`` drops to `feasible_folds`. Rows with several
    labels, and groups, are placed greedily, the rarest labels first, after iterative
    stratification (Sechidis et al. 2011).
    """
    count = feasible_folds(examples, folds)
    content, unit_of_row = _units(examples)
    several = examples.multi_label or examples.boxed
    plain = examples.groups is None and not several
    by_label: _Deal = _in_turn if plain else _balance
    repeated: list[list[Fold]] = []
    for repeat in range(repeats):
        rng = np.random.default_rng([seed, repeat])
        deal = by_label
        if not (stratified or several):
            deal = _as_drawn(content, count) or by_label
        place = deal(content, count, rng)
        where = place[unit_of_row]
        repeated.append([_sides(where == fold) for fold in range(count)])
    return repeated


def _sides(asked: npt.NDArray[np.bool_]) -> Fold:
    return np.flatnonzero(~asked), np.flatnonzero(asked)


def _units(examples: Examples) -> tuple[FloatArray, IntArray]:
    """What must stay whole: label counts (G, C) of each unit, and the unit (n,) of each row."""
    if examples.targets is None:
        raise InputError(
            "no_labels", "These rows carry no labels to split by.", next="Name the label column."
        )
    n = len(examples)
    if examples.multi_label or examples.boxed:
        # Rows without any label are a kind of their own, to be spread like the others.
        given = np.asarray(examples.targets, dtype=np.float64)
        if examples.boxed:
            names = np.arange(len(examples.labels))
            given = (given[:, :, 4, None] == names).any(axis=1).astype(np.float64)
        content = np.column_stack([given, given.sum(axis=1) == 0])
    elif examples.valued or examples.worded or examples.listed:
        content = np.ones((n, 1))  # no kinds of rows to be spread
    else:
        content = np.zeros((n, max(len(examples.labels), int(examples.targets.max()) + 1)))
        content[np.arange(n), examples.targets] = 1.0
    if examples.groups is None:
        return content, np.arange(n)
    names, unit_of_row = np.unique(examples.groups, return_inverse=True)
    merged = np.zeros((len(names), content.shape[1]))
    np.add.at(merged, unit_of_row, content)
    return merged, unit_of_row


def _as_drawn(content: FloatArray, folds: int) -> _Deal | None:
    """How units with one label a row are dealt as they were drawn; None: label by label."""
    counts = content.sum(axis=0)
    counts = counts[counts > 0]
    if counts.min() < folds:
        return None
    if np.ptp(counts):
        return _at_random if len(counts) <= FEW_LABELS else None
    return _evenly if (content.sum(axis=1) == 1).all() else None


def _evenly(content: FloatArray, folds: int, rng: np.random.Generator) -> IntArray:
    """Each fold holds as many rows of a label as of any other, though folds then differ in size.
    Where one holds more of a label, those who learn have seen less of it than of others, and are
    wrong more often than the model that is kept."""
    label = content.argmax(axis=1)
    order = rng.permutation(len(label))
    nth = np.arange(len(label)) % int(content.sum(axis=0).max())
    place = np.empty(len(label), dtype=np.int64)
    place[order[np.argsort(label[order], kind="stable")]] = nth % folds
    return rng.permutation(folds)[place]


def _in_turn(content: FloatArray, folds: int, rng: np.random.Generator) -> IntArray:
    """Each label's rows are dealt like cards, without starting anew between labels, so that
    folds differ by one row at most."""
    label = content.argmax(axis=1)
    order = rng.permutation(len(label))
    rank_of_label = rng.permutation(content.shape[1])
    order = order[np.argsort(rank_of_label[label[order]], kind="stable")]
    place = np.empty(len(label), dtype=np.int64)
    place[order] = np.arange(len(label)) % folds
    return rng.permutation(folds)[place]


def _at_random(content: FloatArray, folds: int, rng: np.random.Generator) -> IntArray:
    """Folds of equal size where units allow that. A label whose units all fell into one fold swaps
    one of them for a unit of another fold."""
    sizes = content.sum(axis=1)
    place = np.empty(len(sizes), dtype=np.int64)
    held = np.zeros(folds)
    for unit in rng.permutation(np.flatnonzero(sizes > 1)):  # into the emptiest fold
        place[unit] = rng.choice(np.flatnonzero(held == held.min()))
        held[place[unit]] += sizes[unit]
    alone = np.flatnonzero(sizes <= 1)
    place[alone] = rng.permutation(_filling(held, len(alone), rng))
    for _ in range(_ATTEMPTS):
        if _isolated(content, place, folds) == 0:
            break
        for members in (np.flatnonzero(column) for column in content.T):
            if len(members) > 1 and np.ptp(place[members]) == 0:
                mine = rng.choice(members)
                other = rng.choice(np.flatnonzero(place != place[mine]))
                place[[mine, other]] = place[[other, mine]]
    return place


def _filling(held: FloatArray, rows: int, rng: np.random.Generator) -> IntArray:
    """(rows,) folds that so many more rows go to, so that those which hold least get most."""
    folds = len(held)
    wanted = np.maximum(0.0, np.floor((held.sum() + rows) / folds) - held)
    more = np.floor(wanted * min(1.0, rows / max(wanted.sum(), 1.0))).astype(np.int64)
    left = rng.permutation(folds)[np.arange(rows - more.sum()) % folds]
    return np.concatenate([np.repeat(np.arange(folds), more), left])


def _balance(content: FloatArray, folds: int, rng: np.random.Generator) -> IntArray:
    """Fold (G,) of each unit; of several tries the one that isolates fewest labels."""
    kinds = np.unique(content, axis=0, return_inverse=True)[1].reshape(-1)
    best = _deal_and_place(content, kinds, folds, rng)
    fewest = _isolated(content, best, folds)
    for _ in range(_ATTEMPTS):
        if fewest == 0:
            break
        place = _deal_and_place(content, kinds, folds, rng)
        missing = _isolated(content, place, folds)
        if missing < fewest:
            best, fewest = place, missing
    return best


def _deal_and_place(
    content: FloatArray, kinds: IntArray, folds: int, rng: np.random.Generator
) -> IntArray:
    """Fold (G,) of each unit. Of units with the same labels (``kinds``, (G,)) every fold gets
    equally many; only the few that are left over are weighed one by one, as that is slow."""
    shuffled = rng.permutation(len(content))
    by_kind = shuffled[np.argsort(kinds[shuffled], kind="stable")]
    counts = np.bincount(kinds)
    nth = np.arange(len(content)) - np.repeat(np.cumsum(counts) - counts, counts)
    left = nth >= np.repeat(counts // folds * folds, counts)
    place = np.empty(len(content), dtype=np.int64)
    place[by_kind[~left]] = nth[~left] % folds
    # Those dealt add the same to each fold, and with each label they hold to every fold.
    settled = np.asarray((content[by_kind[~left]] > 0).any(axis=0))
    over = np.sort(by_kind[left])
    share = content / np.maximum(content.sum(axis=0), 1.0)
    mass = np.column_stack([share, content.sum(axis=1) / content.sum()])
    place[over] = _place_all(mass[over], settled, folds, rng)
    return place


def _place_all(
    mass: FloatArray, settled: npt.NDArray[np.bool_], folds: int, rng: np.random.Generator
) -> IntArray:
    """Fold (m,) of each unit: it goes where its labels are scarcest, the unit with the largest
    share of any label first. A fold that holds all of a label so far is avoided before anything
    else.

    Args:
        mass: (m, C + 1) a unit's share of each label's rows, and of all rows.
        settled: (C,) labels that every fold holds already.
    """
    share = mass[:, :-1]
    shuffled = rng.permutation(len(mass))
    order = shuffled[np.argsort(-share[shuffled].max(axis=1, initial=0.0), kind="stable")]
    held = np.zeros((folds, mass.shape[1]))
    place = np.empty(len(mass), dtype=np.int64)
    filled = bool(settled.any())
    for unit in order:
        present = (held[:, :-1] > 0) & ~settled
        alone = present & (present.sum(axis=0) == 1)
        clashes = alone @ (share[unit] > 0).astype(np.float64)
        crowding = held @ mass[unit]
        empty_first = (held[:, -1] > 0) & (held[:, -1] == 0).any() & ~filled
        ties = rng.random(folds)
        fold = int(np.lexsort((ties, crowding.round(12), empty_first, clashes))[0])
        place[unit] = fold
        held[fold] += mass[unit]
    return place


def _isolated(content: FloatArray, place: IntArray, folds: int) -> int:
    """Labels found in at least two units of which all lie in one fold, plus empty folds."""
    present = np.zeros((folds, content.shape[1]))
    np.add.at(present, place, (content > 0).astype(np.float64))
    units = present.sum(axis=0)
    alone = ((present > 0).sum(axis=0) == 1) & (units >= 2)
    return int(alone.sum()) + int((present.sum(axis=1) == 0).sum())
