"""Rows without an answer: where they come from, and how many there is time to read."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from supertune import choose, pipeline, registry
from supertune.contracts import Examples, Finding, Input, Offer, Reading, content_key
from supertune.errors import EnvironmentFault, InputError
from supertune.pipeline import Workshop
from supertune.training import estimate
from supertune.training.speed import speed_by

MOST = 1000  # rows; more of them bought nothing (docs/log.md)
LEAST = 30  # rows, however little time there is
WINDOW = 1024  # rows of a file read at once
SHARE = 0.25  # of the time limit, that reading them through the dearest backbone may take


@dataclass(frozen=True)
class Unlabelled:
    """``rows`` that are used, of ``given`` distinct ones that are neither labelled nor test rows;
    ``repeated`` were left out, since they are."""

    rows: tuple[Input, ...] = ()
    given: int = 0
    repeated: int = 0


def added(workshop: Workshop, reading: Reading, source: Any, *, fetch: bool = True) -> Reading:
    """The rows go into the workshop; the reading comes back with what is to be said of them.

    Args:
        source: as `supertune.fit` takes it; None uses those of ``reading`` alone.
        fetch: as in `Workshop.offer`.

    Raises:
        InputError: as `read`.
    """
    found = read(source, reading, workshop)
    if source is None and workshop.recipe.method == "auto" and len(found.rows) < LEAST:
        return reading
    workshop.unlabelled = found.rows
    found = within_time(found, workshop, pipeline.labelled(reading.train), fetch=fetch)
    workshop.unlabelled = found.rows
    told = [one for one in reading.findings if one.code != "unlabelled" or not found.rows]
    told += findings(found, named=source is not None, method=workshop.recipe.method)
    return replace(reading, findings=tuple(told))


def read(source: Any, reading: Reading, workshop: Workshop) -> Unlabelled:
    """Rows of ``source``, read by the columns of ``reading``, and its own without an answer, in the
    order of their content. Of more than are used, which ones does not depend on their order.

    Raises:
        InputError: what is wrong with the source, or ``no_unlabelled_rows`` when none is left.
    """
    most = workshop.recipe.unlabeled_rows or MOST
    rows = registry.modality(reading.columns.modality)
    known = {rows.same(value) for value in pipeline.labelled(reading.train).inputs}
    known |= {rows.same(value) for value in (reading.test.inputs if reading.test else ())}
    kept: dict[str, Input] = {}
    seen: set[str] = set()
    repeated = 0
    for value in _values(source, reading, workshop):
        key = content_key(value)
        if rows.blank(value) or key in seen:
            continue
        if rows.same(value) in known:
            repeated += 1
            continue
        seen.add(key)
        kept[key] = value
        if len(kept) >= 2 * most + WINDOW:
            kept = {one: kept[one] for one in heapq.nsmallest(most, kept)}
    if source is not None and not seen:
        raise InputError(
            "no_unlabelled_rows",
            "The file of unlabelled rows has none that could be used.",
            received=f"{repeated} rows that are labelled rows or test rows as well"
            if repeated
            else f"no row with a {rows.noun}",
            allowed=f"other {rows.noun}s than those with a label, in a column called "
            + ", ".join(reading.columns.text or reading.columns.numbers),
            next="Name another file with --unlabeled, or leave it out.",
        )
    used = tuple(kept[key] for key in heapq.nsmallest(most, kept))
    return Unlabelled(used, len(seen), repeated)


def within_time(
    found: Unlabelled, workshop: Workshop, examples: Examples, *, fetch: bool = True
) -> Unlabelled:
    """As many of the rows as can be read in a part of the time limit, if the recipe names no
    number; nothing where no method takes them."""
    recipe = workshop.recipe
    if not found.rows or not choose.taking_unlabelled(workshop):
        return Unlabelled((), found.given, found.repeated)
    offers = _offers(workshop, examples, fetch)
    if recipe.unlabeled_rows or not offers:
        return found
    probed = speed_by(recipe, *offers)
    seconds = max(
        estimate.reading_seconds(found.rows, offer, recipe.max_length, probed) for offer in offers
    )
    share = SHARE * recipe.time_limit / max(seconds, 1e-9)
    count = max(LEAST, int(len(found.rows) * min(1.0, share)))
    return Unlabelled(found.rows[:count], found.given, found.repeated)


def findings(found: Unlabelled, *, named: bool, method: str) -> list[Finding]:
    """What a person should know of them before anything is trained."""
    told = []
    if found.repeated:
        message = (
            f"{found.repeated} unlabelled rows are labelled rows or test rows too, and left out."
        )
        told.append(Finding("unlabelled_repeated", message, (), "info"))
    if named and not found.rows:
        message = (
            f"{'No method tried' if method == 'auto' else method} learns from unlabelled rows, so "
            "these are not used; --method semi_supervised does, for one label a row."
        )
        told.append(Finding("unlabelled_not_used", message))
    elif len(found.rows) < found.given:
        message = (
            f"{len(found.rows):,} of {found.given:,} unlabelled rows are used; "
            "--set unlabeled_rows=NUMBER takes another number, and longer."
        )
        told.append(Finding("unlabelled_some", message, (), "info"))
    return told


def _values(source: Any, reading: Reading, workshop: Workshop) -> Iterator[Input]:
    train = reading.train
    if train.targets is not None and not train.multi_label:
        yield from (value for value, there in zip(train.inputs, train.answered, strict=True)
                    if not there)  # fmt: skip
    if source is not None:
        task = registry.task(workshop.recipe.task)
        for _, values in task.stream(source, reading.columns, WINDOW):
            yield from values


def _offers(workshop: Workshop, examples: Examples, fetch: bool) -> list[Offer]:
    offers = []
    for name in choose.backbones(workshop.recipe, examples):
        try:
            offers.append(workshop.offer(name, fetch=fetch))
        except EnvironmentFault:
            continue
    return offers
