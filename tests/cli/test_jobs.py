"""A fine-tuning job by the command line: it outlives the process that waits for it.

What the jobs make has no weights (`Quick`): what is tested is what goes on around a job.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from tests.conftest import Files, Run
from tests.openai_jobs import JobServer, Quick

from supertune import api
from supertune.backbones.openai_api import tuning

SOURCE = Path(__file__).resolve().parents[2] / "src"


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "SOON", 0.01)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[JobServer]:
    monkeypatch.setenv("SUPERTUNE_CACHE", str(tmp_path / "cache"))  # other servers' ids are alike
    with JobServer(base=Quick()) as one:
        monkeypatch.setenv("OPENAI_BASE_URL", one.url)
        yield one


@pytest.fixture
def asked(reviews: Files) -> tuple[str, ...]:
    """A fit that is judged by rows of its own."""
    given = (reviews.train, "--test", reviews.test, "--backbone", "openai:base")
    given += ("--method", "fine_tuning_job", "--allow-remote", "--threads", "1")
    return tuple(map(str, given))


def started(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "supertune", "fit", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True)


def fitting(reviews: Files, url: str, ended: list[BaseException]) -> None:
    keys: dict[str, Any] = {"backbone": "openai:base", "base_url": url, "allow_remote": True}
    try:
        api.fit(reviews.train, test=reviews.test, method="fine_tuning_job", threads=1, **keys)
    except Exception as error:  # noqa: BLE001  shown by the test
        ended.append(error)


def until(true: Callable[[], Any], process: subprocess.Popen[str] | None = None) -> None:
    stop = time.monotonic() + 60
    while not true():
        assert process is None or process.poll() is None, process.communicate()
        assert time.monotonic() < stop
        time.sleep(0.01)


def created_and_silent(handler: Any, answer: Callable[[], Any]) -> None:
    """The job is there, and nobody hears of it."""
    answer()
    time.sleep(3)
    handler.close_connection = True


def test_a_process_that_is_killed_leaves_one_upload_and_one_job_behind(
    server: JobServer, asked: tuple[str, ...], supertune: Run, here: Path
) -> None:
    supertune("plan", *asked)  # from here on it is known what the server does
    server.hold.clear()
    server.faults.extend([lambda handler, answer: handler.json(200, answer()), created_and_silent])

    killed = started(*asked, "-o", "killed")
    until(lambda: server.creations, killed)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()

    stopped = started(*asked, "-o", "stopped")
    before = server.looks
    until(lambda: server.looks > before + 4, stopped)  # it found the job and waits for it
    stopped.send_signal(signal.SIGINT)
    _, said = stopped.communicate()
    assert stopped.returncode == 130
    said = " ".join(said.split())
    assert "The job ftjob-1 goes on at" in said
    assert "supertune jobs cancel ftjob-1" in said
    assert not (here / "killed").exists()
    assert not (here / "stopped").exists()

    server.hold.set()
    done = supertune("fit", *asked, "-o", "done", "--json")
    assert done.code == 0, done.out
    assert (server.uploads, server.creations, server.deletions) == (1, 1, 1)
    answered = supertune("predict", "done", "a fine film", "--json")
    assert answered.code == 2  # the folder brings no consent
    answered = supertune("predict", "done", "a fine film", "--json", "--allow-remote")
    assert answered.code == 0, answered.out


def test_jobs_are_listed_looked_at_cancelled_and_forgotten(
    server: JobServer, asked: tuple[str, ...], supertune: Run, here: Path, reviews: Files
) -> None:
    server.hold.clear()
    ended: list[BaseException] = []
    waiting = Thread(target=fitting, args=(reviews, server.url, ended))
    waiting.start()
    until(lambda: any(one["job"] for one in api.jobs()))
    shown = supertune("jobs", "show", "ftjob-1", "--json").answer
    assert shown.get("status") == "running", shown
    assert "Fine-tuning job started" in shown["events"]
    assert shown["rows"] == 20
    assert "ftjob-1" in supertune("jobs").out

    cancelled = supertune("jobs", "cancel", "ftjob-1", "--json")
    assert cancelled.answer["status"] == "cancelled"
    waiting.join(30)
    assert [getattr(error, "code", error) for error in ended] == ["job_cancelled"]
    assert not server.files
    assert not [
        one for one in supertune("jobs", "--json").answer["jobs"] if one["job"] == "ftjob-1"
    ]
    again = supertune("jobs", "cancel", "ftjob-1", "--json")
    assert again.error["code"] == "unknown_job"

    server.hold.set()
    done = supertune("fit", *asked, "-o", "kept", "--set", "keep_file=true", "--json")
    assert done.code == 0, done.out
    assert server.files
    ended = supertune("jobs", "cancel", "ftjob-2", "--json")
    assert ended.error["code"] == "job_ended"
    forgotten = supertune("jobs", "forget", "ftjob-2", "--json")
    assert forgotten.code == 0
    assert not server.files
