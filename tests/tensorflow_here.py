"""Whether the extra tensorflow is installed; it is not part of dev."""

from __future__ import annotations

import warnings


def tensorflow_is_here() -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its own imports
        try:
            import keras  # noqa: F401
            import tensorflow  # noqa: F401, ICN001
        except ImportError:
            return False
    return True
