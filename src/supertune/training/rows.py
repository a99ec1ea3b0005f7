"""Arrays in one SQLite file: several processes, any of which may be killed at any moment.

The write-ahead log makes each transaction whole; transactions are short, so that others wait
milliseconds. Every array carries a CRC-32 of key, type, shape and bytes, so that what the disk
changed silently is a miss. Values sit in a table of their own: noting a use then rewrites a few
bytes and not the array.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
FAULTS = (sqlite3.Error, OSError, UnicodeDecodeError)
Touched = set[str]

BUSY_SECONDS = 5.0
LOCK_SECONDS = 10.0
_KEYS_A_QUERY = 500  # SQLite's limit of parameters was 999 for long
_ROWS_A_TRANSACTION = 2000
_BYTES_A_TRANSACTION = 16 * 2**20
_ROW_BYTES = 200  # what a row costs beside its array, roughly
_LOG_BYTES = 32 * 2**20
# A forked child must neither use nor close its parent's connection: closing would tidy the log.
_inherited: list[sqlite3.Connection] = []

_TABLES = """
CREATE TABLE IF NOT EXISTS entries (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, dtype TEXT NOT NULL, shape TEXT NOT NULL,
    crc INTEGER NOT NULL, bytes INTEGER NOT NULL, used INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS by_use ON entries (used);
CREATE TABLE IF NOT EXISTS blobs (id INTEGER PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS totals (id INTEGER PRIMARY KEY CHECK (id = 1), entries INTEGER,
    bytes INTEGER);
INSERT OR IGNORE INTO totals VALUES (1, 0, 0);
"""


class Verdict(Enum):
    """What a fault means for the file."""

    BUSY = "another process writes; skip this once"
    FULL = "nothing more can be written"
    UNUSABLE = "it cannot be opened here"
    DAMAGED = "its content is broken"


def verdict(error: Exception) -> Verdict:
    """Sort a fault of SQLite or of the operating system."""
    if isinstance(error, OSError):
        return Verdict.UNUSABLE
    if isinstance(error, UnicodeDecodeError):  # SQLite quotes the damage in its message
        return Verdict.DAMAGED
    if isinstance(error, sqlite3.ProgrammingError):
        raise error  # ours, not the disk's
    primary = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
    if primary in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL}:
        return Verdict.BUSY
    if primary in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY}:
        return Verdict.FULL
    unusable = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_PERM}
    unusable |= {sqlite3.SQLITE_AUTH, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_NOLFS}
    return Verdict.UNUSABLE if primary in unusable else Verdict.DAMAGED


class RowFile:
    """The file, opened when first needed. Not for several threads at once.

    Every method may raise one of `FAULTS`; `verdict` sorts them.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.damaged = path.with_name(path.name + ".damaged")
        self._connection: sqlite3.Connection | None = None
        self._owner = 0  # process id: a connection must not be used after a fork
        self._inode = 0

    def read(self, keys: Sequence[str]) -> dict[str, Array]:
        """The arrays found whole. Rows that are not what was written are deleted."""
        if not self.path.exists():
            return {}
        connection = self._open()
        found: dict[str, Array] = {}
        broken: list[str] = []
        for start in range(0, len(keys), _KEYS_A_QUERY):
            part = keys[start : start + _KEYS_A_QUERY]
            marks = ",".join("?" * len(part))
            for row in connection.execute(
                "SELECT key, dtype, shape, crc, value FROM entries LEFT JOIN blobs USING (id)"
                f" WHERE key IN ({marks})",
                part,
            ):
                array = _decode(*row)
                if array is None:
                    broken.append(row[0])
                else:
                    found[row[0]] = array
        if broken:
            with suppress(sqlite3.OperationalError), self._transaction() as connection:
                _delete(connection, "key", broken)
        return found

    def write(self, arrays: Mapping[str, Array], touched: Touched, limit: int) -> None:
        """Add arrays that are not there, note the uses of others, delete down to ``limit``."""
        now = time.time_ns()
        new = {key: array for key, array in arrays.items() if array.nbytes + _ROW_BYTES <= limit}
        if touched:
            with self._transaction() as connection:
                connection.executemany(
                    "UPDATE entries SET used = ? WHERE key = ?", ((now, key) for key in touched)
                )
        for part in _portions(new):
            with self._transaction() as connection:
                _insert(connection, part, now)
                _evict(connection, limit)

    def totals(self) -> tuple[int, int]:
        """(entries, bytes of all arrays); (0, 0) while there is no file."""
        if not self.path.exists():
            return 0, 0
        return _totals(self._open())

    def size(self) -> int:
        """Bytes on disk, the log included."""
        total = 0
        for path in self._parts():
            with suppress(OSError):
                total += path.stat().st_size
        return total

    def clear(self) -> None:
        """Delete every row, give the space back, and remove what was set aside."""
        if self.path.exists():
            with self._transaction() as connection:
                for table in ("entries", "blobs"):
                    connection.execute(f"DELETE FROM {table}")
                connection.execute("UPDATE totals SET entries = 0, bytes = 0")
            with suppress(sqlite3.OperationalError):  # another process reads: it shrinks later
                connection = self._open()
                connection.execute("VACUUM")
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.damaged.unlink(missing_ok=True)

    def set_aside(self) -> bool:
        """Rename the damaged file and its log away; False if another process already has."""
        from filelock import FileLock, Timeout

        inode = self._inode
        self.close()
        try:
            with FileLock(self.path.with_name(self.path.name + ".lock"), timeout=LOCK_SECONDS):
                if inode and _inode(self.path) != inode:
                    return False
                # The log first: a new file must never meet the log of the old one.
                for path in self._parts()[1:]:
                    path.unlink(missing_ok=True)
                os.replace(self.path, self.damaged)
        except Timeout as error:
            raise OSError(str(error)) from error
        except FileNotFoundError:
            return False
        return True

    def close(self) -> None:
        """Let go of the file."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if self._owner != os.getpid():
            _inherited.append(connection)
            return
        with suppress(sqlite3.Error):
            connection.close()

    def __del__(self) -> None:
        # Not by `suppress`: when the interpreter ends, this module's names may be gone first.
        try:  # noqa: SIM105
            self.close()
        except Exception:  # noqa: BLE001
            pass

    def _parts(self) -> list[Path]:
        return [self.path.with_name(self.path.name + end) for end in ("", "-wal", "-shm")]

    def _open(self) -> sqlite3.Connection:
        if self._connection is not None:
            # Deleted, or set aside by another process: what is written there would be lost.
            if self._owner == os.getpid() and _inode(self.path) == self._inode:
                return self._connection
            self.close()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(
            self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            self._inode = _inode(self.path)
            _prepare(connection)
        except BaseException:
            connection.close()
            raise
        self._connection, self._owner = connection, os.getpid()
        return connection

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        connection = self._open()
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise


def _prepare(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA page_size = 8192")  # five vectors of 384 a page
    connection.execute("PRAGMA synchronous = NORMAL")
    for wait in (0.01, 0.05, 0.2, 0.5, 0.0):
        try:
            connection.execute("PRAGMA journal_mode = WAL").fetchone()
            break
        except sqlite3.OperationalError as error:
            # The switch does not honour the busy timeout when two processes make it at once.
            if verdict(error) is not Verdict.BUSY or not wait:
                raise
            time.sleep(wait)
    connection.execute(f"PRAGMA journal_size_limit = {_LOG_BYTES}")
    connection.execute("PRAGMA wal_autocheckpoint = 2000")
    known = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'totals'")
    if not known.fetchone()[0]:
        connection.executescript(f"BEGIN IMMEDIATE; {_TABLES} COMMIT;")


def _totals(connection: sqlite3.Connection) -> tuple[int, int]:
    row = connection.execute("SELECT entries, bytes FROM totals").fetchone()
    if row is None or not all(isinstance(value, int) and value >= 0 for value in row):
        raise sqlite3.DatabaseError(f"the totals are {row}")
    return row[0], row[1]


def _portions(arrays: Mapping[str, Array]) -> Iterator[dict[str, Array]]:
    """Parts small enough for one short transaction each."""
    part: dict[str, Array] = {}
    size = 0
    for key, array in arrays.items():
        part[key] = array
        size += array.nbytes
        if len(part) >= _ROWS_A_TRANSACTION or size >= _BYTES_A_TRANSACTION:
            yield part
            part, size = {}, 0
    if part:
        yield part


def _insert(connection: sqlite3.Connection, arrays: Mapping[str, Array], now: int) -> None:
    keys = list(arrays)
    known: set[str] = set()
    for start in range(0, len(keys), _KEYS_A_QUERY):
        part = keys[start : start + _KEYS_A_QUERY]
        marks = ",".join("?" * len(part))
        rows = connection.execute(f"SELECT key FROM entries WHERE key IN ({marks})", part)
        known.update(key for (key,) in rows)
    first = connection.execute("SELECT coalesce(max(id), 0) + 1 FROM entries").fetchone()[0]
    entries, blobs, size = [], [], 0
    for number, key in enumerate((key for key in keys if key not in known), start=first):
        array = arrays[key]
        dtype, shape = array.dtype.str, json.dumps(array.shape)
        value = array.tobytes()
        entries.append((number, key, dtype, shape, _crc(key, dtype, shape, value), len(value), now))
        blobs.append((number, value))
        size += len(value)
    connection.executemany("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?)", entries)
    # An id may have been in use in a file whose tables no longer agree; the row is worthless.
    connection.executemany("INSERT OR REPLACE INTO blobs VALUES (?, ?)", blobs)
    connection.execute(
        "UPDATE totals SET entries = entries + ?, bytes = bytes + ?", (len(entries), size)
    )


def _evict(connection: sqlite3.Connection, limit: int) -> None:
    """Delete the least recently used until a tenth of the limit is free again."""
    entries, size = _totals(connection)
    excess = size + entries * _ROW_BYTES - limit
    if excess <= 0:
        return
    # Some room at once, or every later put would delete a little; never more than asked for by a
    # small cache, whose newest entry must stay.
    excess += limit // 10
    doomed: list[int] = []
    newest = connection.execute("SELECT max(id) FROM entries").fetchone()[0]
    for number, value in connection.execute("SELECT id, bytes FROM entries ORDER BY used, id"):
        if excess <= 0 or number == newest:
            break
        doomed.append(number)
        excess -= value + _ROW_BYTES
    _delete(connection, "id", doomed)


def _delete(connection: sqlite3.Connection, column: str, values: Sequence[Any]) -> None:
    for start in range(0, len(values), _KEYS_A_QUERY):
        part = values[start : start + _KEYS_A_QUERY]
        where = f"WHERE {column} IN ({','.join('?' * len(part))})"
        count, size = connection.execute(
            f"SELECT count(*), coalesce(sum(bytes), 0) FROM entries {where}", part
        ).fetchone()
        connection.execute(f"DELETE FROM blobs WHERE id IN (SELECT id FROM entries {where})", part)
        connection.execute(f"DELETE FROM entries {where}", part)
        connection.execute(
            "UPDATE totals SET entries = entries - ?, bytes = bytes - ?", (count, size)
        )


def _crc(key: str, dtype: str, shape: str, value: bytes) -> int:
    return zlib.crc32(value, zlib.crc32(f"{key}|{dtype}|{shape}".encode("utf-8", "surrogatepass")))


def _decode(key: Any, dtype: Any, shape: Any, crc: Any, value: Any) -> Array | None:
    """The array, or None when the row is not what was written."""
    try:
        if _crc(key, dtype, shape, value) != crc:
            return None
        return np.frombuffer(value, dtype=np.dtype(dtype)).reshape(json.loads(shape))
    except (TypeError, ValueError):
        return None


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except OSError:
        return 0
