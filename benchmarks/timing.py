"""Time and memory, measured side by side: repeats interleaved, their order alternated."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]

Laps = dict[str, float]
BUSY = 0.10  # share of all cores that others may use before a draw is called disturbed


def lap(action: Callable[[], Any]) -> float:
    """Seconds that ``action`` takes, with the garbage of earlier actions out of the way."""
    gc.collect()
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def processor_lap(action: Callable[[], Any]) -> float:
    """As `lap`, of the processors that this process kept busy: what other programs take meanwhile
    hardly counts."""
    gc.collect()
    started = time.process_time()
    action()
    return time.process_time() - started


def own_lap(action: Callable[[], Any]) -> float:
    """`processor_lap`, or `lap` where a GPU does the work."""
    import torch

    return lap(action) if torch.cuda.is_available() else processor_lap(action)


def interleaved(
    contestants: Mapping[str, Callable[[], Laps]], repeats: int, *, warm: int = 1
) -> dict[str, list[float]]:
    """Laps by name, one a repeat: every contestant once a repeat, in alternating order.

    A contestant measures itself and returns its laps, so that what it prepares isn't counted.
    The first ``warm`` rounds are thrown away.
    """
    laps: dict[str, list[float]] = {}
    names = list(contestants)
    for round_ in range(-warm, repeats):
        for name in names if round_ % 2 == 0 else names[::-1]:
            for title, seconds in contestants[name]().items():
                if round_ >= 0:
                    laps.setdefault(title, []).append(seconds)
    return laps


class Bystanders:
    """How much of the machine others used meanwhile; ``share`` after the ``with`` block, 0 to 1.

    This process and the children that it waited for are not others.
    """

    share = 0.0

    def __enter__(self) -> Bystanders:
        self._before = _clocks()
        return self

    def __exit__(self, *exc: object) -> None:
        wall, all_, own = (b - a for a, b in zip(self._before, _clocks(), strict=True))
        self.share = max(0.0, all_ - own) / (wall * (os.cpu_count() or 1))


def _clocks() -> tuple[float, float, float]:
    import psutil

    times = psutil.cpu_times()
    idle = times.idle + getattr(times, "iowait", 0.0) + getattr(times, "guest", 0.0)
    own = os.times()
    mine = own.user + own.system + own.children_user + own.children_system
    return time.monotonic(), sum(times) - idle, mine


def in_child(function: str, /, **arguments: Any) -> dict[str, Any]:
    """What ``module:function`` returns in a fresh process, with the memory that it took.

    Returns:
        ``result``, and ``peak_memory_bytes`` of the whole process, imports included.
    """
    command = [sys.executable, "-m", "benchmarks.child", function, json.dumps(arguments)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8", timeout=3600
    )
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise RuntimeError(f"{function} failed in its own process: {last}\n{done.stderr[-4000:]}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer
