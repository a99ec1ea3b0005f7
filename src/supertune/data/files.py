"""Opening what a person names: the path, its bytes, and why it could not be opened."""

from __future__ import annotations

import difflib
import errno
import gzip
import io
import os
import sys
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, cast

from supertune.data.signatures import READABLE, check_text
from supertune.data.windows import shortened
from supertune.errors import EnvironmentFault, InputError

_CHUNK = 1 << 18  # bytes
_NEIGHBOURS = 2000  # names looked at for the nearest one


def checked(path: Path, readable: str = READABLE) -> Path:
    """The path, when something is there; ``readable`` says what may be.

    Raises:
        InputError: ``file_missing`` with the nearest name, ``remote_path``.
        EnvironmentFault: ``permission_denied``.
    """
    try:
        path.stat()
    except PermissionError:
        raise denied(path) from None
    except (OSError, ValueError):  # ValueError: a NUL in the name
        raise _missing(path, readable) from None
    return path


def _missing(path: Path, readable: str) -> InputError:
    text = str(path)
    # A path of "https://" has lost one slash; the first two characters may be a drive.
    if ":/" in text[2:].split("\n")[0]:
        return InputError(
            "remote_path",
            "Data is read from this machine only.",
            received=shortened(text),
            allowed=readable,
            next="Download the file, then give its path.",
        )
    if len(text) > 200 or "\n" in text or "\0" in text:
        step = "A text to classify goes into a list: [text]."
    elif not os.path.isdir(path.parent):
        step = f"The folder {path.parent} does not exist either."
    else:
        step = _nearest(path) or f"`ls {path.parent}` shows what is there."
    return InputError(
        "file_missing",
        f"There is no file or folder '{shortened(text)}'.",
        received=shortened(text, 200),
        allowed=readable,
        next=step,
    )


def _nearest(path: Path) -> str | None:
    try:
        with os.scandir(path.parent) as entries:
            names = [entry.name for entry in islice(entries, _NEIGHBOURS)]
    except OSError:
        return None
    near = difflib.get_close_matches(path.name, names, n=1, cutoff=0.5)
    return f"Did you mean '{path.parent / near[0]}'?" if near else None


def denied(path: Path) -> EnvironmentFault:
    return EnvironmentFault(
        "permission_denied",
        f"{path.name} may not be read.",
        received=str(path),
        allowed="a file that this user may read",
        next=f"chmod u+r {path}, or copy the file to a folder of yours.",
    )


def unreadable(source: str, what: str, reason: object) -> InputError:
    """A file that is damaged, or not what its name says."""
    return InputError(
        "file_unreadable",
        f"{source} cannot be read as {what}.",
        received=shortened(str(reason), 200) or type(reason).__name__,
        allowed=f"a whole {what} file",
        next="Write or download the file again; perhaps it was cut short, or its suffix is wrong.",
    )


@contextmanager
def chunks_of(path: Path) -> Iterator[Iterator[bytes]]:
    """The bytes of a text file, unpacked if it ends in .gz, in pieces.

    Raises:
        InputError: ``binary_file``, ``file_unreadable``.
        EnvironmentFault: ``permission_denied``.
    """
    with ExitStack() as stack:
        try:
            stream: IO[bytes] = stack.enter_context(path.open("rb"))
        except PermissionError:
            raise denied(path) from None
        except OSError as error:
            raise unreadable(path.name, "text", error.strerror) from None
        if path.suffix.lower() == ".gz":
            stream = cast(IO[bytes], stack.enter_context(gzip.GzipFile(fileobj=stream)))
        yield _pieces(stream, path.name)


def standard_input() -> Iterator[bytes]:
    """The bytes of stdin, in pieces.

    Raises:
        InputError: ``stdin_is_terminal``, ``binary_file``.
    """
    stream = sys.stdin
    if stream is None or stream.isatty():
        raise InputError(
            "stdin_is_terminal",
            "Nothing is piped into this command.",
            received="- (standard input), which is a keyboard",
            allowed="rows from a pipe or a file",
            next="For example: cat reviews.csv | supertune predict DIR -",
        )
    binary = getattr(stream, "buffer", None) or io.BytesIO(stream.read().encode("utf-8"))
    return _pieces(binary, "standard input")


def _pieces(stream: IO[bytes], source: str) -> Iterator[bytes]:
    first = _read(stream, source)
    check_text(first, source)
    yield first
    while piece := _read(stream, source):
        yield piece


def _read(stream: IO[bytes], source: str) -> bytes:
    """A full piece unless the stream ends, so that what is guessed from it never depends on
    how a pipe happens to deliver."""
    try:
        return stream.read(_CHUNK)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise unreadable(source, "gzip", error) from None
    except OSError as error:
        if error.errno == errno.EISDIR:
            raise unreadable(source, "text", "it is a folder") from None
        raise


def whole(pieces: Iterator[bytes]) -> bytes:
    return b"".join(pieces)
