"""Putting a folder into the cache whole or not at all, one process at a time."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from supertune.catalogue.places import unwritable

Progress = Callable[[str, int, int | None], None]  # stage, done, total or None
ORIGIN = "supertune-origin.json"
BRIEFLY = 0.5  # seconds


@contextmanager
def alone(place: Path, progress: Progress | None = None) -> Iterator[None]:
    """One process at a time; another that asks waits, and one that dies lets go.

    Raises:
        EnvironmentFault: ``cache_unwritable`` when no lock can be made beside ``place``.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(f"{place}.lock")
    try:
        try:
            lock.acquire(timeout=BRIEFLY)
        except Timeout:
            if progress is not None:
                progress(f"wait for another process that fetches {place.name}", 0, None)
            lock.acquire()
    except OSError as error:
        raise unwritable(place, error) from error
    try:
        yield
    finally:
        lock.release()


def put(folder: Path, fill: Callable[[Path], Mapping[str, Any]]) -> None:
    """Fill a hidden sibling of ``folder`` and rename it. To be called under `alone`.

    What earlier processes left half-done beside it is removed first. ``fill`` receives the
    sibling and answers with what is noted about where the files come from.

    Raises:
        EnvironmentFault: ``cache_unwritable``, ``no_space``.
    """
    try:
        _put(folder, fill)
    except OSError as error:
        raise unwritable(folder, error) from error


def _put(folder: Path, fill: Callable[[Path], Mapping[str, Any]]) -> None:
    for left in folder.parent.glob(f".{folder.name}.*.part"):
        shutil.rmtree(left, ignore_errors=True)
    partial = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    partial.mkdir()
    try:
        _note(partial, fill(partial))
        if folder.exists():  # damaged or of an older version
            old = folder.with_name(f".{folder.name}.old.{os.getpid()}.part")
            os.replace(folder, old)
            os.replace(partial, folder)
            shutil.rmtree(old, ignore_errors=True)
        else:
            os.replace(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _note(folder: Path, origin: Mapping[str, Any]) -> None:
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    sizes = {path.relative_to(folder).as_posix(): path.stat().st_size for path in paths}
    note = folder / ORIGIN
    note.write_text(json.dumps({**origin, "files": sizes}, indent=1), encoding="utf-8")
    mode = note.stat().st_mode & 0o777
    for path in paths:  # a shared cache is read by others than the one who filled it
        path.chmod(mode)


def origin(folder: Path) -> dict[str, Any] | None:
    """What was noted when ``folder`` was filled; None where a file is missing or cut short."""
    try:
        noted: dict[str, Any] = json.loads((folder / ORIGIN).read_text(encoding="utf-8"))
        files = noted["files"].items()
        whole = all((folder / name).stat().st_size == size for name, size in files)
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return None
    return noted if whole else None
