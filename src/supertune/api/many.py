"""Many tuned models over one backbone: each row of a batch is answered by a model of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from supertune import registry
from supertune.contracts import Answers, Columns, FloatArray, Input, IntArray
from supertune.errors import InputError
from supertune.model import WINDOW, Model
from supertune.training import side_by_side
from supertune.training.loop import TunedBackbone


@dataclass(frozen=True)
class Shared:
    """Models that were asked together, by their place in the list of models.

    ``how`` is ``"features"`` (one vector a distinct input serves all of their heads),
    ``"side by side"`` (one batch, each row through its own adapter) or ``"alone"`` (a run of the
    backbone for this model's rows); ``why`` says why not together.
    """

    models: tuple[int, ...]
    how: str
    why: str = ""


@dataclass(frozen=True, eq=False)
class Many:
    """Answers of many models to n rows.

    Attributes:
        predictions: for each row what `Model.predict` gives: a label, a tuple of labels, a value.
        answers: by model, what `Model.predictions` gives for its rows.
        rows: by model, the places of its rows.
        shared: what was computed together.
    """

    predictions: tuple[Any, ...]
    answers: dict[int, Answers]
    rows: dict[int, IntArray]
    shared: tuple[Shared, ...]


def predict_many(
    models: Sequence[Model], rows: Sequence[Any], which: Sequence[int], *, together: bool = True
) -> Many:
    """Answer each row by a model of its own; what is frozen is computed once for all.

    Heads on one backbone share its features, and plain LoRA adapters of any ranks go through it
    in one batch. Everything else is asked one model at a time, as ``shared`` says.

    Args:
        models: of `supertune.fit` or `supertune.load`; those of one backbone share its weights.
        rows: n texts, tuples of texts or rows of numbers, as the row's model takes them.
        which: (n,) the place in ``models`` of the model that answers each row.
        together: False asks every model alone: the answers are the same within rounding.

    Raises:
        InputError: ``which_misfit``, or what is wrong with a row.
    """
    if isinstance(rows, (str, bytes)):
        registry.modality("text").given(rows, Columns())  # says that one text is not several
    chosen = _checked(models, rows, which)
    used = [int(number) for number in np.unique(chosen)]
    places: dict[int, IntArray] = {number: np.flatnonzero(chosen == number) for number in used}
    inputs = {n: models[n].read([rows[int(i)] for i in places[n]]) for n in used}
    groups = _groups(models, used) if together else [Shared((n,), "alone", "asked") for n in used]
    logits: dict[int, FloatArray] = {}
    for group in groups:
        logits |= _asked(group, models, inputs)
    answers = {number: models[number].decoded(logits[number]) for number in used}
    found: list[Any] = [None] * len(chosen)
    for number in used:
        model = models[number]
        listed = model.workshop.objective.array(answers[number], model.head)
        for place, prediction in zip(places[number], listed, strict=True):
            found[place] = prediction
    return Many(tuple(found), answers, places, tuple(groups))


def _checked(models: Sequence[Model], rows: Sequence[Any], which: Sequence[int]) -> IntArray:
    chosen: npt.NDArray[Any] = np.asarray(which)
    whole = chosen.shape == (len(rows),) and (chosen.dtype.kind in "iu" or not len(rows))
    if not whole or (len(chosen) and not 0 <= chosen.min() <= chosen.max() < len(models)):
        odd = f"numbers {chosen.min()} to {chosen.max()}" if chosen.dtype.kind in "iu" else "others"
        raise InputError(
            "which_misfit",
            "Each row needs the number of the model that answers it.",
            received=f"{odd}, of shape {chosen.shape}" if chosen.size else "none",
            allowed=f"{len(rows)} whole numbers from 0 to {len(models) - 1}",
            next="Give which=[0, 1, ...], one number a row.",
        )
    return chosen.astype(np.int64)


def _groups(models: Sequence[Model], used: Sequence[int]) -> list[Shared]:
    """Who is asked together."""
    groups: list[Shared] = []
    members: dict[tuple[Any, ...], list[int]] = {}
    for number in used:
        key, why = _kind(models[number])
        if key is None:
            groups.append(Shared((number,), "alone", why))
        else:
            members.setdefault(key, []).append(number)
    return [Shared(tuple(each), key[0]) for key, each in members.items()] + groups


def _kind(model: Model) -> tuple[tuple[Any, ...] | None, str]:
    """What models must have in common to be asked together; or None, and why it is alone."""
    lens = model.workshop.lens(model.backbone)
    if lens is None:
        return None, "it has no backbone"
    if isinstance(model.tuned, TunedBackbone):
        key = side_by_side.kind(model.tuned, lens)
        if key is None:
            return None, f"what {model.method} puts into the backbone goes in alone"
        return ("side by side", *key), ""
    if registry.method(model.method).needs == {"features"}:
        return ("features", id(lens.backbone), lens.encoding), ""
    return None, f"{model.method} reads more than features"


def _asked(
    group: Shared, models: Sequence[Model], inputs: dict[int, list[Input]]
) -> dict[int, FloatArray]:
    """Logits by model, `WINDOW` inputs at a time."""
    flat = [(number, one) for number in group.models for one in inputs[number]]
    parts: dict[int, list[FloatArray]] = {number: [] for number in group.models}
    for start in range(0, len(flat), WINDOW):
        window = flat[start : start + WINDOW]
        for number, found in _window(group, models, window).items():
            parts[number].append(found)
    return {number: np.concatenate(found) for number, found in parts.items()}


def _window(
    group: Shared, models: Sequence[Model], window: list[tuple[int, Input]]
) -> dict[int, FloatArray]:
    own: dict[int, list[Input]] = {}
    for number, one in window:
        own.setdefault(number, []).append(one)
    first = models[window[0][0]]
    lens: Any = first.workshop.lens(first.backbone)
    if group.how == "side by side":
        place = {number: position for position, number in enumerate(own)}
        tuned: list[Any] = [models[number].tuned for number in own]
        which = [place[number] for number, _ in window]
        asked = [one for _, one in window]
        return dict(zip(own, side_by_side.logits(tuned, asked, which, lens), strict=True))
    if group.how == "features":
        lens = side_by_side.Prefetched(lens, [one for _, one in window])
    return {number: models[number].tuned.logits(given_, lens) for number, given_ in own.items()}
