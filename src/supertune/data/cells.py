"""What one cell says, whatever kind of source it came from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import numpy as np


def is_empty(cell: Any) -> bool:
    """None, not-a-number, or nothing but blanks."""
    if cell is None:
        return True
    if isinstance(cell, str):
        return not cell or cell.isspace()
    return isinstance(cell, float | np.floating) and math.isnan(cell)


def is_list(cell: Any) -> bool:
    """Whether a cell holds several values."""
    return isinstance(cell, list | tuple | set | frozenset | np.ndarray)


def as_text(cell: Any) -> str:
    """A cell as a text to read; an empty one is ``""``. A text is kept to the last blank."""
    if isinstance(cell, str):
        return cell
    return "" if is_empty(cell) else str(cell)


def as_label(cell: Any) -> str:
    """A cell as the name of a label: ``True``, ``1`` (also for 1.0), a text without the blanks
    around it."""
    if isinstance(cell, str):
        return cell.strip()
    if isinstance(cell, float | np.floating) and float(cell).is_integer():
        return str(int(cell))
    return str(cell.item() if isinstance(cell, np.generic) else cell)


def as_number(cell: Any) -> float | None:
    """The number a cell holds or spells; None when it is none. True and False are none."""
    if isinstance(cell, bool | np.bool_):
        return None
    if isinstance(cell, int | float | np.integer | np.floating):
        return float(cell)
    # float() would also take "1_000", which nobody writes as a number in a table.
    if not isinstance(cell, str) or "_" in cell or len(cell) > 40:
        return None
    try:
        return float(cell)
    except ValueError:
        return None


def as_time(cell: Any) -> datetime | None:
    """The moment a cell holds or spells in ISO 8601 (a date will do); None when it is none."""
    if isinstance(cell, datetime):
        return cell
    if isinstance(cell, date):
        return datetime.fromisoformat(cell.isoformat())
    if not isinstance(cell, str) or not 8 <= len(cell.strip()) <= 40:
        return None
    try:
        return datetime.fromisoformat(cell.strip().replace("/", "-"))
    except ValueError:
        return None


def shown(cell: Any, length: int = 80) -> str:
    """A cell as an error quotes it, cut."""
    whole = repr(cell[: length + 1] if isinstance(cell, str) else cell)
    return whole if len(whole) <= length else whole[: length - 1] + "…"


def listed(values: Sequence[str], most: int = 8) -> str:
    """``a, b, c and 4 more``."""
    head = ", ".join(values[:most])
    return head if len(values) <= most else f"{head} and {len(values) - most} more"


def counted(number: int, noun: str, many: str | None = None) -> str:
    """``1 row``, ``2 rows``, ``1,200 rows``."""
    return f"{number:,} {noun if number == 1 else many or noun + 's'}"
