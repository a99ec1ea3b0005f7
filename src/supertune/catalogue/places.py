"""Where things are kept on this machine."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """The platform's cache folder for supertune; ``SUPERTUNE_CACHE`` moves it."""
    moved = os.environ.get("SUPERTUNE_CACHE")
    if moved:
        return Path(moved).expanduser()
    from platformdirs import user_cache_path

    return user_cache_path("supertune", appauthor=False)
