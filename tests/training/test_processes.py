"""One fit in two real processes, which meet over gloo, beside the same fit in one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import supertune
from supertune import launched
from supertune.config import recipe
from supertune.contracts import HeadSpec
from supertune.errors import InputError
from supertune.training import processes

OPTIONS: dict[str, Any] = {
    "method": "lora",
    "backbone": "minilm",
    "precision": "fp32",
    "max_candidates": 1,
    "folds": 2,
    "repeats": 1,
    "advice": False,
    "epochs": 2,
    "batch_size": 3,
}


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("shared") / "rows.csv"
    said = ("It was the best of all on {}", "good"), ("I was bored and left early on {}", "bad")
    days = ("Monday", "Friday", "Sunday")
    lines = [f"{text.format(day)},{label}" for day in days for text, label in said]
    path.write_text("\n".join(["text,label", *lines]) + "\n")
    return path


def losses(report: dict[str, Any]) -> list[float]:
    (curve,) = report["notes"]["curves"]
    return [loss for _, loss in curve["points"]]


def test_two_processes_take_the_steps_of_one(rows: Path) -> None:
    alone = supertune.fit(rows, **OPTIONS)
    told = [f"--set={key}={json.dumps(value)}" for key, value in OPTIONS.items()]
    launched = subprocess.run(
        [
            *(sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu"),
            *("--num_processes", "2", "--main_process_port", "0"),
            *("-m", "supertune", "fit", str(rows), "-o", "shared-model", "--json", *told),
        ],
        cwd=rows.parent,
        env={**os.environ, "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert launched.returncode == 0, launched.stderr[-2000:]
    answer = json.loads(launched.stdout)  # once, though two processes ran
    report = json.loads((rows.parent / answer["output"] / "report.json").read_text())
    assert losses(report) == pytest.approx(losses(alone.report.data), rel=1e-5)
    assert len(losses(report)) == 4


def test_each_process_has_rows_of_its_own_and_none_is_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "3")
    found = []
    for rank in range(3):
        monkeypatch.setenv("RANK", str(rank))
        part, place = processes.own(range(10, 18))
        assert part[0] == 10 + place
        found += part
        assert processes.own([5, 6]) == ([5, 6], 0), "too few for all: everyone does all"
        assert launched.first() is (rank == 0)
    assert found == list(range(10, 18))


def test_what_clocks_would_choose_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(InputError) as refused:
        processes.join(recipe({"method": "lora"}))
    assert refused.value.code == "choice_not_shared"


def test_weights_spread_over_processes_are_refused_rather_than_held_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")  # as `accelerate launch --use_fsdp` says it
    with pytest.raises(InputError) as refused:
        processes.join(recipe({"method": "lora", "backbone": "minilm"}))
    assert refused.value.code == "weights_not_sharded"


def test_loops_that_are_not_shared_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    head = HeadSpec(2, boxes=100)
    processes.check(head)
    monkeypatch.setenv("WORLD_SIZE", "2")
    processes.check(HeadSpec(2))
    with pytest.raises(InputError) as refused:
        processes.check(head)
    assert refused.value.code == "training_not_shared"


def test_other_commands_are_left_to_the_first_process() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "supertune", "tasks"],
        env={**os.environ, "WORLD_SIZE": "2", "RANK": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
