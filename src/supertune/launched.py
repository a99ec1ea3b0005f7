"""What the launcher of several processes, ``accelerate launch`` or ``torchrun``, says of them.

It imports nothing heavy: the command line asks before any library is loaded.
"""

from __future__ import annotations

import os


def count() -> int:
    """How many processes share what is done; 1 without a launcher."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """Which of them this is, from 0 on."""
    return int(os.environ.get("RANK", "0"))


def first() -> bool:
    """Whether this process is the one that speaks and writes."""
    return count() == 1 or rank() == 0


def sharded() -> bool:
    """Whether the launcher asks for weights that are spread over the processes (FSDP)."""
    return os.environ.get("ACCELERATE_USE_FSDP", "false").lower() in ("1", "true")
