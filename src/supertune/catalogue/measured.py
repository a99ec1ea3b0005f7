"""What was measured about this machine, kept on disk so that it is measured once.

Probes are short, but a fit of 50 rows is shorter than many probes.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from supertune.catalogue.places import cache_folder

FILE = "measured.json"
Value = float | dict[str, Any]


def remembered(name: str, measure: Callable[[], Value]) -> Value:
    """The value kept under ``name`` for this machine, measured now if there is none.

    A file that cannot be read or written costs the time of measuring again and nothing else.
    """
    path, key = cache_folder() / FILE, f"{machine()}|{name}"
    known = _read(path)
    if key not in known:
        value = measure()
        # Another process may have added something meanwhile.
        _write(path, {**_read(path), key: value})
        return value
    return known[key]


def forget(name: str) -> None:
    """Have it measured again the next time."""
    path, key = cache_folder() / FILE, f"{machine()}|{name}"
    known = _read(path)
    if known.pop(key, None) is not None:
        _write(path, known)


def _write(path: Path, known: dict[str, Value]) -> None:
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(json.dumps(known, indent=1, sort_keys=True), encoding="utf-8")
        os.replace(partial, path)


@cache
def machine() -> str:
    """The processor's model and the number of cores: what a measured speed belongs to."""
    name = platform.processor() or platform.machine()
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                name = line.partition(":")[2].strip()
                break
    return f"{name}, {os.cpu_count()} cores"


def _read(path: Path) -> dict[str, Value]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
