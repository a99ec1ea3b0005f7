"""A model of recommendation judged by other interactions of the rows than those of its fit."""

from __future__ import annotations

from dataclasses import replace

from supertune.contracts import Recommending
from supertune.errors import InputError
from supertune.model import Model

WAYS = ("last", "last_one", "time", "users")


def judged_by(model: Model, hold_out: str) -> Model:
    """The model, which `Model.evaluate` judges by these of each person's interactions.

    Args:
        hold_out: ``"last"`` fifth of each person's; ``"last_one"``; ``"time"``, the latest tenth of
            all; ``"users"``, all but the first 5, as of people who are new.

    Raises:
        InputError: ``no_recommender``, ``bad_hold_out``.
    """
    if not isinstance(model.tuned, Recommending):
        raise InputError(
            "no_recommender",
            "Interactions are held out of histories, which this model does not read.",
            received=f"hold_out {hold_out}, a model of {model.task}",
            allowed="a model of --task recommendation",
            next="Leave --hold-out out.",
        )
    if hold_out not in WAYS:
        items = hold_out == "items"
        raise InputError(
            "bad_hold_out",
            "A fitted model has learned from all of its items."
            if items
            else "There is no such way to hold interactions out.",
            received=hold_out,
            allowed=", ".join(WAYS),
            next="supertune fit interactions.csv --items items.csv --task recommendation "
            "--hold-out items"
            if items
            else f"Choose one of these: --hold-out {WAYS[0]}.",
        )
    return replace(model, columns=replace(model.columns, hold_out=hold_out))
