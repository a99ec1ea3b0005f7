"""Replace a folder as a whole: after a crash the complete old or the complete new one is there.

While a folder ``m`` is written, its parent also holds:

    .m.lock       held by the process that writes; a dead process holds nothing
    .m.partial    being filled, worthless until it is renamed
    .m.next       complete, and on the disk
    .m.previous   what ``m`` was

``m`` is missing only between the two renames ``m -> .m.previous`` and ``.m.next -> m``. In that
moment, and in no other, both ``.m.next`` and ``.m.previous`` exist without ``m``: that pair is
the recovery marker, and `locate` then answers ``.m.next``. Any other leftover is worthless, and
the next `publish` removes it under the lock.

Only renames, no symlinks and no exchange call, so that macOS and Windows behave the same.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

from supertune.errors import EnvironmentFault

LOCK_SECONDS = 60.0
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP}
_NO_SPACE = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}


def sibling(target: Path, role: str) -> Path:
    """``models/m`` and "next" give ``models/.m.next``."""
    return target.with_name(f".{target.name}.{role}")


def locate(target: Path) -> Path | None:
    """Where the content of ``target`` is now: itself, the folder to recover it from, or None."""
    for _ in range(5):  # a live writer may finish between two looks
        if os.path.lexists(target):
            return target
        new = sibling(target, "next")
        if new.is_dir() and sibling(target, "previous").is_dir():
            return new
    return None


def publish(target: Path, fill: Callable[[Path], None], allow: Callable[[], None]) -> None:
    """Fill a new folder and put it in the place of ``target``.

    Args:
        target: an absolute path whose parent exists.
        fill: writes (and syncs) everything into the empty folder it is given.
        allow: raises if ``target`` must not be replaced; called before filling and again before
            the renames, both under the lock.

    Raises:
        EnvironmentFault: ``no_space``, ``output_read_only``, ``output_busy`` or
            ``output_unwritable``. What was at ``target`` is still there.
    """
    try:
        with _locked(target):
            _recover(target)
            _clean(target)
            allow()
            try:
                partial = sibling(target, "partial")
                partial.mkdir()
                fill(partial)
                sync_folder(partial)
                allow()
                _swap(target, partial)
            finally:
                _recover(target)
                _clean(target)
    except OSError as error:
        raise fault(error, target) from error


def whole_json(target: Path, value: Any, indent: int | None = 1) -> None:
    """One JSON file, whole or not at all.

    Raises:
        EnvironmentFault: as `fault`.
    """
    with _whole(target) as stream:
        json.dump(value, stream, ensure_ascii=False, indent=indent)


def whole_text(target: Path, text: str) -> None:
    """One text file in UTF-8, as `whole_json`."""
    with _whole(target) as stream:
        stream.write(text)


@contextmanager
def _whole(target: Path) -> Iterator[TextIO]:
    partial = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with partial.open("w", encoding="utf-8") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(partial, target)
    except OSError as error:
        raise fault(error, target) from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def fault(error: OSError, target: Path) -> EnvironmentFault:
    """The machine's refusal in a person's words."""
    received = f"{target}: {error.strerror or error}"
    if error.errno in _NO_SPACE:
        return EnvironmentFault(
            "no_space",
            f"There is no space left to write {target}.",
            received=received,
            next="Free some space, or give -o/--output a folder on another disk.",
        )
    if error.errno in _DENIED:
        return EnvironmentFault(
            "output_read_only",
            f"{target} cannot be written here.",
            received=received,
            allowed="a folder that you may write to",
            next="Give -o/--output another place, or close programs that use the folder.",
        )
    return EnvironmentFault(
        "output_unwritable",
        f"{target} cannot be written.",
        received=received,
        next="Give -o/--output another place.",
    )


def sync_folder(folder: Path) -> None:
    """Put a folder's entries on the disk; Windows neither offers nor needs it."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _swap(target: Path, partial: Path) -> None:
    new, old = sibling(target, "next"), sibling(target, "previous")
    _rename(partial, new)
    sync_folder(target.parent)
    if target.is_dir() and not any(target.iterdir()):
        target.rmdir()  # Windows does not rename onto an empty folder
    if os.path.lexists(target):
        _rename(target, old)
    _rename(new, target)
    sync_folder(target.parent)


def _recover(target: Path) -> None:
    """Finish renames that were cut short; if that is impossible, take them back."""
    new, old = sibling(target, "next"), sibling(target, "previous")
    if os.path.lexists(target) or not (new.is_dir() and old.is_dir()):
        return
    try:
        _rename(new, target)
    except OSError:
        _rename(old, target)


def _clean(target: Path) -> None:
    """Remove leftovers; only under the lock and after `_recover`, when all are worthless."""
    for role in ("partial", "next", "previous"):
        shutil.rmtree(sibling(target, role), ignore_errors=True)


def _rename(source: Path, target: Path) -> None:
    for wait in (0.05, 0.1, 0.2, 0.4, 0.8, 0.0):
        try:
            os.rename(source, target)
            return
        except PermissionError:
            # Windows: virus scanners and indexers hold a new file open for a moment.
            if os.name != "nt" or not wait:
                raise
            time.sleep(wait)


@contextmanager
def _locked(target: Path) -> Iterator[None]:
    """One writer a folder; the lock file is gone afterwards.

    On POSIX it is removed while held: filelock notices a lock on a removed file and tries again.
    """
    from filelock import FileLock, Timeout

    path = sibling(target, "lock")
    lock = FileLock(path, timeout=LOCK_SECONDS)
    try:
        lock.acquire()
    except Timeout as error:
        raise EnvironmentFault(
            "output_busy",
            f"Another process has been writing {target} for {LOCK_SECONDS:.0f} s.",
            received=str(target),
            next="Wait for it or end it, or give -o/--output another place.",
        ) from error
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        yield  # a file system without locks: two writers at once are the person's own risk
        return
    try:
        yield
    finally:
        if os.name == "posix":
            path.unlink(missing_ok=True)
        lock.release()
        if os.name != "posix":
            with suppress(OSError):
                path.unlink()
