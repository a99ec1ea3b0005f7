"""Read chosen members of a wheel, a tar archive or a Debian package into memory; nothing is
written by its names.

Callers write bytes under names of their own where they can; where they keep a member's name, it
has been held here to what is a plain relative path on every system. An archive with any name that
is not is refused as a whole: one that tries is not to be trusted with the rest.
"""

from __future__ import annotations

import gzip
import io
import lzma
import re
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from supertune.errors import InputError

LARGEST = 600_000_000  # bytes of one member
ALTOGETHER = 2_000_000_000  # bytes of all members, read or passed over
MEMBERS = 200_000
_DEVICE = re.compile(r"(con|prn|aux|nul|clock\$|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.IGNORECASE)
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f<>:"|?*\\]')
_DAMAGED = (
    zipfile.BadZipFile,
    tarfile.TarError,
    gzip.BadGzipFile,
    lzma.LZMAError,
    zlib.error,
    EOFError,
    RuntimeError,  # zipfile's word for an encrypted member
    NotImplementedError,  # and for a compression that it does not know
)


@dataclass(frozen=True)
class _Member:
    name: str
    size: int
    regular: bool
    folder: bool
    read: Callable[[], bytes]


def members(path: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of each wanted regular file, in the archive's order.

    Raises:
        InputError: ``archive_unsafe`` for names that leave the archive or mean something else on
            another system, wanted members that are links or devices, and what would unpack
            without end; ``archive_damaged`` for what is no archive or is cut short.
    """
    listed = _zipped if path.suffix in (".whl", ".zip") else _tarred
    total = count = 0
    seen: set[str] = set()
    try:
        for member in listed(path):
            total, count = total + member.size, count + 1
            _check(path, member, total, count)
            if member.folder or not wanted(member.name):
                continue
            if not member.regular:
                raise _unsafe(path, f"{member.name!r} is no regular file")
            key = unicodedata.normalize("NFC", member.name).casefold()
            if key in seen:
                raise _unsafe(path, f"{member.name!r} would overwrite another")
            seen.add(key)
            yield member.name, member.read()
    except _DAMAGED as error:
        raise _damaged(path, error) from error


def _zipped(path: Path) -> Iterator[_Member]:
    with zipfile.ZipFile(path) as opened:
        for info in opened.infolist():
            kind = info.external_attr >> 16 & 0o170000  # of the Unix mode; 0 where there is none
            yield _Member(
                info.orig_filename,
                info.file_size,
                kind in (0, 0o100000),
                info.is_dir(),
                lambda info=info: opened.read(info),  # type: ignore[misc]
            )


def _tarred(path: Path) -> Iterator[_Member]:
    with _opened(path) as opened:
        for info in opened:
            name = info.name.removeprefix("./") if path.suffix == ".deb" else info.name
            if name in ("", "."):
                continue
            yield _Member(
                name,
                info.size,
                info.isfile(),
                info.isdir(),
                lambda info=info: _read(opened, info),  # type: ignore[misc]
            )


def _opened(path: Path) -> tarfile.TarFile:
    if path.suffix != ".deb":
        return tarfile.open(path)
    return tarfile.open(fileobj=io.BytesIO(_inside_deb(path)))


def _inside_deb(path: Path) -> bytes:
    """The member ``data.tar.*`` of a Debian package, which is an ar archive: an 8-byte mark, then
    members with a header of 60 bytes each (name 16, size in decimal at 48), on even places."""
    with path.open("rb") as stream:
        if stream.read(8) != b"!<arch>\n":
            raise tarfile.ReadError("not a Debian package")
        while header := stream.read(60):
            if len(header) < 60 or not header[48:58].strip().isdigit():
                raise tarfile.ReadError("a header is cut short")
            size = int(header[48:58])
            if size > ALTOGETHER:
                raise tarfile.ReadError(f"a member of {size} bytes")
            if header.startswith(b"data.tar"):
                return stream.read(size)
            stream.seek(size + size % 2, 1)
    raise tarfile.ReadError("it holds no data.tar")


def _read(opened: tarfile.TarFile, info: tarfile.TarInfo) -> bytes:
    stream = opened.extractfile(info)
    assert stream is not None
    return stream.read()


def _check(path: Path, member: _Member, total: int, count: int) -> None:
    name = member.name.removesuffix("/") if member.folder else member.name
    parts = name.split("/")
    odd = (
        _FORBIDDEN.search(name) is not None
        or any(part in ("", ".", "..") or part[-1] in ". " for part in parts)
        or any(_DEVICE.fullmatch(part) for part in parts)
    )
    if odd:
        raise _unsafe(path, f"the name {member.name!r} is no plain path inside it")
    if member.size > LARGEST or total > ALTOGETHER or count > MEMBERS:
        raise _unsafe(path, f"it would unpack to {total} bytes or more, in {count} members or more")


def _unsafe(path: Path, what: str) -> InputError:
    return InputError(
        "archive_unsafe",
        f"{path.name} is not safe to unpack.",
        received=what,
        allowed=f"regular files under their own folder, at most {ALTOGETHER} bytes",
        next="Fetch the archive again from where it was published.",
    )


def _damaged(path: Path, error: Exception) -> InputError:
    return InputError(
        "archive_damaged",
        f"{path.name} cannot be unpacked.",
        received=f"{type(error).__name__}: {error}",
        allowed="a wheel, a zip, a tar archive or a Debian package",
        next="Fetch the archive again from where it was published.",
    )
