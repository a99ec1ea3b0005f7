"""Whatever the moment at which a process dies, the complete old or the complete new is there."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from supertune.artifact import read, save
from supertune.artifact.swap import locate, sibling
from supertune.errors import InputError

Maker = Callable[..., Path]
SOURCE = Path(__file__).resolve().parents[2] / "src"

WRITE = """
import os, signal, sys
from pathlib import Path
from supertune.artifact import save
def write(folder, version):
    text = str(version).encode() * 3000
    files = {f"{name}.txt": text for name in "abc"} | {"sub/d.txt": text}
    save(Path(folder), {"version": version}, files, overwrite=True)
"""


def start(code: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", WRITE + code, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        stdout=subprocess.PIPE,
        text=True,
    )


def version(folder: Path) -> int:
    """The one version that all parts of a model folder agree on."""
    model = read(folder)
    found = int(model.manifest["version"])
    assert set(model.files) == {"a.txt", "b.txt", "c.txt", "sub/d.txt"}
    assert {model.text(name) for name in model.files} == {str(found) * 3000}
    return found


# A child of this process dies at the k-th call that opens, makes, renames or removes something;
# an audit hook sees every one of them. The parent goes on until a child survives.
KILLED_AT_EVERY_STEP = """
import filelock, tempfile  # so that imports are no steps
folder, home = sys.argv[1], os.path.dirname(sys.argv[1])
STEPS = {"open", "os.mkdir", "os.rename", "os.rmdir", "os.remove", "os.scandir", "os.listdir"}
def die_at(step):
    seen = 0
    def hook(event, arguments):
        nonlocal seen
        if event in STEPS:
            seen += 1
            if seen == step:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(hook)
for step in range(1, 1000):
    line = sys.stdin.readline()
    if not line: break
    child = os.fork()
    if child == 0:
        die_at(step)
        write(folder, int(line))
        os._exit(0)
    _, status = os.waitpid(child, 0)
    print(status, flush=True)
    if status == 0: break
"""


def killed_at_every_step(folder: Path) -> list[tuple[int, bool]]:
    """(version found afterwards, whether the folder was missing) for each step; 1 was there."""
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", WRITE + KILLED_AT_EVERY_STEP, str(folder)],
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin
    assert process.stdout
    seen = []
    newest = 1
    with process:
        while True:
            process.stdin.write(f"{newest + 1}\n")
            process.stdin.flush()
            status = int(process.stdout.readline())
            assert status in {0, signal.SIGKILL}
            found = version(folder)
            assert found in {newest, newest + 1}, "neither the old nor the new model"
            seen.append((found - newest, not folder.exists()))
            newest = found
            if status == 0:
                break
    return seen


def test_death_at_every_single_step_of_an_overwrite_leaves_old_or_new(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    save(folder, {"version": 1}, _files(1), overwrite=False)
    seen = killed_at_every_step(folder)
    assert len(seen) > 20
    assert {step for step, _ in seen} == {0, 1}, "some die before the swap, some after"
    assert any(missing for _, missing in seen), "the moment between the renames was met"
    assert [path.name for path in tmp_path.iterdir()] == ["model"], "the last one tidied up"


def _files(number: int) -> dict[str, bytes]:
    text = str(number).encode() * 3000
    return {f"{name}.txt": text for name in "abc"} | {"sub/d.txt": text}


FOREVER = """
folder, number = sys.argv[1], int(sys.argv[2])
while True:
    number += 1
    write(folder, number)
    print(number, flush=True)
"""


@pytest.mark.slow
def test_kill_9_at_random_moments_leaves_old_or_new(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    save(folder, {"version": 0}, _files(0), overwrite=False)
    chance = random.Random(0)
    for _ in range(25):
        before = version(folder)
        process = start(FOREVER, folder, before)
        assert process.stdout
        assert int(process.stdout.readline()) == before + 1
        time.sleep(chance.uniform(0, 0.05))
        process.kill()
        done = [before + 1, *map(int, process.stdout.read().split())][-1]
        process.wait()
        process.stdout.close()
        assert version(folder) in {done, done + 1}
    save(folder, {"version": 9}, _files(9), overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_reader_never_sees_less_than_a_whole_model(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    save(folder, {"version": 0}, _files(0), overwrite=False)
    process = start(FOREVER, folder, 0)
    try:
        assert process.stdout
        assert process.stdout.readline()
        seen = {version(folder) for _ in range(400)}
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    assert len(seen) > 3, "the writer did replace it meanwhile"


def test_writers_at_the_same_time_leave_one_of_their_models(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    several = "for k in range(10): write(sys.argv[1], int(sys.argv[2]) * 100 + k)"
    processes = [start(several, folder, number) for number in (1, 2, 3)]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    for process in processes:
        assert process.stdout
        process.stdout.close()
    assert version(folder) in {109, 209, 309}
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_of_several_new_models_without_overwrite_one_wins(tmp_path: Path) -> None:
    code = """
from supertune.errors import InputError
sys.stdin.readline()
try:
    save(Path(sys.argv[1]), {}, {"a.txt": sys.argv[2].encode()}, overwrite=False)
    print("saved")
except InputError as error:
    print(error.code)
"""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", WRITE + code, str(tmp_path / "model"), str(number)],
            env={**os.environ, "PYTHONPATH": str(SOURCE)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    ]
    time.sleep(0.5)
    said = [process.communicate("\n", timeout=60)[0].strip() for process in processes]
    assert sorted(said) == ["output_exists"] * 3 + ["saved"]
    assert read(tmp_path / "model").text("a.txt") == str(said.index("saved"))


def test_between_the_renames_the_new_model_is_read_and_finished_by_the_next_save(
    make: Maker, tmp_path: Path
) -> None:
    folder = make(version=1)
    make("new", version=2).rename(sibling(folder, "next"))
    folder.rename(sibling(folder, "previous"))
    assert locate(folder) == sibling(folder, "next")
    assert read(folder).manifest["version"] == 2
    with pytest.raises(InputError) as caught:
        make(version=3)
    assert caught.value.code == "output_exists"
    assert read(make(version=3, overwrite=True)).manifest["version"] == 3
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize("role", ["next", "previous", "partial"])
def test_a_leftover_does_not_bring_a_deleted_model_back(make: Maker, role: str) -> None:
    folder = make(version=1)
    folder.rename(sibling(folder, role))
    with pytest.raises(InputError) as caught:
        read(folder)
    assert caught.value.code == "model_missing"
    assert read(make(version=2)).manifest["version"] == 2
    assert not sibling(folder, role).exists()


def test_an_interrupt_while_writing_leaves_the_old_model_and_no_other_file(
    make: Maker, tmp_path: Path
) -> None:
    folder = make(version=1)

    class Interrupting(dict[str, bytes]):
        def items(self):  # type: ignore[no-untyped-def]
            yield "a.txt", b"1"
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        save(folder, {}, Interrupting({"a.txt": b"1"}), overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert json.loads((folder / "report.json").read_text("utf-8")) == {"version": 1}
