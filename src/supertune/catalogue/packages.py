"""Fetch one archive of a package registry: resumed, verified, never built, run or installed."""

from __future__ import annotations

import hashlib
import os
import subprocess
import time
import urllib.error
from http.client import HTTPException
from pathlib import Path

from supertune.catalogue import index
from supertune.catalogue.entry import Package
from supertune.catalogue.network import switched_off
from supertune.catalogue.places import DISK, cache_folder, room, unwritable
from supertune.catalogue.placing import Progress, alone
from supertune.errors import EnvironmentFault

FAULTS = (OSError, ValueError, HTTPException, subprocess.SubprocessError)
PAUSES = (0.2, 1.0, 3.0)  # seconds before each further try of a download that was cut


def archive(package: Package, progress: Progress | None = None) -> Path:
    """The verified archive in the cache's ``packages`` folder, downloaded when it is not there.

    A download that was cut goes on where it stopped, in this run or the next.

    Raises:
        EnvironmentFault: ``no_network`` when it cannot be had, ``package_changed`` when its
            sha256 is not the pinned one, ``cache_unwritable``.
    """
    target = cache_folder() / "packages" / package.file
    if _is(target, package):
        return target
    room("packages")
    with alone(target, progress):
        if not _is(target, package):
            _fetch(package, target, progress)
    return target


def _is(path: Path, package: Package) -> bool:
    return path.exists() and sha256_of(path) == package.sha256


def _fetch(package: Package, target: Path, progress: Progress | None) -> None:
    partial = target.with_name(target.name + ".part")
    resumed = partial.exists()
    try:
        if why := switched_off():
            raise ValueError(why)
        address = index.address(package)
        _download(address, partial, package, progress)
        if resumed and sha256_of(partial) != package.sha256:
            partial.unlink()  # what an earlier run left was not the beginning of this file
            _download(address, partial, package, progress)
    except FAULTS as error:
        if isinstance(error, OSError) and error.errno in DISK:
            raise unwritable(partial, error) from error
        raise unreachable(package, error) from error
    found = sha256_of(partial)
    if found != package.sha256:
        partial.unlink()
        raise EnvironmentFault(
            "package_changed",
            f"{package.file} is not the file that was pinned; it was thrown away.",
            received=f"sha256 {found}",
            allowed=f"sha256 {package.sha256}",
            next="Try again; if it stays so, report it.",
        )
    os.replace(partial, target)


def unreachable(package: Package, error: BaseException) -> EnvironmentFault:
    """The error for a package that cannot be had, with the reason in ``received``."""
    client = package.client
    return EnvironmentFault(
        "no_network",
        f"{package.name} {package.version} cannot be fetched through {client}'s index.",
        received=_said(error),
        allowed=f"the file {package.file} in {cache_folder() / 'packages'}",
        next="Connect once and try again, or copy that file there from another machine; "
        "`supertune doctor` checks the network.",
    )


def _said(error: BaseException) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answered {error.code} {error.reason}"
    if isinstance(error, urllib.error.URLError):
        return f"the server cannot be reached ({error.reason})"
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def sha256_of(path: Path) -> str:
    """Hex digest of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _download(address: str, partial: Path, package: Package, progress: Progress | None) -> None:
    """Append what is missing to ``partial``; tries again for as long as something arrives."""
    tries = 0
    while True:
        before = _size(partial)
        try:
            if _append(address, partial, package, progress):
                return
            problem: Exception = ConnectionError("the connection was cut")
        except urllib.error.HTTPError as error:
            if error.code < 500 and error.code not in (408, 429):
                raise
            problem = error
        except (HTTPException, ConnectionError, TimeoutError) as error:
            problem = error
        tries = 0 if _size(partial) > before else tries
        if tries == len(PAUSES):
            raise problem
        time.sleep(PAUSES[tries])
        tries += 1


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _append(address: str, partial: Path, package: Package, progress: Progress | None) -> bool:
    """One request; whether the file is whole now."""
    have = _size(partial)
    try:
        answer = index.get(address, {"Range": f"bytes={have}-"} if have else {})
    except urllib.error.HTTPError as error:
        if error.code == 416 and have:  # there is nothing behind what we have
            return True
        raise
    with answer:
        resumed = answer.status == 206
        have = have if resumed else 0
        length = answer.headers.get("Content-Length")
        total = have + int(length) if length else None
        with partial.open("ab" if resumed else "wb") as stream:
            while chunk := answer.read(1 << 18):
                stream.write(chunk)
                have += len(chunk)
                if progress is not None:
                    progress(f"fetch {package.name}", have, total or package.bytes or None)
    return total is None or have >= total
