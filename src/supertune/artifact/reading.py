"""Read a model folder: nothing in it is used before all of it is verified."""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import stat
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from supertune.artifact import swap
from supertune.artifact.manifest import DANGEROUS, FILE, MAX_BYTES, Manifest, parse
from supertune.artifact.places import real_path, some, walk
from supertune.artifact.tensors import Arrays, read_tensors
from supertune.errors import EnvironmentFault, InputError

_ATTEMPTS = 100
_LIST = "Give a folder that `supertune fit ... -o FOLDER` wrote."


@dataclass(frozen=True, eq=False)
class Artifact:
    """A verified model folder, held in memory.

    No file stays open, so the folder may be replaced or deleted (on Windows too) while a model
    read from it is in use, and what was verified is what is used.

    Attributes:
        folder: the folder as it was asked for.
        manifest: the content of ``supertune.json``, in today's schema.
        files: the bytes of every file that the manifest lists, by name.
    """

    folder: Path
    manifest: Manifest
    files: Mapping[str, bytes]

    def arrays(self, name: str) -> Arrays:
        """The named arrays of a safetensors file."""
        return read_tensors(self._bytes(name), name)

    def text(self, name: str) -> str:
        """A UTF-8 file."""
        try:
            return self._bytes(name).decode("utf-8")
        except UnicodeDecodeError as error:
            raise _broken(f"{name} in {self.folder} is not UTF-8 text.", name) from error

    def json(self, name: str) -> Any:
        """A JSON file."""
        try:
            return json.loads(self.text(name))
        except (json.JSONDecodeError, RecursionError) as error:
            raise _broken(f"{name} in {self.folder} is not JSON.", name) from error

    def _bytes(self, name: str) -> bytes:
        if name not in self.files:
            raise InputError(
                "file_missing",
                f"{self.folder} holds no {name}.",
                received=", ".join(sorted(self.files)) or "no files",
                allowed=name,
                next="Fit the model again.",
            )
        return self.files[name]


def read(folder: Path) -> Artifact:
    """Read and verify a model folder; while another process replaces it, the old or the new one.

    Raises:
        InputError: ``model_missing``, ``not_a_model``, ``file_missing``, ``file_damaged``,
            ``file_outside``, ``unsafe_file``, ``file_unreadable``, or as `manifest.parse`.
    """
    target = real_path(folder)
    for attempt in range(_ATTEMPTS):
        try:
            found = swap.locate(target)
        except OSError as error:
            raise _unreadable(folder, error) from error
        if found is None:
            _missing(folder, target)
        before = _identity(found)
        try:
            return _read(found, Path(folder))
        except (InputError, OSError) as error:
            if swap.locate(target) == found and _identity(found) == before is not None:
                if isinstance(error, OSError):
                    raise _unreadable(folder, error) from error
                raise
        time.sleep(0.001 * min(attempt, 20))  # it was replaced while being read: look again
    raise EnvironmentFault(
        "model_busy",
        f"{folder} was replaced by other processes each time it was read.",
        received=f"{_ATTEMPTS} attempts",
        next="Wait until those processes have ended.",
    )


def _read(found: Path, folder: Path) -> Artifact:
    if not found.is_dir():
        raise InputError(
            "not_a_model",
            f"{folder} is a file, and a model is a folder.",
            received=str(folder),
            allowed=f"a folder with {FILE}",
            next=f"Give its folder, {folder.parent}." if folder.name == FILE else _LIST,
        )
    if not (found / FILE).exists():
        raise InputError(
            "not_a_model",
            f"{folder} is not a model folder: it has no {FILE}.",
            received=some(path.name for path in found.iterdir()),
            allowed=f"a folder with {FILE}",
            next=f"It may be a backbone: `supertune fit ROWS.csv --backbone {folder}`."
            if (found / "config.json").is_file()
            else _LIST,
        )
    _check_inside(found, FILE, folder)
    manifest = parse(_content(found / FILE, MAX_BYTES), str(folder))
    _check_strangers(found, folder)
    files = {}
    for name, entry in manifest["files"].items():
        files[name] = _verified(found, name, entry, folder)
    return Artifact(folder, manifest, files)


def _verified(found: Path, name: str, entry: Mapping[str, Any], folder: Path) -> bytes:
    path = found / name
    _check_inside(found, name, folder)
    if not path.is_file():
        raise InputError(
            "file_missing",
            f"{folder} is incomplete: {name} is missing.",
            received=some(walk(found)),
            allowed="every file that the manifest lists",
            next="Copy the whole folder again from where it was made, or fit the model again.",
        )
    size = path.stat().st_size
    content = _content(path, size) if size == entry["bytes"] else b""
    if size != entry["bytes"] or hashlib.sha256(content).hexdigest() != entry["sha256"]:
        received = f"{size:,} bytes, {entry['bytes']:,} were written"
        raise _broken(
            f"{name} in {folder} is not as it was written.",
            received if size != entry["bytes"] else "its sha256 differs from the manifest's",
        )
    return content


def _content(path: Path, limit: int) -> bytes:
    # A pipe or a device would block or never end.
    if not stat.S_ISREG(path.stat().st_mode):
        raise _broken(f"{path.name} in {path.parent} is not an ordinary file.", path.name)
    with path.open("rb") as stream:
        content = stream.read(limit + 1)
    if len(content) > limit:
        raise _broken(f"{path.name} in {path.parent} is too large.", f"over {limit:,} bytes")
    return content


def _check_inside(found: Path, name: str, folder: Path) -> None:
    if not Path(os.path.realpath(found / name)).is_relative_to(os.path.realpath(found)):
        raise InputError(
            "file_outside",
            f"{name} in {folder} is a link to a place outside the folder.",
            received=f"{name} -> {os.path.realpath(found / name)}",
            allowed="ordinary files inside the folder",
            next=f'cp -rL "{folder}" COPY makes a folder without links.',
        )


def _check_strangers(found: Path, folder: Path) -> None:
    """Nothing beside the model may be able to run, and no link may lead out."""
    for name in walk(found):
        if Path(name).suffix.lower() in DANGEROUS:
            raise InputError(
                "unsafe_file",
                f"{folder} holds {name}, a kind of file that can run code when it is opened.",
                received=name,
                allowed="safetensors and JSON",
                next="Do not use this folder unless you know who made it; else delete that file.",
            )
        _check_inside(found, name, folder)


def _identity(found: Path) -> tuple[int, ...] | None:
    """What differs between a folder and the one that took its place."""
    try:
        whole, text = found.stat(), os.lstat(found / FILE)
    except FileNotFoundError:
        return (0,) if found.exists() else None
    except OSError:
        return (1,)
    return whole.st_dev, whole.st_ino, text.st_ino, text.st_mtime_ns, text.st_size


def _missing(folder: Path, target: Path) -> NoReturn:
    near: list[str] = []
    if target.parent.is_dir():
        models = [path.parent.name for path in target.parent.glob(f"[!.]*/{FILE}")]
        near = difflib.get_close_matches(target.name, models, n=1)
    raise InputError(
        "model_missing",
        f"There is no model folder at {folder}.",
        received=str(folder),
        allowed=f"a folder with {FILE}",
        next=f"Did you mean {Path(folder).parent / near[0]}?" if near else _LIST,
    )


def _unreadable(folder: Path, error: OSError) -> InputError:
    return InputError(
        "file_unreadable",
        f"{folder} cannot be read.",
        received=f"{error.filename or folder}: {error.strerror or error}",
        allowed="a folder that you may read",
        next="Check its permissions.",
    )


def _broken(message: str, received: str) -> InputError:
    return InputError(
        "file_damaged",
        message,
        received=received,
        allowed="a model folder that nobody changed",
        next="Copy the folder again from where it was made, or fit the model again.",
    )
