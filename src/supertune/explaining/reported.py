"""A few answers explained for the report: the rows that were got wrong most confidently.

Each by a model that has not seen the row, so a model is fitted again without it; done where that is
a closed form, and only while seconds last.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from supertune import pipeline, registry
from supertune.contracts import Contrasting, Examples, Explains, FoldSolver, IntArray, Tuned
from supertune.explaining import wording
from supertune.explaining.attribution import ways
from supertune.explaining.explanation import Explanation, explained
from supertune.explaining.subject import Subject
from supertune.pipeline import Candidate, Workshop

ROWS = 3
SECONDS = 3.0
# Of words at random; the first row alone is measured.
ORDERS, ORDERS_THROUGH_A_BACKBONE = 10, 3
CHARACTERS = 600  # of a text


def for_report(
    workshop: Workshop,
    candidate: Candidate,
    tuned: Tuned,
    examples: Examples,
    rows: Sequence[dict[str, Any]],
    seconds: float = SECONDS,
) -> list[dict[str, Any]]:
    """What the report shows of ``rows`` (`Judge.rows_to_look_at`), which are rows of ``examples``
    by their numbers; empty where the method is no closed form on texts."""
    method = registry.method(candidate.method)
    able = isinstance(tuned, Explains) and isinstance(method, FoldSolver)
    lens = workshop.lens(candidate.backbone)
    # Texts without some of their words would be sent, and paid for, by the hundred.
    able = able and (lens is None or "remote" not in lens.backbone.offer.capabilities)
    if not able or examples.columns or not isinstance(workshop.objective, Contrasting):
        return []
    places = {int(number): i for i, number in enumerate(examples.rows)}
    listed = sorted(rows, key=lambda row: -float(row.get("confidence") or 0.0))
    orders = ORDERS if candidate.backbone is None else ORDERS_THROUGH_A_BACKBONE
    started, longest, found = time.monotonic(), 0.0, list[dict[str, Any]]()
    for row in listed:
        begun = time.monotonic()
        if len(found) == ROWS or begun - started + longest > min(seconds, SECONDS):
            break
        one = _unseen(workshop, candidate, examples, places[row["row"]], 0 if found else orders)
        # Fitted on all other rows it may be right after all.
        if one.valued or wording.named_of(one.answer) != row["label"]:
            found.append({"row": row["row"], "label": row.get("label"), **_told(one)})
        longest = max(longest, time.monotonic() - begun)
    return found


def _unseen(
    workshop: Workshop, candidate: Candidate, examples: Examples, place: int, orders: int
) -> Explanation:
    """The row explained by a model of all other rows, or of all other groups."""
    others = examples.take(_others(examples, place))
    tuned = pipeline.tune(workshop, candidate, others)
    head = workshop.task.head(examples)
    subject = Subject(workshop, tuned, examples.labels, head, candidate.backbone, others)
    return explained(
        subject,
        examples.inputs[place],
        way=ways(subject)[0],
        seed=workshop.recipe.seed,
        flip=False,
        context=False,
        orders=orders,
    )


def _others(examples: Examples, place: int) -> IntArray:
    if examples.groups is None:
        return np.delete(np.arange(len(examples)), place)
    return np.flatnonzero(examples.groups != examples.groups[place])


def _told(one: Explanation) -> dict[str, Any]:
    measured, drawn = one.faithfulness.get(one.way), one.drawn()
    return {
        "said": wording.headline(one),
        "nouns": one.parts.noun[1],
        "pieces": _cut(one),
        "picture": None if drawn is None else base64.b64encode(drawn).decode("ascii"),
        "how": one.how,
        "trust": None if measured is None else wording.trust(measured),
    }


def _cut(one: Explanation) -> list[list[Any]]:
    """Pieces of text with their strengths, neighbours without a mark as one."""
    made: list[list[Any]] = []
    room = CHARACTERS
    for text, strength in one.marked():
        shown = text if len(text) <= room else text[:room] + "…"
        if made and not made[-1][1] and not strength:
            made[-1][0] += shown
        elif shown:
            made.append([shown, round(strength, 2)])
        room -= len(text)
        if room <= 0:
            break
    return made
