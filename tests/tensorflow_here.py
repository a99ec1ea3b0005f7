"""Whether the extra tensorflow is installed; it is not part of dev."""

from __future__ import annotations

from importlib.util import find_spec


def tensorflow_is_here() -> bool:
    """Asked without importing it, which takes seconds."""
    return all(find_spec(name) is not None for name in ("keras", "tensorflow"))
