"""The error for a column that is not there, with the nearest name there is."""

from __future__ import annotations

import difflib

from supertune.data.cells import listed
from supertune.data.table import Table
from supertune.errors import InputError


def nearest(name: str, available: tuple[str, ...]) -> str | None:
    """The name that was probably meant: the same in another case, or spelt nearly so."""
    folded = {each.strip().casefold(): each for each in reversed(available)}
    near = difflib.get_close_matches(name.strip().casefold(), list(folded), n=1, cutoff=0.6)
    return folded[near[0]] if near else None


def missing_column(table: Table, name: str, role: str, *, next_step: str) -> InputError:
    """``text_column_missing`` and the like; ``next_step`` says how to name one, as in
    ``--label {name}``."""
    near = nearest(name, table.names)
    advice = next_step.replace("{name}", repr(near)[1:-1] if near else "NAME")
    return InputError(
        f"{role}_column_missing",
        f"{table.source} has no column '{name}'" + (f"; '{near}' is near." if near else "."),
        received=name,
        allowed=listed(table.names, 30),
        next=f"Did you mean '{near}'? Then give {advice}." if near else f"Give {advice}.",
    )
