"""What a fit may take: a point in time at which it stops, processors, and memory.

Loops that can last ask `check` as they go; whoever set the point with `until` catches `OutOfTime`.
Work on a batch goes through a `Splitting`: what does not fit into memory is done again in
smaller parts, in encoding, training and prediction alike.
"""

from __future__ import annotations

import gc
import math
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

from supertune.errors import EnvironmentFault

Item = TypeVar("Item")
Result = TypeVar("Result")
Clock = Callable[[], float]

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_UNITS |= {"ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}

LARGE = 4 * 2**20  # bytes
KEPT_FREE = 0.1  # share of the free memory that other programs may come to need

# --- time --------------------------------------------------------------------------------------


class OutOfTime(Exception):
    """The point in time set by `until` has passed. Internal: it never reaches a person."""


_deadlines: ContextVar[tuple[tuple[Clock, float], ...]] = ContextVar("deadlines", default=())


@contextmanager
def until(stop: float, clock: Clock = time.monotonic) -> Iterator[None]:
    """Inside, `check` raises `OutOfTime` once ``clock`` shows ``stop`` or more; an outer point in
    time stays in force."""
    token = _deadlines.set((*_deadlines.get(), (clock, stop)))
    try:
        yield
    finally:
        _deadlines.reset(token)


def check() -> None:
    """Go on, or leave by `OutOfTime`. Costs a clock reading; long loops call it at every turn."""
    for clock, stop in _deadlines.get():
        if clock() >= stop:
            raise OutOfTime


# --- processors --------------------------------------------------------------------------------

_threads: int | None = None  # like torch's own number, one for the process


def use_threads(most: int | None) -> None:
    """From now on work that is shared out, such as decoding, takes ``most`` threads; None: one a
    processor."""
    global _threads  # noqa: PLW0603
    _threads = most


def processors() -> int:
    """How many threads may work at once: as `use_threads` says, or one a processor that this
    process may use."""
    if _threads is not None:
        return _threads
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


# --- memory ------------------------------------------------------------------------------------

_most: ContextVar[int | None] = ContextVar("memory_limit", default=None)
_MMAP_THRESHOLD, _TRIM_THRESHOLD = -3, -1  # mallopt(3)


@cache
def returning_blocks() -> bool:
    """Blocks of `LARGE` bytes and more go back to the system as soon as they are freed, where the
    C library is glibc. Left alone it raises that bound to 32 MiB by itself; batches of ever other
    sizes then leave holes, and a process grows by half in 20 epochs (docs/log.md)."""
    import ctypes

    try:
        set_option = ctypes.CDLL(None).mallopt
        ctypes.CDLL(None).gnu_get_libc_version  # noqa: B018
    except (OSError, TypeError, AttributeError):
        return False
    return all(set_option(option, LARGE) == 1 for option in (_MMAP_THRESHOLD, _TRIM_THRESHOLD))


@contextmanager
def within(most: int | None) -> Iterator[None]:
    """Inside, `room` counts from ``most`` bytes for the whole process; None: what is free."""
    token = _most.set(most)
    try:
        yield
    finally:
        _most.reset(token)


def resident() -> int:
    """Bytes that this process holds now."""
    import psutil

    return int(psutil.Process().memory_info().rss)


def available() -> int:
    """Bytes that this process may still take: what the machine has free and its container allows,
    less a share that other programs may come to need."""
    import psutil

    free = int(psutil.virtual_memory().available)
    return int(min([free, *_left_by_containers()]) * (1 - KEPT_FREE))


def most_of(limit: int | None) -> int:
    """Bytes that this process may hold in all: ``limit``, or what it holds and what is free if
    that is less or nothing was said."""
    can = resident() + available()
    return can if limit is None else min(limit, can)


def room(device: Any = None) -> int:
    """Bytes that may still be taken at this moment, at least 0: of this machine's memory, or of
    the GPU that ``device`` (a ``torch.device``) names."""
    limit = _most.get()
    if device is not None and device.type == "cuda":
        return _room_on_gpu(device, limit)
    return available() if limit is None else max(0, min(limit - resident(), available()))


def parse_bytes(text: str) -> int:
    """``"500MB"``, ``"2 GiB"`` or ``"1000000"`` as a number of bytes.

    Raises:
        ValueError: it is not a size.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]i?)?b?\s*", text.lower())
    if match is None:
        raise ValueError(f"not a size: {text!r}")
    return int(float(match[1]) * _UNITS[match[2] or ""])


def parse_share(text: str) -> float:
    """``"5%"``, ``"5 %"`` or ``".05"`` as a share.

    Raises:
        ValueError: it is neither a percentage nor a number.
    """
    match = re.fullmatch(r"\s*(\d+\.?\d*|\.\d+)\s*(%?)\s*", text)
    if match is None:
        raise ValueError(f"not a share: {text!r}; write 5% or 0.05")
    # Of the decimal digits, so that 5% is 0.05 and not a neighbour of it.
    return float(Decimal(match[1]) / 100) if match[2] else float(match[1])


def _room_on_gpu(device: Any, limit: int | None) -> int:
    import torch

    held = torch.cuda.memory_allocated(device)
    free = torch.cuda.mem_get_info(device)[0] + torch.cuda.memory_reserved(device) - held
    free = int(free * (1 - KEPT_FREE))
    return free if limit is None else max(0, min(limit - held, free))


def _left_by_containers(root: Path = Path("/sys/fs/cgroup")) -> list[int]:
    """Bytes that Linux control groups (version 2, then 1) leave to this process."""
    left = []
    for most, used in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        with suppress(OSError, ValueError):  # no such group, or "max": no limit
            left.append(int((root / most).read_text()) - int((root / used).read_text()))
    return [max(0, each) for each in left]


def ran_out(error: BaseException) -> bool:
    """Whether an error says that memory did not suffice, of the machine or of a GPU."""
    if isinstance(error, MemoryError):
        return True
    torch: Any = sys.modules.get("torch")
    if torch is not None and isinstance(error, torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(
        words in str(error) for words in ("not enough memory", "out of memory", "can't allocate")
    )


@dataclass(eq=False)
class Splitting:
    """Into how many parts a batch is cut; doubled whenever memory does not suffice.

    It is kept from batch to batch, so that what failed once is not tried again.
    """

    parts: int = 1

    def start(self, needed: int, available: int) -> None:
        """Begin with as many parts as it takes for ``needed`` bytes to fit into ``available``."""
        if needed > available:
            self.parts = max(self.parts, math.ceil(needed / max(1, available)))

    def over(self, items: Sequence[Item], run: Callable[[list[Sequence[Item]]], Result]) -> Result:
        """What ``run`` gives for ``items`` cut into parts; it is called again, with more of them,
        when it runs out of memory.

        Raises:
            EnvironmentFault: ``out_of_memory`` when a single item does not fit.
        """
        while True:
            try:
                return run(cut(items, self.parts))
            except Exception as error:
                if not ran_out(error):
                    raise
                if self.parts >= len(items):
                    raise _too_large(error) from error
            # Out here nothing of the failed try is held by a traceback any more.
            self.parts *= 2
            release()


def cut(items: Sequence[Item], parts: int) -> list[Sequence[Item]]:
    """``items`` in order, in at most ``parts`` parts whose sizes differ by one at most."""
    parts = max(1, min(parts, len(items)))
    ends = [len(items) * number // parts for number in range(parts + 1)]
    return [items[start:end] for start, end in pairwise(ends)]


def release() -> None:
    """Give back what nothing refers to any more."""
    gc.collect()
    torch: Any = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()


def _too_large(error: BaseException) -> EnvironmentFault:
    return EnvironmentFault(
        "out_of_memory",
        "There is not enough memory for a single row.",
        received=(str(error).splitlines() or [type(error).__name__])[0][:200],
        next="Close other programs, lower --set max_length=128, or take a smaller backbone "
        "(`supertune models`).",
    )
