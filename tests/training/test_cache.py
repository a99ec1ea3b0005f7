"""The activation cache gives back what was put, or nothing; and never gets in the way."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from supertune.contracts import Finding
from supertune.errors import InputError
from supertune.limits import parse_bytes
from supertune.training import rows
from supertune.training.cache import FILE, ActivationCache

SOURCE = Path(__file__).resolve().parents[2] / "src"
MIB = 2**20


def vectors(count: int, start: int = 0, width: int = 384) -> dict[str, np.ndarray]:
    """Each key's array can be told from its key."""
    return {
        f"key {number}": np.full(width, number, dtype=np.float32) + np.arange(width, dtype="f4")
        for number in range(start, start + count)
    }


def same(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> bool:
    return found.keys() == expected.keys() and all(
        found[key].dtype == array.dtype and np.array_equal(found[key], array)
        for key, array in expected.items()
    )


def agree(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> bool:
    """Whatever was found is what was put."""
    return same(found, {key: expected[key] for key in found})


def on_disk(folder: Path) -> ActivationCache:
    """A cache that remembers nothing itself."""
    return ActivationCache(folder, memory_bytes=0)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype=np.float32).reshape(2, 3).T,
        np.arange(6, dtype=">i8"),
        np.array(3.5),
        np.zeros((0, 4), dtype=np.float16),
        np.array([True, False]),
        np.array([1 + 2j]),
        np.array([np.nan, -0.0, np.inf]),
        np.random.default_rng(0).integers(0, 2**16, (128, 384), dtype=np.uint16),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)
@pytest.mark.parametrize("memory", [0, 10 * MIB])
def test_arrays_come_back_bit_for_bit(tmp_path: Path, array: np.ndarray, memory: int) -> None:
    with ActivationCache(tmp_path, memory_bytes=memory) as cache:
        cache.put({"x": array})
        back = cache.get(["x"])["x"]
    assert (back.dtype, back.shape) == (array.dtype, array.shape)
    assert back.tobytes() == array.tobytes()


def test_only_what_is_known_is_returned_and_counted(tmp_path: Path) -> None:
    with ActivationCache(tmp_path) as cache:
        cache.put(vectors(2))
        assert same(cache.get(["key 1", "unknown", "key 1"]), vectors(1, start=1))
        stats = cache.stats()
    assert (stats["hits"], stats["misses"]) == (1, 1)
    assert (stats["entries"], stats["bytes"]) == (2, 2 * 384 * 4)
    assert stats["memory_bytes"] == 2 * 384 * 4
    assert stats["folder"] == str(tmp_path)
    assert stats["file_bytes"] > stats["bytes"]


def test_another_process_finds_what_one_has_put(tmp_path: Path) -> None:
    with ActivationCache(tmp_path) as cache:
        cache.put(vectors(3))
    code = """
import sys
from pathlib import Path
from supertune.training.cache import ActivationCache
print(*(int(array[0]) for array in ActivationCache(Path(sys.argv[1])).get(
    ["key 0", "key 1", "key 2"]).values()))
"""
    assert run(code, tmp_path).split() == ["0", "1", "2"]


def test_what_comes_out_cannot_be_changed_for_others(tmp_path: Path) -> None:
    matrix = np.zeros((4, 384), dtype=np.float32)
    for folder in (None, tmp_path):
        with ActivationCache(folder) as cache:
            cache.put({"row": matrix[0]})
            matrix[0] = 1
            found = cache.get(["row"])["row"]
            assert not found.any(), "a later change of the caller's array stays the caller's"
            assert found.base is None or found.base.size <= 384, "the matrix is not kept alive"
            with pytest.raises(ValueError, match="read-only"):
                found[0] = 5
        matrix[0] = 0


def test_objects_are_refused() -> None:
    with pytest.raises(TypeError, match="only numbers"):
        ActivationCache(None).put({"x": np.array([{}])})


def test_memory_is_bounded_and_forgets_the_least_recently_used() -> None:
    cache = ActivationCache(None, memory_bytes=3 * 384 * 4)
    cache.put(vectors(3))
    cache.get(["key 0"])
    cache.put(vectors(1, start=3))
    assert set(cache.get([f"key {number}" for number in range(4)])) == {"key 0", "key 2", "key 3"}
    assert cache.stats()["memory_bytes"] == 3 * 384 * 4
    cache.put({"large": np.zeros(10**6)})
    assert "large" not in cache.get(["large"])


def test_the_disk_is_bounded_and_forgets_the_least_recently_used(tmp_path: Path) -> None:
    limit = 200 * 1024
    with ActivationCache(tmp_path, limit, memory_bytes=0) as cache:
        for start in range(0, 1000, 50):
            cache.put(vectors(50, start))
            assert "key 0" in cache.get(["key 0"]), "used each time, so never the oldest"
            assert cache.stats()["bytes"] <= limit
        assert len(cache.get(vectors(50, start=950))) == 50
        assert not cache.get(vectors(49, start=1))
    assert (tmp_path / FILE).stat().st_size < 2 * limit
    with sqlite3.connect(tmp_path / FILE) as connection:
        counted = connection.execute("SELECT count(*), sum(bytes) FROM entries").fetchone()
        assert counted == connection.execute("SELECT entries, bytes FROM totals").fetchone()
        stored = connection.execute("SELECT count(*), sum(length(value)) FROM blobs").fetchone()
        assert counted == stored
    connection.close()


def test_uses_from_memory_count_for_the_disk_too(tmp_path: Path) -> None:
    limit = 12 * (384 * 4 + 200)
    with ActivationCache(tmp_path, limit) as cache:
        cache.put(vectors(6))
        cache.put(vectors(5, start=6))
        cache.get(["key 0"])
    with ActivationCache(tmp_path, limit) as cache:
        cache.put(vectors(4, start=20))
    with on_disk(tmp_path) as cache:
        assert set(cache.get(["key 0", "key 1"])) == {"key 0"}


def test_an_array_over_the_limit_is_not_kept_on_disk(tmp_path: Path) -> None:
    with ActivationCache(tmp_path, 10_000, memory_bytes=0) as cache:
        cache.put({"small": np.zeros(10), "large": np.zeros(10_000)})
        assert set(cache.get(["small", "large"])) == {"small"}


def test_clear_forgets_everything_and_gives_the_space_back(tmp_path: Path) -> None:
    with ActivationCache(tmp_path) as cache:
        cache.put(vectors(2000))
        (tmp_path / f"{FILE}.damaged").write_bytes(b"old")
        cache.clear()
        assert not cache.get(vectors(2000))
        stats = cache.stats()
        assert (stats["entries"], stats["bytes"], stats["memory_bytes"]) == (0, 0, 0)
        assert stats["file_bytes"] < 200_000
        assert not (tmp_path / f"{FILE}.damaged").exists()
        cache.put(vectors(1))
        assert same(cache.get(["key 0"]), vectors(1))


def test_looking_does_not_make_a_file(tmp_path: Path) -> None:
    with ActivationCache(tmp_path / "cache") as cache:
        assert cache.get(["x"]) == {}
        assert cache.stats()["entries"] == 0
        cache.clear()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "size"),
    [("1000", 1000), ("500MB", 5 * 10**8), ("2GiB", 2**31), (" 1.5 kib ", 1536), ("0", 0)],
)
def test_a_limit_is_read_with_its_unit(text: str, size: int) -> None:
    assert parse_bytes(text) == size


def test_the_environment_sets_the_limit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert ActivationCache(None).limit_bytes == 2 * 2**30
    monkeypatch.setenv("SUPERTUNE_CACHE_LIMIT", "3MiB")
    assert ActivationCache(None).limit_bytes == 3 * MIB
    monkeypatch.setenv("SUPERTUNE_CACHE_LIMIT", "0")
    cache = ActivationCache(tmp_path / "none")
    cache.put(vectors(1))
    assert same(cache.get(["key 0"]), vectors(1))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["plenty", "-1", "5 apples", "1e9", "GB"])
def test_a_limit_that_is_no_size_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("SUPERTUNE_CACHE_LIMIT", text)
    with pytest.raises(InputError) as caught:
        ActivationCache(None)
    assert caught.value.code == "bad_cache_limit"
    assert caught.value.received == text


# --- faults ---------------------------------------------------------------------------------


def codes(cache: ActivationCache) -> list[str]:
    return [finding.code for finding in cache.findings]


@pytest.mark.parametrize("content", [b"random" * 3000, b"SQLite format 3\0" + b"\xff" * 9000])
def test_a_file_of_random_bytes_is_set_aside(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    told: list[Finding] = []
    with ActivationCache(tmp_path, on_finding=told.append) as cache:
        assert cache.get(["key 0"]) == {}
        cache.put(vectors(2))
        assert codes(cache) == ["cache_damaged"]
        assert told == cache.findings
    assert (tmp_path / f"{FILE}.damaged").read_bytes() == content
    with on_disk(tmp_path) as cache:
        assert same(cache.get(["key 0", "key 1"]), vectors(2))
        assert codes(cache) == []


def test_bytes_changed_anywhere_give_what_was_put_or_nothing(tmp_path: Path) -> None:
    expected = vectors(300)
    with ActivationCache(tmp_path) as cache:
        cache.put(expected)
    path = tmp_path / FILE
    whole = path.read_bytes()
    chance = random.Random(0)
    lost = 0
    for _ in range(60):
        damaged = bytearray(whole)
        for _ in range(chance.choice([1, 20, 3000])):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        path.write_bytes(damaged)
        with on_disk(tmp_path) as cache:
            found = cache.get(expected)
            assert agree(found, expected)
            lost += len(found) < len(expected)
            cache.put(expected)
            again = cache.get(expected)
            assert agree(again, expected)
            cache.stats()
        for leftover in tmp_path.iterdir():
            leftover.unlink()
    assert lost > 20, "the damage did hit"


def test_an_array_changed_on_disk_is_a_miss_and_is_replaced(tmp_path: Path) -> None:
    with on_disk(tmp_path) as cache:
        cache.put(vectors(3))
    connection = sqlite3.connect(tmp_path / FILE)
    value = bytearray(connection.execute("SELECT value FROM blobs WHERE id = 2").fetchone()[0])
    value[7] ^= 1
    connection.execute("UPDATE blobs SET value = ? WHERE id = 2", (bytes(value),))
    connection.execute("DELETE FROM blobs WHERE id = 3")
    connection.commit()
    connection.close()
    with on_disk(tmp_path) as cache:
        assert same(cache.get(vectors(3)), vectors(1))
        assert cache.stats()["entries"] == 1
        cache.put(vectors(3))
        assert same(cache.get(vectors(3)), vectors(3))
        assert codes(cache) == []


def test_a_truncated_file_does_not_stop_a_fit(tmp_path: Path) -> None:
    with on_disk(tmp_path) as cache:
        cache.put(vectors(500))
    os.truncate(tmp_path / FILE, 100_000)
    with on_disk(tmp_path) as cache:
        found = cache.get(vectors(500))
        assert agree(found, vectors(500))
        cache.put(vectors(500))
        assert same(cache.get(vectors(500)), vectors(500))


def test_a_file_that_disappears_is_begun_again(tmp_path: Path) -> None:
    with on_disk(tmp_path) as cache:
        cache.put(vectors(2))
        for path in tmp_path.iterdir():
            path.unlink()
        assert cache.get(["key 0"]) == {}
        cache.put(vectors(2))
        assert same(cache.get(["key 0", "key 1"]), vectors(2))
        assert codes(cache) == []
    assert (tmp_path / FILE).exists()


@pytest.mark.parametrize("kind", ["a file as folder", "a folder as file"])
def test_a_place_that_cannot_be_used_leaves_the_memory(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "cache"
    if kind == "a file as folder":
        folder.write_text("mine", "utf-8")
    else:
        (folder / FILE).mkdir(parents=True)
    with ActivationCache(folder) as cache:
        cache.put(vectors(2))
        cache.put(vectors(2, start=2))
        assert same(cache.get(vectors(4)), vectors(4))
        assert codes(cache) == ["cache_unavailable"]


LIMITED = """
import json, os, resource, sys
from pathlib import Path
import numpy as np
from supertune.training.cache import ActivationCache
folder, limit = Path(sys.argv[1]), int(sys.argv[2])
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
elif os.getuid() == 0:
    os.setuid(65534)
with ActivationCache(folder) as cache:
    before = len(cache.get(["key 0"]))
    arrays = {str(k): np.full(384, k, dtype="f4") for k in range(2000)}
    cache.put(arrays)
    cache.put({"later": np.zeros(3)})
    found = cache.get([*arrays, "later"])
    whole = all((found[key] == array).all() for key, array in arrays.items())
    said = [finding.code for finding in cache.findings]
    print(json.dumps([before, len(found), whole, said]))
"""


def run(code: str, *arguments: object) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stderr == ""
    assert done.returncode == 0
    return done.stdout


@pytest.mark.parametrize("limit", [0, 20_000, 300_000])
def test_a_disk_that_takes_no_more_leaves_the_memory(tmp_path: Path, limit: int) -> None:
    folder = tmp_path / "cache"
    with on_disk(folder) as cache:
        cache.put(vectors(1))
    if not limit:
        folder.chmod(0o555)
        (folder / FILE).chmod(0o444)
    for parent in tmp_path.parents:
        if parent.stat().st_uid == os.getuid() and not parent.stat().st_mode & 1:
            parent.chmod(0o755)
    tmp_path.chmod(0o755)
    try:
        before, found, whole, said = json.loads(run(LIMITED, folder, limit))
    finally:
        folder.chmod(0o755)
        (folder / FILE).chmod(0o644)
    assert (found, whole, said) == (2001, True, ["cache_unavailable"])
    assert before == (1 if limit > 50_000 else before)
    with on_disk(folder) as cache:
        assert same(cache.get(["key 0"]), vectors(1)), "what was there is still there"
        assert codes(cache) == []


# --- several at once ------------------------------------------------------------------------

BUSY = """
import sys
from pathlib import Path
import numpy as np
from supertune.training.cache import ActivationCache
folder, (rounds, limit, first) = Path(sys.argv[1]), map(int, sys.argv[2:])
hits = k = 0
print("ready", flush=True)
while rounds < 0 or k < rounds:
    with ActivationCache(folder, limit, memory_bytes=0) as cache:
        for _ in range(10):
            arrays = {f"key {n}": np.full(384, n, dtype="f4") + np.arange(384, dtype="f4")
                      for n in range(first + k * 20 % 2000, first + k * 20 % 2000 + 40)}
            found = cache.get(arrays)
            hits += len(found)
            assert all((found[key] == arrays[key]).all() for key in found)
            cache.put(arrays)
            k += 1
        assert not cache.findings, cache.findings
print(hits)
"""


def start(*arguments: object) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", BUSY, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize("limit", [100 * MIB, MIB])
def test_several_processes_use_one_new_file(tmp_path: Path, limit: int) -> None:
    processes = [start(tmp_path, 100, limit, first) for first in (0, 1000, 2000, 3000)]
    for process in processes:
        out, err = process.communicate(timeout=60)
        assert err == ""
        assert int(out) >= 0
    with on_disk(tmp_path) as cache:
        expected = vectors(5020)
        found = cache.get(expected)
        assert agree(found, expected)
        assert len(found) == cache.stats()["entries"]
        assert len(found) == 5020 if limit > 10 * MIB else found


def test_several_processes_meet_one_damaged_file(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"random" * 3000)
    code = BUSY.replace("assert not cache.findings, cache.findings", "pass")
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", code, str(tmp_path), "50", str(100 * MIB), "0"],
            env={**os.environ, "PYTHONPATH": str(SOURCE)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    assert [process.communicate(timeout=60)[1] for process in processes] == [""] * 4
    with on_disk(tmp_path) as cache:
        assert cache.get(vectors(1000))
        assert codes(cache) == []


@pytest.mark.slow
def test_kill_9_at_random_moments_leaves_a_file_that_is_used(tmp_path: Path) -> None:
    chance = random.Random(0)
    for _ in range(20):
        process = start(tmp_path, -1, MIB, 0)
        time.sleep(chance.uniform(0, 0.1))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        with on_disk(tmp_path) as cache:
            expected = vectors(2020) | vectors(1, start=5000)
            found = cache.get(expected)
            assert agree(found, expected)
            assert cache.stats()["entries"] == len(found)
            cache.put(vectors(1, start=5000))
            assert same(cache.get(["key 5000"]), vectors(1, start=5000))
            assert codes(cache) == []
    connection = sqlite3.connect(tmp_path / FILE)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


def test_a_writer_that_takes_long_is_not_waited_for_forever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "BUSY_SECONDS", 0.05)
    with ActivationCache(tmp_path) as cache:
        cache.put(vectors(1))
        other = sqlite3.connect(tmp_path / FILE, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        cache.put(vectors(1, start=1))
        assert same(cache.get(vectors(2)), vectors(2)), "from memory"
        other.execute("ROLLBACK")
        other.close()
        cache.put(vectors(1, start=2))
        assert codes(cache) == []
    with on_disk(tmp_path) as cache:
        assert set(cache.get(vectors(3))) == {"key 0", "key 2"}


def test_threads_share_one_cache(tmp_path: Path) -> None:
    wrong: list[str] = []
    with ActivationCache(tmp_path, memory_bytes=50 * 384 * 4) as cache:

        def work(number: int) -> None:
            for step in range(20):
                arrays = vectors(10, start=10 * ((number + step) % 12))
                cache.put(arrays)
                if not same(cache.get(arrays), arrays):
                    wrong.append(f"{number} {step}")

        threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []
        assert cache.stats()["entries"] == 120


def test_a_forked_child_opens_the_file_for_itself(tmp_path: Path) -> None:
    code = """
import os, sys
from pathlib import Path
import numpy as np
from supertune.training.cache import ActivationCache
cache = ActivationCache(Path(sys.argv[1]), memory_bytes=0)
cache.put({"parent": np.arange(3)})
child = os.fork()
if child == 0:
    good = list(cache.get(["parent"])) == ["parent"]
    cache.put({"child": np.arange(4)})
    cache.close()
    os._exit(0 if good else 1)
print(os.waitpid(child, 0)[1], sorted(cache.get(["parent", "child"])), cache.findings)
cache.close()
"""
    assert run(code, tmp_path).strip() == "0 ['child', 'parent'] []"


# --- speed ----------------------------------------------------------------------------------


def best(action: object, times: int = 3) -> float:
    """Seconds of the quickest of several calls."""
    taken = []
    for number in range(times):
        began = time.perf_counter()
        action(number)  # type: ignore[operator]
        taken.append(time.perf_counter() - began)
    return min(taken)


def test_the_cache_is_cheap_beside_a_fit_of_a_third_of_a_second(tmp_path: Path) -> None:
    # About fifty times what an idle laptop needs, so that only a change of order fails.
    arrays = vectors(64 * 12)
    keys = list(arrays)
    parts = [{key: arrays[key] for key in keys[start : start + 64]} for start in range(0, 768, 64)]
    with on_disk(tmp_path) as cache:
        cache.put(parts[0])
        assert best(lambda number: cache.put(parts[number + 1]), 10) < 0.100
        assert best(lambda number: cache.get(parts[number]), 10) < 0.040

    def opened(_: int) -> None:
        with on_disk(tmp_path) as again:
            assert len(again.get(keys[:1])) == 1

    assert best(opened) < 0.250


def test_twenty_thousand_vectors_take_a_moment(tmp_path: Path) -> None:
    matrix = np.random.default_rng(0).normal(size=(20_000, 384)).astype(np.float32)
    arrays = {f"{number:064x}": row for number, row in enumerate(matrix)}
    with on_disk(tmp_path) as cache:
        assert best(lambda _: cache.put(arrays), 1) < 30.0
        assert best(lambda _: cache.get(arrays), 2) < 15.0
        assert same(cache.get(arrays), arrays)
