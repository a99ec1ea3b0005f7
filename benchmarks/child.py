"""``python -m benchmarks.child MODULE:FUNCTION ARGUMENTS``: one call, and the memory it took."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path


def peak_memory_bytes() -> int:
    """The most memory that this program has held.

    On Linux ``ru_maxrss`` starts with that of the process it was forked from, so the kernel's
    own count for this program alone is read.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text("utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    from supertune.api.machine import peak_memory_bytes as peak

    return peak()


def main() -> None:
    module, _, function = sys.argv[1].partition(":")
    result = getattr(importlib.import_module(module), function)(**json.loads(sys.argv[2]))
    print(json.dumps({"result": result, "peak_memory_bytes": peak_memory_bytes()}))


if __name__ == "__main__":
    main()
