"""What ran, on what, and how much of it a fit took."""

from __future__ import annotations

import platform
import sys
from contextlib import suppress
from importlib import metadata
from pathlib import Path

_PACKAGES = ("supertune", "numpy", "scipy", "scikit-learn")
_WITH_BACKBONE = ("torch", "transformers", "peft", "tokenizers")


def versions(*, backbone: bool) -> dict[str, str]:
    """Versions that a result depends on, by name."""
    named = {"python": platform.python_version()}
    for name in _PACKAGES + (_WITH_BACKBONE if backbone else ()):
        named[name] = metadata.version(name)
    return {**named, "platform": f"{platform.system()} {platform.machine()}"}


def peak_memory_bytes() -> int:
    """The most memory that this process has held so far, in bytes."""
    if sys.platform == "win32":
        import psutil

        return int(psutil.Process().memory_info().peak_wset)
    with suppress(OSError, StopIteration, ValueError):  # Linux: of this program alone
        status = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        line = next(line for line in status if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    import resource

    # Where a large process has started this one, its memory counts here too.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak * 1024)
