"""Where things are kept on this machine."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from supertune.errors import EnvironmentFault

_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}
DISK = _FULL | {errno.EACCES, errno.EPERM, errno.EROFS}


def cache_folder() -> Path:
    """The platform's cache folder for supertune; ``SUPERTUNE_CACHE`` moves it."""
    moved = os.environ.get("SUPERTUNE_CACHE")
    if moved:
        return Path(moved).expanduser()
    from platformdirs import user_cache_path

    return user_cache_path("supertune", appauthor=False)


def room(name: str) -> Path:
    """A folder of the cache, made when it is not there.

    Raises:
        EnvironmentFault: ``cache_unwritable``.
    """
    folder = cache_folder() / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(folder, error) from error
    return folder


def unwritable(place: Path, error: OSError) -> EnvironmentFault:
    """The error for a cache that cannot be written to, or has no space left."""
    full = error.errno in _FULL
    return EnvironmentFault(
        "no_space" if full else "cache_unwritable",
        "There is no space left for the cache." if full else "The cache folder cannot be written.",
        received=f"{place}: {error.strerror or error}",
        next="Free some space (`supertune cache show`), or set SUPERTUNE_CACHE to another folder."
        if full
        else "Set SUPERTUNE_CACHE to a folder that can.",
    )
