"""The machine and the versions, in words that name no host, person or folder."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from importlib import metadata, util
from pathlib import Path
from typing import Any

from supertune import __version__

PACKAGES = ("supertune", "torch", "transformers", "tokenizers", "peft", "numpy", "scikit-learn")


def described() -> dict[str, Any]:
    import psutil

    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": os.environ.get("OMP_NUM_THREADS", "the default of each library"),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
    }


def processor(device: str = "cpu") -> str:
    """The name of what computes, a torch device, e.g. ``"NVIDIA H100 80GB HBM3"``."""
    if device.startswith("cuda"):
        import torch

        return str(torch.cuda.get_device_name(device))
    known = Path("/proc/cpuinfo")
    if known.exists():
        for line in known.read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def versions(peers: Sequence[str]) -> dict[str, str]:
    return {
        "python": platform.python_version(),
        **{name: _version(name) for name in (*PACKAGES, *peers)},
    }


def _version(name: str) -> str:
    """supertune itself may run from its source without having been installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return __version__ if name == "supertune" else "none"


def missing(peers: Sequence[str]) -> list[str]:
    """The distributions among ``peers`` that are not installed."""
    return [name for name in peers if util.find_spec(name.replace("-", "_")) is None]
