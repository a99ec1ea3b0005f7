"""Activations by content key: computed once, then found in memory or on disk.

A key names everything an array depends on (weights, input, encoding, cut), so a value under a
key never changes, and several processes may use one cache without asking each other. `rows`
keeps the arrays on disk; here are the memory in front of it, the counts, and what is done when
the disk does not play along: the cache then works in memory and says so in ``findings``. It
never raises for a fault of the disk.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from supertune.contracts import Finding
from supertune.errors import InputError
from supertune.limits import parse_bytes
from supertune.training.rows import FAULTS, RowFile, Touched, Verdict, verdict

Array = npt.NDArray[Any]
T = TypeVar("T")

LIMIT_VARIABLE = "SUPERTUNE_CACHE_LIMIT"
DEFAULT_LIMIT = 2 * 2**30
DEFAULT_MEMORY = 256 * 2**20
FILE = "activations-v1.sqlite3"


class ActivationCache:
    """Arrays of any shape and numeric type under text keys, bounded in memory and on disk.

    Arrays that come out are read-only: several callers share them.

    Args:
        folder: where the file lives (made when first written to); None: memory only.
        limit_bytes: bound of the arrays on disk, least recently used go first; by default
            ``SUPERTUNE_CACHE_LIMIT`` (``500MB``, ``2GiB``, ``0`` for memory only) or 2 GiB.
        memory_bytes: bound of the arrays held in memory.
        on_finding: called once with each `Finding` as it is made.

    Raises:
        InputError: ``bad_cache_limit``.
    """

    def __init__(
        self,
        folder: Path | None,
        limit_bytes: int | None = None,
        *,
        memory_bytes: int = DEFAULT_MEMORY,
        on_finding: Callable[[Finding], None] | None = None,
    ) -> None:
        self.limit_bytes = _limit_from_environment() if limit_bytes is None else limit_bytes
        self.memory_bytes = memory_bytes
        self.findings: list[Finding] = []
        self.hits = 0
        self.misses = 0
        self._on_finding = on_finding
        self._memory: OrderedDict[str, Array] = OrderedDict()
        self._memory_used = 0
        self._touched: Touched = set()
        self._lock = threading.RLock()
        self._writable = True
        self._repairs = 0
        self._file: RowFile | None = None
        if folder is not None and self.limit_bytes > 0:
            self._file = RowFile(Path(folder) / FILE)

    def get(self, keys: Iterable[str]) -> dict[str, Array]:
        """The arrays that are known, by key; a key that is not there is simply missing."""
        with self._lock:
            wanted = dict.fromkeys(keys)
            found = {key: self._memory[key] for key in wanted if key in self._memory}
            for key in found:
                self._memory.move_to_end(key)
            self._touched.update(found)
            absent = [key for key in wanted if key not in found]
            if absent:
                nothing: dict[str, Array] = {}
                for key, array in self._on_disk(lambda file: file.read(absent), nothing).items():
                    found[key] = array
                    self._touched.add(key)
                    self._remember(key, array)
            self.hits += len(found)
            self.misses += len(wanted) - len(found)
            return found

    def put(self, arrays: Mapping[str, Array]) -> None:
        """Keep arrays under their keys. A key that is known already keeps its value."""
        with self._lock:
            kept = {key: _frozen(array) for key, array in arrays.items()}
            for key, array in kept.items():
                self._remember(key, array)
            if not self._writable:
                return
            touched, self._touched = self._touched, set()
            self._on_disk(lambda file: file.write(kept, touched, self.limit_bytes), None)

    def stats(self) -> dict[str, Any]:
        """``entries`` and ``bytes`` (arrays) on disk, ``file_bytes``, ``limit_bytes``, ``folder``,
        ``memory_entries``, ``memory_bytes``, and this object's ``hits`` and ``misses``."""
        with self._lock:
            entries, size = self._on_disk(lambda file: file.totals(), (0, 0))
            file = self._file
            return {
                "folder": None if file is None else str(file.path.parent),
                "entries": entries,
                "bytes": size,
                "file_bytes": 0 if file is None else file.size(),
                "limit_bytes": self.limit_bytes,
                "memory_entries": len(self._memory),
                "memory_bytes": self._memory_used,
                "hits": self.hits,
                "misses": self.misses,
            }

    def clear(self) -> None:
        """Forget everything, in memory and on disk, damaged files set aside earlier too."""
        with self._lock:
            self._memory.clear()
            self._memory_used = 0
            self._touched.clear()
            self._on_disk(lambda file: file.clear(), None)

    def close(self) -> None:
        """Note what was used lately and let go of the file; the next call opens it again."""
        with self._lock:
            touched, self._touched = self._touched, set()
            if touched and self._writable:
                self._on_disk(lambda file: file.write({}, touched, self.limit_bytes), None)
            if self._file is not None:
                self._file.close()

    def __enter__(self) -> ActivationCache:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _remember(self, key: str, array: Array) -> None:
        if key in self._memory or array.nbytes > self.memory_bytes:
            return
        self._memory[key] = array
        self._memory_used += array.nbytes
        while self._memory_used > self.memory_bytes:
            _, oldest = self._memory.popitem(last=False)
            self._memory_used -= oldest.nbytes

    def _on_disk(self, action: Callable[[RowFile], T], otherwise: T) -> T:
        """Do something with the file; ``otherwise`` when that is impossible."""
        for _ in range(2):
            if self._file is None:
                return otherwise
            try:
                return action(self._file)
            except FAULTS as error:
                if not self._cope(self._file, error):
                    return otherwise
        return otherwise

    def _cope(self, file: RowFile, error: Exception) -> bool:
        """Draw the consequence of a fault; True when trying again makes sense."""
        what = verdict(error)
        if what is Verdict.BUSY:
            return False
        if what is Verdict.DAMAGED and self._repairs < 2:
            self._repairs += 1
            try:
                if file.set_aside():
                    self._say(
                        "cache_damaged",
                        f"The activation cache was damaged ({error}). It was set aside as "
                        f"{file.damaged.name} and a new one begun; what it held is computed again.",
                    )
                return True
            except OSError as second:
                error = second
        if what is Verdict.FULL:
            self._writable = False  # what is there can still be read
        else:
            file.close()
            self._file = None
        self._say(
            "cache_unavailable",
            f"The activation cache at {file.path} cannot be used ({error}). "
            "Activations are kept in memory for this run.",
        )
        return False

    def _say(self, code: str, message: str) -> None:
        finding = Finding(code, message)
        self.findings.append(finding)
        if self._on_finding is not None:
            self._on_finding(finding)


def _limit_from_environment() -> int:
    text = os.environ.get(LIMIT_VARIABLE, "")
    if not text.strip():
        return DEFAULT_LIMIT
    try:
        return parse_bytes(text)
    except ValueError as error:
        raise InputError(
            "bad_cache_limit",
            f"{LIMIT_VARIABLE} is not a size.",
            received=text,
            allowed="500MB, 2GiB, a number of bytes, or 0 to keep nothing on disk",
            next=f"Correct or unset {LIMIT_VARIABLE}.",
        ) from error


def _frozen(array: Array) -> Array:
    """A read-only copy: the caller may go on writing, and a row must not keep its matrix."""
    if array.dtype.kind not in "biufc":
        raise TypeError(f"only numbers can be cached, not {array.dtype}")
    copy = np.array(array, order="C", copy=True)
    copy.flags.writeable = False
    return copy
