"""Fetch one archive of a package registry: resumed, verified, never built, run or installed.

The registry's address is the one that the person's own package client is set up with.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from supertune.catalogue.entries import Package
from supertune.catalogue.places import cache_folder
from supertune.errors import EnvironmentFault

Progress = Callable[[str, int, int | None], None]
TIMEOUT = 20
_JSON = "application/vnd.pypi.simple.v1+json"


def archive(package: Package, progress: Progress | None = None) -> Path:
    """The verified archive in the cache's ``packages`` folder, downloaded when it is not there.

    Raises:
        EnvironmentFault: ``no_network`` when it cannot be had, ``package_changed`` when its
            sha256 is not the pinned one.
    """
    from filelock import FileLock

    folder = cache_folder() / "packages"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EnvironmentFault(
            "cache_unwritable",
            "The cache folder cannot be written.",
            received=f"{folder}: {error.strerror}",
            next="Set SUPERTUNE_CACHE to a folder that can.",
        ) from error
    target = folder / package.file
    with FileLock(str(target) + ".lock"):
        if target.exists() and sha256_of(target) == package.sha256:
            return target
        partial = target.with_name(target.name + ".part")
        try:
            _download(_address(package), partial, package, progress)
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            raise _unreachable(package, error) from error
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
    return target


def _unreachable(package: Package, error: Exception) -> EnvironmentFault:
    client = "npm" if package.registry == "npm" else "pip"
    return EnvironmentFault(
        "no_network",
        f"{package.name} {package.version} cannot be fetched through {client}'s index.",
        received=f"{type(error).__name__}: {error}".splitlines()[0],
        allowed=f"the file {package.file} in {cache_folder() / 'packages'}",
        next="Connect once and try again, or copy that file there from another machine.",
    )


def sha256_of(path: Path) -> str:
    """Hex digest of a file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _address(package: Package) -> str:
    if package.registry == "npm":
        bare = package.name.rsplit("/", 1)[-1]
        return f"{_npm_registry()}/{package.name}/-/{bare}-{package.version}.tgz"
    page = f"{_pip_index().rstrip('/')}/{package.name}/"
    request = urllib.request.Request(page, headers={"Accept": f"{_JSON}, text/html;q=0.5"})
    with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
        kind, body = answer.headers.get("Content-Type", ""), answer.read()
    if "json" in kind:
        listed: dict[str, Any] = json.loads(body)
        links = {str(one["filename"]): str(one["url"]) for one in listed["files"]}
    else:
        hrefs = re.findall(r'href="([^"]+)"', body.decode("utf-8", "replace"))
        links = {href.split("#")[0].rsplit("/", 1)[-1]: href.split("#")[0] for href in hrefs}
    if package.file not in links:
        raise ValueError(f"the index does not list {package.file}")
    return urllib.parse.urljoin(page, links[package.file])


def _pip_index() -> str:
    """The index that pip is set up with: its own help page names it."""
    for variable in ("PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL"):
        if os.environ.get(variable):
            return os.environ[variable]
    command = [sys.executable, "-m", "pip", "download", "--help"]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    found = re.search(
        r"\(default\s+(\S+?)\)", re.sub(r"\s+", " ", shown.split("--index-url", 1)[-1])
    )
    if found is None:
        raise ValueError("pip does not say which index it uses")
    return found.group(1)


def _npm_registry() -> str:
    if os.environ.get("NPM_CONFIG_REGISTRY"):
        return os.environ["NPM_CONFIG_REGISTRY"].rstrip("/")
    client = shutil.which("npm")
    if client is None:
        raise ValueError("npm is not installed")
    command = [client, "config", "get", "registry"]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    return shown.strip().rstrip("/")


def _download(address: str, partial: Path, package: Package, progress: Progress | None) -> None:
    """Append what is missing to ``partial``."""
    have = partial.stat().st_size if partial.exists() else 0
    headers = {"Range": f"bytes={have}-"} if have else {}
    request = urllib.request.Request(address, headers=headers)
    try:
        answer = urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code != 416:  # the part is already whole
            raise
        return
    with answer:
        resumed = answer.status == 206
        have = have if resumed else 0
        length = answer.headers.get("Content-Length")
        total = have + int(length) if length else package.bytes or None
        with partial.open("ab" if resumed else "wb") as stream:
            while chunk := answer.read(1 << 18):
                stream.write(chunk)
                have += len(chunk)
                if progress is not None:
                    progress(f"fetch {package.name}", have, total)
