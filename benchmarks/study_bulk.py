"""``python -m benchmarks.study_bulk``: 200,000 rows answered by workers of Ray, some killed.

`supertune predict --ray local` runs as a process of its own and is killed; the same command then
loses a worker on its way and runs to the end. Beside it one process answers the same file without
Ray. Resumable: what is answered already lies beside the outputs.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import study_command
from benchmarks.benchmark import Benchmark, Draw, Item
from benchmarks.figures import Figure, median
from benchmarks.rows import mixed, sentences
from benchmarks.timing import ROOT
from supertune.api.bulk import slices_of

ROWS, WORDS, WORKERS = 200_000, 4, 2
SCRATCH = Path(tempfile.gettempdir()) / "supertune-study-bulk"
KILLED_AT, WORKER_KILLED_AT = 0.2, 0.4  # shares of the slices
LOOKED = 0.1  # seconds between two looks at what is there


def plan(tiny: bool) -> list[Item]:
    # Texts are read in windows of 4,096 rows.
    return [
        {"rows": 45_000 if tiny else ROWS, "method": "bag_of_words" if tiny else "linear_probe"}
    ]


def measure(item: Item) -> dict[str, Any]:
    import supertune

    folder = SCRATCH / f"{item['rows']}-{item['method']}"
    folder.mkdir(parents=True, exist_ok=True)
    source, model = folder / "rows.csv", folder / "model"
    if not source.exists():
        _write(source, item["rows"])
    if not model.exists():
        backbone = "none" if item["method"] == "bag_of_words" else "minilm"
        keys: dict[str, Any] = {"method": item["method"], "backbone": backbone, "advice": False}
        supertune.fit(mixed("pang-lee", 64), output=model, threads=1, **keys)
    journal = _Journal(folder / "processes.json")
    spread, alone = folder / "spread.csv", folder / "alone.csv"
    ray = ["--ray", "local", "--workers", str(WORKERS)]
    slices = -(-item["rows"] // 4096)

    def killed(driver: subprocess.Popen[bytes]) -> bool:
        if _there(spread) < max(1, KILLED_AT * slices):
            return False
        driver.send_signal(signal.SIGKILL)
        return True

    def without_a_worker(driver: subprocess.Popen[bytes]) -> bool:
        return _there(spread) >= WORKER_KILLED_AT * slices and _kill_worker(driver.pid)

    if not spread.exists():
        if not journal.has("killed"):
            journal.add("killed", _run([str(model), str(source), "-o", str(spread), *ray], killed))
        told = [str(model), str(source), "-o", str(spread), *ray]
        journal.add("gone on, a worker killed", _run(told, without_a_worker))
    if not alone.exists():
        told = [str(model), str(source), "-o", str(alone), "--threads", "1"]
        journal.add("one process", _run(told, lambda _: True))
    processes = {one.pop("name"): one for one in journal.read()}
    return {**_judged(spread, alone, source), "processes": processes}


def _write(path: Path, count: int) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        lines = csv.writer(stream)
        lines.writerow(["number", "text"])
        for number, text in enumerate(sentences(count)):
            lines.writerow([number, " ".join(text.split()[:WORDS])])


class _Journal:
    """What processes there were, kept between calls of the study."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> list[dict[str, Any]]:
        known: list[dict[str, Any]] = []
        return json.loads(self.path.read_text("utf-8")) if self.path.exists() else known

    def has(self, name: str) -> bool:
        return any(one["name"] == name for one in self.read())

    def add(self, name: str, found: dict[str, Any]) -> None:
        self.path.write_text(json.dumps([*self.read(), {"name": name, **found}]), "utf-8")


def _run(told: list[str], happens: Callable[[subprocess.Popen[bytes]], bool]) -> dict[str, Any]:
    """One call of the command; ``happens`` is called now and then until it says that it has."""
    output = Path(told[told.index("-o") + 1])
    begun, started, done = _there(output), time.monotonic(), False
    command = [sys.executable, "-m", "supertune", "predict", *told, "--quiet"]
    driver = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    workers = _below(driver.pid)
    while True:
        pid, status = os.waitpid(driver.pid, os.WNOHANG)
        if pid:
            break
        workers |= _below(driver.pid)
        done = done or happens(driver)
        time.sleep(LOOKED)
    driver.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - started
    assert driver.stderr is not None
    said = driver.stderr.read().decode().splitlines()
    if driver.returncode not in (0, -signal.SIGKILL) or not done:
        raise RuntimeError("\n".join([f"it ended with {driver.returncode}", *said[-5:]]))
    return {
        "code": driver.returncode,
        "slices_there": begun,
        "seconds": seconds,
        "workers_died": sum("A worker died" in line for line in said),
        "left_behind": _outlived(workers),
    }


def _there(output: Path) -> int:
    """How many slices are answered."""
    return len(list(slices_of(output).glob("*.json")))


def _below(pid: int) -> set[int]:
    import psutil

    try:
        return {one.pid for one in psutil.Process(pid).children(recursive=True)}
    except psutil.Error:
        return set()


def _outlived(pids: set[int], patience: float = 150) -> int:
    """Processes that are still there when those of a killed program have had time to end: Ray's
    agents look for their raylet once a minute."""
    import psutil

    until = time.monotonic() + patience
    while any(map(psutil.pid_exists, pids)) and time.monotonic() < until:
        time.sleep(0.5)
    return sum(map(psutil.pid_exists, pids))


def _kill_worker(pid: int) -> bool:
    """Whether a worker was found in the middle of a slice, and killed."""
    import psutil

    for one in _below(pid):
        try:
            worker = psutil.Process(one)
            if "ray::_slice" in " ".join(worker.cmdline()):
                worker.kill()
                return True
        except psutil.Error:
            continue
    return False


def _judged(spread: Path, alone: Path, source: Path) -> dict[str, Any]:
    """Whether each row is there once and in its place, and the files are equal to the byte."""
    with spread.open(newline="", encoding="utf-8") as ours, source.open(
        newline="", encoding="utf-8"
    ) as given:  # fmt: skip
        rows, asked = csv.DictReader(ours), csv.DictReader(given)
        pairs = [
            (row["number"], row["text"]) == (one["number"], one["text"]) and bool(row["prediction"])
            for row, one in zip(rows, asked, strict=True)
        ]
    return {
        "answered": sum(pairs),
        "in_order": all(pairs),
        "same_bytes": spread.read_bytes() == alone.read_bytes(),
    }


def figures(draws: Sequence[Draw]) -> list[Figure]:
    found = []
    for draw in draws:
        took = draw["processes"]
        again = took["gone on, a worker killed"]
        title, died = f"{draw['rows']:,} rows", again["workers_died"]
        behind = sum(one["left_behind"] for one in took.values())
        found += [
            median(f"{title}: answered once and in order", [draw["answered"]], "rows",
                   at_least=draw["rows"]),
            median(f"{title}: equal to one process's, to the byte", [100.0 * draw["same_bytes"]],
                   "%", at_least=100.0),
            median(f"{title}: slices there when it was called again", [again["slices_there"]],
                   "slices"),
            median(f"{title}: workers that died", [died], "workers", at_least=1),
            median(f"{title}: processes left behind", [behind], "processes", at_most=0),
        ]  # fmt: skip
    return found


STUDY = Benchmark(
    name="study_bulk",
    question="Is a row lost, doubled or answered otherwise when workers answer a large file and "
    "some of them, and the program, are killed?",
    how=f"`supertune predict --ray local --workers {WORKERS}` of `linear_probe` on minilm, one "
    f"thread a worker, over the first {WORDS} words of film review sentences, in slices of 4,096 "
    "rows. SIGKILL ends the program once a fifth of the slices is there; the same command goes on, "
    "and loses a worker in the middle of a slice. Beside it one process without Ray. Seconds "
    "stand in the draws; `workers` compares them on a machine of its own.",
    peers=("ray",),
    plan=plan,
    measure=measure,
    figures=figures,
)


def main() -> int:
    code = study_command.main(STUDY)
    shutil.rmtree(SCRATCH, ignore_errors=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
