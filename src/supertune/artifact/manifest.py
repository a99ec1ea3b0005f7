"""``supertune.json``: what a model folder holds, and the checks made before anything is trusted.

The manifest lists every other file with its sha256 and size, and ends with the sha256 of itself
(``manifest_sha256``, over the other keys in canonical JSON), so that any flipped byte shows.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import Any, NoReturn

from supertune.errors import InputError

FILE = "supertune.json"
SCHEMA = 1
MAX_BYTES = 64 * 2**20

Manifest = dict[str, Any]
Migration = Callable[[Manifest], Manifest]

# From a schema to the next one. Schema 1 is the first that was ever written.
MIGRATIONS: dict[int, Migration] = {}

# What a model may consist of. Nothing here can run when it is opened.
KINDS = frozenset(
    {".safetensors", ".json", ".jsonl", ".txt", ".md", ".html", ".csv", ".tsv"}
    | {".yaml", ".yml", ".svg", ".png"}
)
# What must not even lie beside it: formats that run code when loaded, and programs.
DANGEROUS = frozenset(
    {".pkl", ".pickle", ".p", ".pk", ".bin", ".pt", ".pt2", ".pth", ".ckpt", ".joblib", ".dill"}
    | {".cloudpickle", ".npy", ".npz", ".h5", ".hdf5", ".keras", ".model", ".mar", ".nemo", ".pb"}
    | {".marshal", ".shelve", ".py", ".pyc", ".pyd", ".pyo", ".pyw", ".ipynb", ".so", ".dll"}
    | {".dylib", ".exe", ".com", ".bat", ".cmd", ".ps1", ".sh", ".bash", ".zsh", ".js", ".vbs"}
    | {".jar", ".class", ".wasm", ".scr", ".msi", ".lnk", ".app", ".command", ".desktop"}
)
_SEAL = "manifest_sha256"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?")  # device names on Windows
_AGAIN = "Copy the model folder again from where it was made, or fit the model again."


def compose(manifest: Mapping[str, Any], files: Mapping[str, bytes]) -> bytes:
    """The text of ``supertune.json``; ``schema``, ``files`` and the seal are put in here.

    Raises:
        ValueError: a file name or kind that `parse` would refuse, or a NaN in the manifest.
    """
    for name in files:
        if unfit := _unfit(name):
            raise ValueError(f"a model folder cannot hold {name!r}: {unfit[1]}")
    own = {key: value for key, value in manifest.items() if key not in {"schema", "files", _SEAL}}
    listed = {
        name: {"sha256": hashlib.sha256(files[name]).hexdigest(), "bytes": len(files[name])}
        for name in sorted(files)
    }
    whole = json.loads(json.dumps({"schema": SCHEMA, **own, "files": listed}, allow_nan=False))
    whole[_SEAL] = _seal(whole)
    try:
        return f"{json.dumps(whole, indent=2, ensure_ascii=False)}\n".encode()
    except UnicodeEncodeError:  # half a surrogate pair in a label: only escapes can hold it
        return f"{json.dumps(whole, indent=2)}\n".encode()


def parse(data: bytes, where: str, migrations: Mapping[int, Migration] | None = None) -> Manifest:
    """A manifest of today's schema that may be trusted to describe its folder.

    Args:
        data: the bytes of ``supertune.json``.
        where: how messages call the folder.
        migrations: from a schema to the next; `MIGRATIONS` by default.

    Raises:
        InputError: ``manifest_unreadable``, ``schema_newer``, ``schema_older``,
            ``manifest_damaged``, ``unsafe_file_name`` or ``unsafe_file``.
    """
    manifest = _json(data, where)
    schema = manifest.get("schema")
    if type(schema) is not int or schema < 0:
        _unreadable(where, f"schema {schema!r}")
    if schema > SCHEMA:
        _newer(manifest, where)
    if schema >= 1 and manifest.get(_SEAL) != _seal(manifest):
        raise InputError(
            "manifest_damaged",
            f"{FILE} in {where} is not as it was written.",
            received="its sha256 differs from the one it carries",
            allowed=f"a {FILE} that nobody changed",
            next=_AGAIN,
        )
    manifest = migrate(manifest, where, MIGRATIONS if migrations is None else migrations)
    _check_files(manifest.get("files"), where)
    return manifest


def migrate(manifest: Manifest, where: str, migrations: Mapping[int, Migration]) -> Manifest:
    """Take a manifest of an older schema to today's, one step at a time.

    Raises:
        InputError: ``schema_older`` when a step does not exist.
    """
    while (schema := manifest["schema"]) < SCHEMA:
        step = migrations.get(schema)
        if step is None:
            raise InputError(
                "schema_older",
                f"{where} was written by an older supertune and cannot be converted.",
                received=f"schema {schema}",
                allowed=f"schema {SCHEMA}",
                next=f"Fit it again: supertune fit YOUR_ROWS -o {where} --overwrite",
            )
        manifest = {**step(manifest), "schema": schema + 1}
    return manifest


def _seal(manifest: Manifest) -> str:
    rest = {key: value for key, value in manifest.items() if key != _SEAL}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _json(data: bytes, where: str) -> Manifest:
    if not data:
        _unreadable(where, "an empty file")
    try:
        loaded = json.loads(data.decode("utf-8"), object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        _unreadable(where, f"{type(error).__name__}: {error}")
    if not isinstance(loaded, dict):
        _unreadable(where, f"a JSON {type(loaded).__name__}")
    return loaded


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is given twice")
    return found


def _unreadable(where: str, received: str) -> NoReturn:
    raise InputError(
        "manifest_unreadable",
        f"{FILE} in {where} does not describe a model folder.",
        received=received,
        allowed="the JSON object that supertune wrote",
        next=_AGAIN,
    )


def _newer(manifest: Manifest, where: str) -> NoReturn:
    writer = manifest.get("supertune")
    raise InputError(
        "schema_newer",
        f"{where} was written by a newer supertune.",
        received=f"schema {manifest['schema']}"
        + (f", supertune {writer}" if isinstance(writer, str) else ""),
        allowed=f"schema {SCHEMA} or older",
        next="pip install --upgrade supertune",
    )


def _check_files(files: object, where: str) -> None:
    if not isinstance(files, dict):
        _unreadable(where, f"'files' is {type(files).__name__}")
    for name, entry in files.items():
        if unfit := _unfit(name):
            raise InputError(
                unfit[0],
                f"{FILE} in {where} lists {name!r}: {unfit[1]}.",
                received=repr(name),
                allowed="plain names of " + ", ".join(sorted(KINDS)) + " files in the folder",
                next="Do not use this folder unless you know who made it; fit the model again.",
            )
        if not (
            isinstance(entry, dict)
            and isinstance(entry.get("sha256"), str)
            and _SHA256.fullmatch(entry["sha256"])
            and type(entry.get("bytes")) is int
            and entry["bytes"] >= 0
        ):
            _unreadable(where, f"'files' entry for {name!r}")
    folded = {unicodedata.normalize("NFC", name).casefold() for name in files}
    if len(folded) != len(files):
        _unreadable(where, "two file names that differ only in case")


def _unfit(name: str) -> tuple[str, str] | None:
    """The error code and the reason why a name cannot stand in a manifest, or None."""
    parts = name.split("/")
    code = "unsafe_file_name"
    if not name or any(part in {"", ".", ".."} for part in parts):
        return code, "it is not a plain relative path"
    if any(sign in '\\:*?"<>|' or unicodedata.category(sign).startswith("C") for sign in name):
        return code, "it has characters that no file name has on every system"
    if any(len(part) > 200 or part[-1] in " ." or _RESERVED.fullmatch(part) for part in parts):
        return code, "it is not a file name on every system"
    if name.casefold() == FILE:
        return code, "it is the manifest itself"
    if PurePosixPath(name).suffix.lower() not in KINDS:
        return "unsafe_file", "a model folder holds no files of this kind"
    return None
