"""A dear candidate on as many folds as there is time for, beside all others on the same folds.

K folds and the final fit take about as long as K fits: each fold learns from (K - 1) / K of the
rows. So where five are too many, two, three or four may do. A model that learns from fewer rows
is a worse one, so such a comparison is fair only on the same folds, and its score is lower than
that of the final model: too modest, never too good.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from supertune.choose import halving
from supertune.choose.entries import Entry
from supertune.config import Recipe

if TYPE_CHECKING:
    from supertune.choose.race import Race

FEWEST = 2
# Of the predicted seconds, with which it is begun: they are right within a factor of two, and
# what turns out too slow is ended by the clock, at the price of a fold.
HOPED = 0.75


def affordable(final: float, left: float, folds: int) -> int:
    """How many folds fit into ``left`` seconds with a final fit of ``final``, fewer than
    ``folds``; 0 where two do not."""
    most = min(folds - 1, int(left / max(final, 1e-9)))
    return most if most >= FEWEST else 0


def compared(race: Race, solved: list[Entry], dear: list[Entry]) -> Recipe | None:
    """Try the most promising of the ``dear`` that fits on fewer folds.

    Where it is to be chosen, all entries hold their answers on these folds, and the recipe with
    their number is returned. Otherwise nothing has changed but what is said of it.
    """
    recipe = race.workshop.recipe
    if "folds" in recipe.model_fields_set:
        return None
    for entry in race.by_promise(dear):
        final = HOPED * entry.predicted_seconds * entry.final_share
        count = affordable(final, race.left(), entry.folds)
        if count:
            entry.predicted_seconds, entry.final_share = count * final, 1 / count
            entry.folds = count
            return _tried(race, solved, entry)
    return None


def _tried(race: Race, solved: list[Entry], entry: Entry) -> Recipe | None:
    recipe = race.workshop.recipe.model_copy(update={"folds": entry.folds, "repeats": 1})
    short = replace(
        race,
        workshop=replace(race.workshop, recipe=recipe),
        complete=[],
        read={*race.read},
        too_dear=[],
    )
    twins = [(one, replace(one)) for one in solved if one.assessed is not None]
    for _, twin in twins:
        short.whole(twin, certain=True)
    entry.why = ""
    short.rounds([entry])
    if entry.assessed is None:
        return None
    first = halving.first(short.contest, short.complete)
    if first.name != str(entry.candidate):
        own = short.contest.standing(entry.assessed.answers)[0]
        entry.assessed, entry.status = None, "stopped"
        entry.why = (
            f"on {entry.folds} folds, for which there was time, {short.contest.metric} {own:.3f} "
            f"where {first.name} has {first.score:.3f}"
        )
        return None
    for one, twin in twins:
        one.assessed = twin.assessed
    return recipe


def note(entry: Entry, folds: int) -> tuple[str, str]:
    """What a person should know of a choice on fewer folds."""
    return (
        "fewer_folds",
        f"There was no time for {folds} folds of {entry.candidate}, so all candidates were "
        f"compared on {entry.folds}. Each of these models learned from fewer rows than the one "
        "that is kept, so the score is rather too low than too high. Raise --time-limit for more.",
    )
