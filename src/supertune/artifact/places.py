"""Where a model folder really is, and what lies in it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from supertune.errors import InputError


def real_path(folder: Path) -> Path:
    """Absolute and without symlinks, so that the temporary siblings share its file system."""
    try:
        target = Path(os.path.realpath(os.path.expanduser(folder)))
    except (ValueError, OSError) as error:
        raise InputError(
            "bad_folder_name",
            "This is not a folder name.",
            received=repr(str(folder)),
            next="Give a plain path, such as models/reviews.",
        ) from error
    return target


def walk(folder: Path) -> set[str]:
    """POSIX names, relative to ``folder``, of all files and links below it."""
    names: set[str] = set()
    for root, folders, files in os.walk(folder):
        links = [name for name in folders if os.path.islink(os.path.join(root, name))]
        names.update(Path(root, name).relative_to(folder).as_posix() for name in files + links)
    return names


def some(names: Iterable[str]) -> str:
    """The first five names, and how many more there are."""
    listed = sorted(names)
    rest = f" and {len(listed) - 5} more" if len(listed) > 5 else ""
    return (", ".join(listed[:5]) or "nothing") + rest
