"""Write a model folder, and say beforehand whether it could be written."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from supertune.artifact import swap
from supertune.artifact.manifest import FILE, MAX_BYTES, compose
from supertune.artifact.places import real_path, some, walk
from supertune.errors import EnvironmentFault, InputError

_SLACK_BYTES = 2**20
_KINDS = ("an export", "a model folder")
# Left behind by file browsers, and nobody's loss.
_LITTER = {".ds_store", "thumbs.db", "desktop.ini", ".directory"}


def save(
    folder: Path, manifest: Mapping[str, Any], files: Mapping[str, bytes], *, overwrite: bool
) -> None:
    """Write a model folder, whole or not at all, whatever happens to this process meanwhile.

    Args:
        folder: where; its parent must exist.
        manifest: JSON values; ``schema``, ``files`` and ``manifest_sha256`` are added.
        files: content by name; ``adapter/adapter_config.json`` makes a sub-folder.
        overwrite: replace a model folder that is there already.

    Raises:
        InputError: as `check_output`.
        EnvironmentFault: as `check_output`, or ``output_busy``; the old folder is still there.
    """
    text = compose(manifest, files)
    needed = len(text) + sum(map(len, files.values()))
    check_output(folder, overwrite, needed)
    target = real_path(folder)

    def fill(partial: Path) -> None:
        parents = {partial}
        for name, content in (*files.items(), (FILE, text)):
            path = partial / name
            path.parent.mkdir(parents=True, exist_ok=True)
            parents.update(parent for parent in path.parents if partial in parent.parents)
            with path.open("xb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
        for parent in parents:
            swap.sync_folder(parent)

    swap.publish(target, fill, lambda: check_occupant(target, overwrite))


def check_output(folder: Path, overwrite: bool, needed: int = 0, *, listing: str = FILE) -> None:
    """Whether `save` could write there now; called before anything is trained. Leaves no file.

    Args:
        folder: the model folder to be.
        overwrite: whether a model folder may be replaced.
        needed: bytes that will be written.
        listing: the file by which a folder of the same kind is known.

    Raises:
        InputError: ``output_exists``, ``output_is_file``, ``output_not_a_model``,
            ``output_holds_other_files``, ``output_parent_missing``,
            ``output_is_current_folder``, ``bad_folder_name``.
        EnvironmentFault: ``output_read_only``, ``output_unwritable``, ``no_space``.
    """
    target = real_path(folder)
    parent = target.parent
    if not parent.is_dir():
        raise InputError(
            "output_parent_missing",
            f"The folder that should hold {target.name} does not exist.",
            received=str(parent),
            allowed="an existing folder",
            next=f'mkdir "{parent}"' if not parent.exists() else "Give -o/--output another place.",
        )
    try:
        check_occupant(target, overwrite, listing)
        with tempfile.TemporaryFile(dir=parent):
            free = shutil.disk_usage(parent).free
    except OSError as error:
        raise swap.fault(error, target) from error
    if free < needed + _SLACK_BYTES:
        raise EnvironmentFault(
            "no_space",
            f"There is not enough space to write {target}.",
            received=f"{free:,} bytes free",
            allowed=f"{needed + _SLACK_BYTES:,} bytes or more",
            next="Free some space, or give -o/--output a folder on another disk.",
        )


def check_occupant(target: Path, overwrite: bool, listing: str = FILE) -> None:
    """Refuse to replace what is at ``target`` unless it is ours and may be replaced.

    Raises:
        InputError: as `check_output`.
    """
    if target == target.parent or Path.cwd().is_relative_to(target):
        raise InputError(
            "output_is_current_folder",
            "The output would be the folder you are in, or one that holds it.",
            received=str(target),
            next="Give the model a folder of its own, such as models/reviews.",
        )
    occupant = swap.locate(target)
    if occupant is None:
        return
    if not occupant.is_dir():
        raise InputError(
            "output_is_file",
            "The output is a file, and a model is a folder.",
            received=str(target),
            next="Give -o/--output another name.",
        )
    if not any(occupant.iterdir()):
        return
    ours = _own_files(occupant, listing)
    if not overwrite:
        raise InputError(
            "output_exists",
            f"{target} exists already.",
            received=str(target),
            allowed="a new or empty folder",
            next="Add --overwrite to replace it, or give -o/--output another name."
            if ours is not None
            else "Give -o/--output another name.",
        )
    if ours is None:
        raise InputError(
            "output_not_a_model",
            f"{target} has things in it and is not {_KINDS[listing == FILE]}, so it stays.",
            received=some(path.name for path in occupant.iterdir()),
            allowed="a new or empty folder, or one that supertune wrote",
            next="Give -o/--output another name, or delete the folder yourself.",
        )
    others = {name for name in walk(occupant) if Path(name).name.lower() not in _LITTER} - ours
    if others:
        raise InputError(
            "output_holds_other_files",
            f"{target} holds files that supertune did not write, so it is not replaced.",
            received=some(others),
            next="Move these files elsewhere, or give -o/--output another name.",
        )


def _own_files(folder: Path, listing: str) -> set[str] | None:
    """The files that a readable listing names, and itself; None when the folder is not ours."""
    try:
        with (folder / listing).open("rb") as stream:
            manifest = json.loads(stream.read(MAX_BYTES))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(manifest, dict) or not isinstance(manifest.get("files"), dict):
        return None
    return {listing, *manifest["files"]} if type(manifest.get("schema")) is int else None
