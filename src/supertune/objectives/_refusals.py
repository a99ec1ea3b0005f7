"""What cannot be asked of answers that are neither labels nor values, refused by name."""

from __future__ import annotations

from collections.abc import Sequence

from supertune.contracts import Asked, ClassWeights, Examples, FloatArray
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


def own_weights(
    examples: Examples, classes: ClassWeights, message: str, *, allowed: str
) -> FloatArray | None:
    """The rows' own weights, where there are no classes to weigh.

    Raises:
        InputError: ``no_class_weights`` where some are given.
    """
    if classes is not None:
        raise _means_nothing("no_class_weights", "class_weights", message, allowed)
    return examples.weights


def refuse_costs(matrix: Sequence[Sequence[float]] | None, message: str, *, allowed: str) -> None:
    """Raises: InputError ``no_costs`` where some are given."""
    if matrix is not None:
        raise _means_nothing("no_costs", "cost_matrix", message, allowed)


def _means_nothing(code: str, key: str, message: str, allowed: str) -> InputError:
    return InputError(code, message, received=key, allowed=allowed, next=f"Leave {key} out.")
