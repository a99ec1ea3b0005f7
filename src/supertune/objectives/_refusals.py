"""What cannot be asked of answers that are neither labels nor values, refused by name."""

from __future__ import annotations

from typing import Literal

from supertune.contracts import Asked
from supertune.errors import InputError


def refuse_bounds(asked: Asked, answers: str, *, allowed: str, next: str = "Leave it out.") -> None:
    """Raises: InputError ``no_intervals``, ``no_max_error`` where either is asked for.

    Args:
        answers: what has neither, e.g. ``"Boxes"``.
    """
    for name, value in (("coverage", asked.coverage), ("max_error", asked.max_error)):
        if value is not None:
            raise InputError(
                "no_intervals" if name == "coverage" else "no_max_error",
                f"{answers} have no {name}.",
                received=f"{name} {value:g}",
                allowed=allowed,
                next=next,
            )


def means_nothing(
    what: Literal["cost_matrix", "class_weights"], message: str, *, allowed: str
) -> InputError:
    """The error ``no_costs`` or ``no_class_weights``, to be raised."""
    return InputError(
        "no_costs" if what == "cost_matrix" else "no_class_weights",
        message,
        received=what,
        allowed=allowed,
        next=f"Leave {what} out.",
    )
