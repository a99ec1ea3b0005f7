"""Read chosen members of a wheel or a tar archive into memory; nothing is written by its names.

Because callers write bytes under names of their own, an archive with ``../`` or absolute names,
links or devices has nothing to act on; such members are refused all the same.
"""

from __future__ import annotations

import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from supertune.errors import InputError

LARGEST = 600_000_000  # bytes of one member, against archives that unpack without end


def members(path: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of each wanted regular file.

    Raises:
        InputError: ``archive_unsafe`` for names that leave the archive, or members too large.
    """
    if path.suffix in (".whl", ".zip"):
        with zipfile.ZipFile(path) as opened:
            for info in opened.infolist():
                if not info.is_dir() and wanted(info.filename):
                    _check(path, info.filename, info.file_size)
                    yield info.filename, opened.read(info)
        return
    with tarfile.open(path) as opened_tar:
        for member in opened_tar:
            if wanted(member.name):
                if not member.isfile():
                    raise _unsafe(path, f"{member.name} is no regular file")
                _check(path, member.name, member.size)
                stream = opened_tar.extractfile(member)
                assert stream is not None
                yield member.name, stream.read()


def _check(path: Path, name: str, size: int) -> None:
    parts = PurePosixPath(name.replace("\\", "/"))
    if parts.is_absolute() or ".." in parts.parts or ":" in parts.parts[0]:
        raise _unsafe(path, f"the name {name!r} leaves the archive")
    if size > LARGEST:
        raise _unsafe(path, f"{name} would unpack to {size} bytes")


def _unsafe(path: Path, what: str) -> InputError:
    return InputError(
        "archive_unsafe",
        f"{path.name} is not safe to unpack.",
        received=what,
        allowed="regular files under their own folder",
        next="Fetch the archive again from where it was published.",
    )
