"""The machine and the versions, in words that name no host, person or folder."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from importlib import metadata, util
from pathlib import Path
from typing import Any

PACKAGES = ("supertune", "torch", "transformers", "tokenizers", "numpy", "scikit-learn")


def described() -> dict[str, Any]:
    import psutil

    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": os.environ.get("OMP_NUM_THREADS", "the default of each library"),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
    }


def _processor() -> str:
    known = Path("/proc/cpuinfo")
    if known.exists():
        for line in known.read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def versions(peers: Sequence[str]) -> dict[str, str]:
    return {
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in (*PACKAGES, *peers)},
    }


def missing(peers: Sequence[str]) -> list[str]:
    """The distributions among ``peers`` that are not installed."""
    return [name for name in peers if util.find_spec(name.replace("-", "_")) is None]
