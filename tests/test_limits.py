"""Time that runs out and memory that does not suffice."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Python

from supertune import limits
from supertune.errors import EnvironmentFault
from supertune.limits import OutOfTime, Splitting


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_time_is_up_when_the_clock_says_so_and_only_inside() -> None:
    clock = Clock()
    with limits.until(5.0, clock):
        limits.check()
        clock.now = 5.0
        with pytest.raises(OutOfTime):
            limits.check()
    limits.check()


def test_an_outer_point_in_time_stays_in_force() -> None:
    outer, inner = Clock(), Clock()
    with limits.until(1.0, outer), limits.until(100.0, inner):
        limits.check()
        outer.now = 1.0
        with pytest.raises(OutOfTime):
            limits.check()


@pytest.mark.parametrize(("count", "parts"), [(10, 3), (2, 5), (7, 7), (1, 1), (5, 1)])
def test_parts_hold_everything_in_order_and_differ_by_one(count: int, parts: int) -> None:
    found = limits.cut(range(count), parts)
    assert [item for part in found for item in part] == list(range(count))
    sizes = [len(part) for part in found]
    assert max(sizes) - min(sizes) <= 1
    assert len(found) == min(parts, count)


def fitting(most: int, error: Exception) -> Any:
    """Adds up numbers, of which no more than ``most`` may come at once."""

    def run(parts: list[Any]) -> int:
        if max(map(len, parts)) > most:
            raise error
        return sum(sum(part) for part in parts)

    return run


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 1 bytes"),
        RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_does_not_fit_is_done_in_smaller_parts_and_stays_so(error: Exception) -> None:
    splitting = Splitting()
    assert splitting.over(range(16), fitting(5, error)) == sum(range(16))
    assert splitting.parts == 4
    assert splitting.over(range(16), lambda parts: len(parts)) == 4


def test_other_errors_are_passed_on() -> None:
    splitting = Splitting()
    with pytest.raises(RuntimeError, match="shapes"):
        splitting.over(range(4), fitting(1, RuntimeError("shapes do not match")))
    assert splitting.parts == 1


def test_a_single_row_that_does_not_fit_is_an_error_with_a_remedy() -> None:
    with pytest.raises(EnvironmentFault, match="single row") as told:
        Splitting().over(range(4), fitting(0, MemoryError("none left")))
    assert told.value.code == "out_of_memory"
    assert told.value.next


def test_a_batch_is_in_parts_from_the_start_where_it_is_known_not_to_fit() -> None:
    splitting = Splitting()
    splitting.start(100, 1000)
    assert splitting.parts == 1
    splitting.start(1000, 300)
    assert splitting.parts == 4


SCARCE = """
import resource, sys, torch
from supertune import limits
torch.ones(1)
most = limits.resident() + 2**30
resource.setrlimit(resource.RLIMIT_DATA, (most, most))
def run(parts):
    return [float(torch.ones(len(part), 2**23).sum()) for part in parts]
splitting = limits.Splitting()
found = splitting.over(range(64), run)  # 2 GiB at once
assert sum(found) == 64 * 2**23, found
print(splitting.parts)
"""


def test_memory_that_really_runs_out_makes_smaller_parts(python: Python) -> None:
    done = python(SCARCE, OMP_NUM_THREADS="1")
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 2


def test_the_limit_of_a_container_counts(tmp_path: Path) -> None:
    assert limits._left_by_containers(tmp_path) == []
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("10\n")
    assert limits._left_by_containers(tmp_path) == []
    (tmp_path / "memory.max").write_text("1000\n")
    assert limits._left_by_containers(tmp_path) == [990]
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text("500")
    (tmp_path / "memory" / "memory.usage_in_bytes").write_text("600")
    assert limits._left_by_containers(tmp_path) == [990, 0]


def test_room_is_what_a_limit_leaves_and_never_negative() -> None:
    held = limits.resident()
    with limits.within(held // 2):
        assert limits.room() == 0
    with limits.within(held + 10**8):
        assert 0 < limits.room() <= 10**8
    assert limits.most_of(held + 1) == held + 1
    assert limits.most_of(None) > held


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="an option of glibc")
def test_memory_of_large_blocks_goes_back_when_they_are_freed(python: Python) -> None:
    """In a process of its own, where nothing has been freed before."""
    found = python(
        """
import numpy as np
from supertune.limits import returning_blocks

def held():
    return int(open("/proc/self/statm").read().split()[1]) * 4096

assert returning_blocks()
stays = []
for turn in range(4):
    blocks = [np.ones((6 + (turn + i) % 5) * 2**17) for i in range(32)]
    stays += blocks[::8]
most = held()
del blocks
print(int(held() < most - 0.7 * (32 - 4) * 6 * 2**20))
"""
    )
    assert found.stdout.strip() == "1", found.stderr
