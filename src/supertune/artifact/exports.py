"""Folders in other libraries' formats: written whole or not at all, replaced only if ours."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from supertune.artifact import swap
from supertune.artifact.places import real_path, walk
from supertune.artifact.writing import check_occupant, check_output

LISTING = "supertune-export.json"
"""What lies beside an export: its files with their sha256, so that it is known to be ours."""


def check(folder: Path, overwrite: bool, needed: int = 0) -> None:
    """Whether `write` could write there now.

    Raises:
        InputError, EnvironmentFault: as `writing.check_output`.
    """
    check_output(folder, overwrite, needed, listing=LISTING)


def write(
    folder: Path, about: dict[str, Any], fill: Callable[[Path], None], *, overwrite: bool
) -> dict[str, int]:
    """Let ``fill`` make an export, list it, and put it in the place of ``folder``.

    Args:
        about: JSON values that say what was exported.
        fill: writes every file into the empty folder it is given.

    Returns:
        The bytes of each file, by name.

    Raises:
        InputError, EnvironmentFault: as `check`, or whatever ``fill`` raises; what was at
            ``folder`` is then still there.
    """
    check(folder, overwrite)
    target = real_path(folder)
    sizes: dict[str, int] = {}

    def whole(partial: Path) -> None:
        fill(partial)
        listed = {}
        for name in sorted(walk(partial)):
            content = (partial / name).read_bytes()
            sizes[name] = len(content)
            listed[name] = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
        text = json.dumps({"schema": 1, **about, "files": listed}, indent=1, ensure_ascii=False)
        (partial / LISTING).write_bytes(text.encode("utf-8", "surrogatepass"))
        for name in walk(partial):
            with (partial / name).open("rb+") as stream:
                os.fsync(stream.fileno())

    swap.publish(target, whole, lambda: check_occupant(target, overwrite, LISTING))
    return sizes
