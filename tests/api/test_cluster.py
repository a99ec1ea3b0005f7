"""Bulk prediction, and candidates and folds of one fit, by real workers of Ray that are killed."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

import supertune
from supertune.api import cluster, spreading
from supertune.api.bulk import slices_of
from supertune.config import recipe
from supertune.errors import EnvironmentFault, InputError

ROWS, WINDOW = 2_000, 25
SAID = ("It was the best of all on {}", "good"), ("I was bored and left early on {}", "bad")
DAYS = ("Monday", "Friday", "Sunday", "Tuesday")
LEARNED = [(text.format(day), label) for day in DAYS for text, label in SAID]


@pytest.fixture(scope="module")
def ray_here() -> Iterator[str]:
    """The address of a cluster of two workers that this process has joined."""
    ray = pytest.importorskip("ray")
    with cluster.cluster("local", 2):
        yield ray.get_runtime_context().gcs_address


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("bulk") / "model"
    supertune.fit(LEARNED, method="bag_of_words", threads=1, advice=False, output=place)
    return place


@pytest.fixture(scope="module")
def rows(folder: Path) -> Path:
    path = folder.parent / "rows.csv"
    with path.open("w", newline="", encoding="utf-8") as stream:
        lines = csv.writer(stream)
        lines.writerow(["number", "text"])
        lines.writerows((n, f"{LEARNED[n % 8][0]} {n % 97}, she said") for n in range(ROWS))
    return path


@pytest.fixture(scope="module")
def alone(folder: Path, rows: Path) -> bytes:
    """What one process makes of them."""
    output = folder.parent / "alone.csv"
    found = supertune.predict_file(folder, rows, output, window=WINDOW, threads=1)
    assert (found.rows, found.kept, sum(found.counts.values())) == (ROWS, 0, ROWS)
    return output.read_bytes()


def at_work() -> list[psutil.Process]:
    """Workers that answer a slice."""
    found = []
    for worker in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            if "ray::_slice" in " ".join(worker.cmdline()):
                found.append(worker)
    return found


def killed() -> list[int]:
    """The first worker that begins on a slice is killed; who it was, once it is."""
    found: list[int] = []

    def kill() -> None:
        until = time.monotonic() + 120
        while not found and time.monotonic() < until:
            for worker in at_work()[:1]:
                worker.kill()
                found.append(worker.pid)
            time.sleep(0.02)

    threading.Thread(target=kill, daemon=True).start()
    return found


@pytest.mark.slow
def test_what_a_killed_program_and_a_killed_worker_left_is_gone_on_with_to_the_same_bytes(
    ray_here: str,
    folder: Path,
    rows: Path,
    alone: bytes,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    output = tmp_path / "answers.csv"
    told = f"{str(folder)!r}, {str(rows)!r}, {str(output)!r}, window={WINDOW}, ray={ray_here!r}"
    program = f"import supertune; supertune.predict_file({told})"
    driver = subprocess.Popen([sys.executable, "-c", program])
    while len(list(slices_of(output).glob("*.json"))) < 3:
        assert driver.poll() is None, "it ended before it was killed"
        time.sleep(0.002)
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    assert not output.exists()
    there = len(list(slices_of(output).glob("*.json")))

    while at_work():  # those of the program that was killed end by themselves
        time.sleep(0.05)
    victims = killed()
    found = supertune.predict_file(folder, rows, output, window=WINDOW, ray=ray_here)
    assert victims, "no worker was seen at work"
    assert "A worker died; what it was doing is begun again." in caplog.messages
    assert (found.rows, found.kept) == (ROWS, WINDOW * there)
    assert output.read_bytes() == alone
    assert [path.name for path in tmp_path.iterdir()] == [output.name], "nothing is left of either"


@pytest.mark.slow
def test_folds_by_workers_give_the_model_and_the_answers_of_one_process(
    ray_here: str, tmp_path: Path
) -> None:
    options: dict[str, Any] = {"method": "contrastive", "backbone": "minilm", "threads": 1}
    options |= {"max_candidates": 1, "folds": 2, "repeats": 1, "advice": False}
    one = supertune.fit(LEARNED, output=tmp_path / "one", **options)
    two = supertune.fit(LEARNED, output=tmp_path / "two", ray=ray_here, **options)
    for name in ("calibration.safetensors", "tuned.safetensors"):
        assert (tmp_path / "two" / name).read_bytes() == (tmp_path / "one" / name).read_bytes()
    for key in ("estimate", "metrics", "baselines", "rows", "verdict"):
        assert two.report.data[key] == one.report.data[key]


@pytest.mark.slow
def test_candidates_by_workers_are_compared_as_in_one_process(ray_here: str) -> None:
    options: dict[str, Any] = {"backbone": "minilm", "max_candidates": 9, "threads": 1}
    options |= {"folds": 2, "repeats": 2, "advice": False}
    # With two labels wrong there is something left to win for what is trained.
    rows = [*LEARNED[:6], (LEARNED[6][0], "bad"), (LEARNED[7][0], "good")]
    one = supertune.fit(rows, **options).report.data
    two = supertune.fit(rows, ray=ray_here, **options).report.data
    assert two["estimate"] == one["estimate"]
    told = ("method", "status", "estimate", "why")
    compared = [
        [[each[key] for key in told] for each in report["candidates"]] for report in (one, two)
    ]
    assert compared[0] == compared[1]
    ran = {method for method, status, *_ in compared[0] if status != "skipped"}
    assert {"linear_probe", "contrastive"} <= ran


def fails(left: list[int]) -> None:
    raise InputError("no_good", "It is no good.", received="this", next="Mend it.")


def dies() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.slow
def test_what_a_worker_refuses_is_refused_in_the_same_words_and_one_that_ever_dies_is_given_up(
    ray_here: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "RETRIES", 1)
    with cluster.cluster(ray_here, None) as joined:
        assert joined.ahead == 4
        with pytest.raises(InputError) as refused:
            joined.begun(fails, [1])()
        assert refused.value.as_dict()["received"] == "this"
        with pytest.raises(EnvironmentFault) as given_up:
            joined.begun(dies)()
    assert given_up.value.code == "workers_died"


def test_clocks_choose_nothing_that_workers_try() -> None:
    for keys in ({}, {"method": "lora"}):
        with pytest.raises(InputError) as refused:
            spreading.settled(recipe(keys), "local")
        assert refused.value.code == "clock_would_choose"
    named = spreading.settled(recipe({"method": "lora", "backbone": "minilm"}), "local")
    assert (named.max_candidates, named.threads) == (1, 1)
    assert spreading.settled(recipe({"method": "bag_of_words"}), "local").max_candidates == 1
    assert spreading.settled(recipe({"max_candidates": 4}), "local").max_candidates == 4


def test_a_slice_of_other_rows_or_another_model_is_not_taken_for_its_own(
    folder: Path, rows: Path, alone: bytes, tmp_path: Path
) -> None:
    """An interruption between two slices, here by a disk that is full."""
    output, few = tmp_path / "answers.csv", tmp_path / "few.csv"
    lines = rows.read_text("utf-8").splitlines()[:101]
    few.write_text("\n".join(lines))
    store = slices_of(output)

    def full(stage: str, done: int, total: int | None) -> None:
        if done == 75:
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        supertune.predict_file(folder, few, output, window=WINDOW, threads=1, progress=full)
    assert len(list(store.iterdir())) == 3
    assert {path.name for path in tmp_path.iterdir()} == {few.name, store.name}
    (store / "mine.txt").write_text("not a slice")
    few.write_text("\n".join([*lines[:30], lines[30].replace("she", "he"), *lines[31:]]))
    found = supertune.predict_file(folder, few, output, window=WINDOW, threads=1)
    assert found.kept == 50, "of the second slice a row has changed"
    assert [path.name for path in store.iterdir()] == ["mine.txt"]
    assert output.read_bytes().splitlines()[:26] == alone.splitlines()[:26]


def test_rows_that_cannot_be_read_again_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError) as refused:
        supertune.predict_file(folder, "-", tmp_path / "out.csv")
    assert refused.value.code == "slices_need_a_file"
