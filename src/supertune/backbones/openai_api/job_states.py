"""What is known of fine-tuning jobs, in small files in the cache: written before each step.

A process that died left behind how far it came, so that the same rows, model and settings upload
and pay nothing twice. No row and no key stands in a file.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from supertune.catalogue.places import cache_folder, room, unwritable

ROOM = "jobs"


@dataclass(frozen=True)
class JobState:
    """Attributes:
    key: of what the job learns from, and how; its file's name.
    server, model: where, and what is tuned.
    files: by what they are for (``"training"``, ``"validation"``), ids at the server.
    job, status, checkpoint: its id, how it was when last seen, the tuned model's name.
    rows, epochs, tokens: learned from, how often, trained on in all (0 while unknown), ``counted``
        by the server or estimated.
    losses: (step, loss) of a job that has ended.
    """

    key: str
    server: str
    model: str
    files: dict[str, str] = field(default_factory=dict)
    job: str = ""
    status: str = ""
    checkpoint: str = ""
    rows: int = 0
    epochs: int = 0
    tokens: int = 0
    counted: bool = False
    losses: list[list[float]] = field(default_factory=list)
    begun: str = ""

    @property
    def path(self) -> Path:
        return cache_folder() / ROOM / f"{self.key}.json"

    def written(self, **changes: Any) -> JobState:
        """The same with changes, once they are on the disk.

        Raises:
            EnvironmentFault: ``cache_unwritable``, ``no_space``.
        """
        changed = replace(self, **{"begun": self.begun or _now(), **changes})
        room(ROOM)
        partial = self.path.with_suffix(f".{os.getpid()}-{threading.get_ident()}")
        try:
            with partial.open("w", encoding="utf-8") as file:
                json.dump(asdict(changed), file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, self.path)
        except OSError as error:
            raise unwritable(self.path, error) from error
        return changed

    def gone(self) -> None:
        self.path.unlink(missing_ok=True)


def key_of(*parts: object) -> str:
    """The name of a state, by whatever distinguishes a job from others."""
    digest = hashlib.sha256()
    for part in parts:
        held = part if isinstance(part, bytes) else json.dumps(part, sort_keys=True).encode()
        digest.update(hashlib.sha256(held).digest())
    return digest.hexdigest()[:32]


def known(key: str, server: str, model: str) -> JobState:
    """What is on the disk, or the state of what has not begun."""
    return _read(cache_folder() / ROOM / f"{key}.json") or JobState(key, server, model)


def all_known() -> list[JobState]:
    """The latest first."""
    found = map(_read, (cache_folder() / ROOM).glob("*.json"))
    return sorted((one for one in found if one is not None), key=lambda one: one.begun)[::-1]


def _read(path: Path) -> JobState | None:
    try:
        held = json.loads(path.read_text("utf-8"))
        names = {one.name for one in fields(JobState)}
        return JobState(**{name: value for name, value in held.items() if name in names})
    except (OSError, ValueError, TypeError, AttributeError):
        return None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
