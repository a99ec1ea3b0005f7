"""What is left when a fit is killed, two run at once, the disk is full or a cache is damaged.

Fits run in processes forked from one that has made a fit of the kind before: everything is
imported, the backbone open and the machine's speed known, so that a random moment falls into the
fit itself, into what it writes to the cache and to the model folder.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Files

import supertune
from supertune.errors import InputError

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks and kills processes")

KILLS = 8
_WARM = """
import contextlib, io, json, os, sys
from supertune.cli.main import main
with contextlib.redirect_stdout(io.StringIO()):
    main(sys.argv[1:])
for line in sys.stdin:
    order = json.loads(line)
    if "wait" in order:
        print(os.waitstatus_to_exitcode(os.waitpid(order["wait"], 0)[1]), flush=True)
        continue
    pid = os.fork()
    if not pid:
        os.environ.update(order["environment"])
        sys.stdin = open(os.devnull)
        stream = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(stream, 1), os.dup2(stream, 2)
        code = main(order["arguments"])
        sys.stdout.flush()
        os._exit(code)
    print(pid, flush=True)
"""


@dataclass
class Fork:
    """One run of the command ``supertune`` in a process of its own."""

    warm: Warm
    pid: int
    log: Path

    def wait(self) -> int:
        """The exit code; minus the signal's number where one ended it."""
        return int(self.warm.ask(wait=self.pid))

    @property
    def answer(self) -> dict[str, Any]:
        return dict(json.loads(self.log.read_text("utf-8")))


class Warm:
    """A process that has run a command and forks one that runs another, on another cache."""

    def __init__(self, folder: Path, cache: Path, first: tuple[object, ...]) -> None:
        self.folder, self.count = folder, 0
        one_thread = {"TOKENIZERS_PARALLELISM": "false", "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-c", _WARM, *map(str, first)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **one_thread, "SUPERTUNE_CACHE": str(cache)},
        )

    def ask(self, **order: object) -> str:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline()

    def start(self, *arguments: object, **environment: object) -> Fork:
        self.count += 1
        log = self.folder / f"{self.count}.log"
        given = {name: str(value) for name, value in environment.items()}
        pid = self.ask(arguments=list(map(str, arguments)), environment=given, log=str(log))
        return Fork(self, int(pid), log)


@pytest.fixture(scope="module")
def warm(
    reviews: Files, own_activations: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Warm]:
    folder = tmp_path_factory.mktemp("logs")
    cache = new_cache(folder / "cache", own_activations)
    started = Warm(folder, cache, fitting(reviews, folder / "first"))
    yield started
    assert started.process.stdin is not None
    started.process.stdin.close()
    started.process.wait(timeout=30)
    assert started.process.stdout is not None
    started.process.stdout.close()


def fitting(reviews: Files, output: Path, *more: object) -> tuple[object, ...]:
    options = ("--method", "linear_probe", "--backbone", "minilm", "--threads", "1")
    few = ("--set", "folds=3", "--set", "repeats=2", "--json", "-o", output)
    return ("fit", reviews.train, *options, *few, *more)


@pytest.fixture
def fresh(tmp_path: Path, own_activations: Path) -> Path:
    """A cache that holds the models and no activation."""
    return new_cache(tmp_path / "cache", own_activations)


def new_cache(folder: Path, shared: Path) -> Path:
    folder.mkdir()
    for name in ("models", "data"):
        (folder / name).symlink_to((shared / name).resolve(), target_is_directory=True)
    return folder


@dataclass(frozen=True)
class Undisturbed:
    weights: bytes
    seconds: float
    answers: list[list[float]]


@pytest.fixture(scope="module")
def undisturbed(
    warm: Warm,
    reviews: Files,
    own_activations: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Undisturbed:
    folder = tmp_path_factory.mktemp("undisturbed")
    seconds = []
    for turn in range(2):  # the first also reads the files into the system's memory
        cache = new_cache(folder / f"cache{turn}", own_activations)
        started = time.monotonic()
        run = warm.start(*fitting(reviews, folder / f"m{turn}"), SUPERTUNE_CACHE=cache)
        assert run.wait() == 0, run.log.read_text()
        seconds.append(time.monotonic() - started)
    answers = supertune.load(folder / "m1").predict_proba(reviews.texts).tolist()
    return Undisturbed((folder / "m1" / "tuned.safetensors").read_bytes(), seconds[1], answers)


# --- killed -----------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_kill_leaves_the_whole_model_or_none_and_a_cache_that_works(
    warm: Warm, reviews: Files, undisturbed: Undisturbed, tmp_path: Path, own_activations: Path
) -> None:
    random_moment = random.Random(20)
    outcomes: dict[int, int] = {}
    for number in range(KILLS):
        cache = new_cache(tmp_path / f"cache{number}", own_activations)
        place = tmp_path / f"at{number}"
        place.mkdir()
        run = warm.start(*fitting(reviews, place / "m"), SUPERTUNE_CACHE=cache)
        time.sleep(random_moment.random() * undisturbed.seconds)
        os.kill(run.pid, signal.SIGKILL)  # it is not waited for yet, so its number is its own
        code = run.wait()
        outcomes[code] = outcomes.get(code, 0) + 1
        assert code in (0, -signal.SIGKILL), run.log.read_text()
        if (place / "m").exists():
            model = supertune.load(place / "m")
            assert model.predict_proba(reviews.texts).tolist() == undisturbed.answers
        else:
            assert code != 0
            with pytest.raises(InputError, match="no model folder"):
                supertune.load(place / "m")
        again = warm.start(*fitting(reviews, place / "m", "--overwrite"), SUPERTUNE_CACHE=cache)
        assert again.wait() == 0, again.log.read_text()
        found = {finding["code"] for finding in again.answer["findings"]}
        assert not found & {"cache_damaged", "cache_unavailable"}
        assert (place / "m" / "tuned.safetensors").read_bytes() == undisturbed.weights
        assert os.listdir(place) == ["m"], "what a killed run left is cleaned up by the next"
    assert outcomes.get(-signal.SIGKILL, 0) >= KILLS // 2, outcomes


@pytest.mark.slow
def test_a_kill_while_replacing_leaves_the_old_model_or_the_new(
    warm: Warm, reviews: Files, undisturbed: Undisturbed, words: Path, fresh: Path, tmp_path: Path
) -> None:
    place = tmp_path / "at"
    place.mkdir()
    old = supertune.load(words)
    old.save(place / "m")
    known = {"bag_of_words": old.predict_proba(reviews.texts).tolist()}
    known["linear_probe"] = undisturbed.answers
    run = warm.start(*fitting(reviews, tmp_path / "x"), SUPERTUNE_CACHE=fresh)
    began = time.monotonic()
    assert run.wait() == 0, run.log.read_text()
    seconds = time.monotonic() - began
    random_moment, seen = random.Random(7), set()
    for _ in range(8):
        # Around the end of the fit, where the folders change places.
        run = warm.start(*fitting(reviews, place / "m", "--overwrite"), SUPERTUNE_CACHE=fresh)
        time.sleep(seconds * random_moment.uniform(0.7, 1.1))
        os.kill(run.pid, signal.SIGKILL)
        run.wait()
        model = supertune.load(place / "m")
        seen.add(model.method)
        assert model.predict_proba(reviews.texts).tolist() == known[model.method]
    run = warm.start(*fitting(reviews, place / "m", "--overwrite"), SUPERTUNE_CACHE=fresh)
    assert run.wait() == 0
    assert os.listdir(place) == ["m"]
    assert seen


# --- at once ----------------------------------------------------------------------------------


def test_two_fits_at_once_share_the_cache(
    warm: Warm, reviews: Files, undisturbed: Undisturbed, fresh: Path, tmp_path: Path
) -> None:
    runs = [
        warm.start(*fitting(reviews, tmp_path / name), SUPERTUNE_CACHE=fresh) for name in ("a", "b")
    ]
    assert [run.wait() for run in runs] == [0, 0], [run.log.read_text() for run in runs]
    for run, name in zip(runs, ("a", "b"), strict=True):
        assert (tmp_path / name / "tuned.safetensors").read_bytes() == undisturbed.weights
        assert not {f["code"] for f in run.answer["findings"]} & {"cache_unavailable"}


def test_of_two_fits_into_one_folder_one_wins_and_the_other_is_told(
    warm: Warm, reviews: Files, undisturbed: Undisturbed, fresh: Path, tmp_path: Path
) -> None:
    place = tmp_path / "at"
    place.mkdir()
    runs = [warm.start(*fitting(reviews, place / "m"), SUPERTUNE_CACHE=fresh) for _ in range(2)]
    codes = [run.wait() for run in runs]
    assert sorted(codes) == [0, 2], [run.log.read_text() for run in runs]
    loser = runs[codes.index(2)].answer
    assert loser["error"]["code"] in {"output_exists", "output_busy"}
    assert supertune.load(place / "m").predict_proba(reviews.texts).tolist() == undisturbed.answers
    assert os.listdir(place) == ["m"]


# --- damaged, full ----------------------------------------------------------------------------


def test_a_damaged_cache_is_said_and_does_no_harm(
    warm: Warm, reviews: Files, undisturbed: Undisturbed, fresh: Path, tmp_path: Path
) -> None:
    first = warm.start(*fitting(reviews, tmp_path / "a"), SUPERTUNE_CACHE=fresh)
    assert first.wait() == 0
    (kept,) = fresh.glob("activations/*.sqlite3")
    for tail in ("-wal", "-shm"):
        kept.with_name(kept.name + tail).unlink(missing_ok=True)
    kept.write_bytes(b"not a database " * 1000)
    run = warm.start(*fitting(reviews, tmp_path / "b"), SUPERTUNE_CACHE=fresh)
    assert run.wait() == 0, run.log.read_text()
    assert "cache_damaged" in {finding["code"] for finding in run.answer["findings"]}
    assert (tmp_path / "b" / "tuned.safetensors").read_bytes() == undisturbed.weights
    third = warm.start(*fitting(reviews, tmp_path / "c"), SUPERTUNE_CACHE=fresh)
    assert third.wait() == 0
    assert "cache_damaged" not in {finding["code"] for finding in third.answer["findings"]}


_LIMITED = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
from supertune.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("replacing", [False, True])
def test_a_full_disk_leaves_what_was_there(
    python, reviews: Files, words: Path, tmp_path: Path, replacing: bool
) -> None:
    """No file may grow beyond 4 KB, as on a disk that is full."""
    pytest.importorskip("resource")
    place = tmp_path / "at"
    place.mkdir()
    more = []
    if replacing:
        supertune.load(words).save(place / "m")
        more = ["--overwrite"]
    before = {path.name: path.read_bytes() for path in place.glob("m/*")}
    few = ["--set", "folds=2", "--set", "repeats=1", "--json"]
    arguments = ["fit", str(reviews.train), "--method", "bag_of_words", *few, *more]
    done = python(_LIMITED, *arguments, "-o", str(place / "m"))
    assert done.returncode == 2, done.stdout + done.stderr
    error = json.loads(done.stdout)["error"]
    assert error["code"] == "no_space"
    assert error["next"]
    assert {path.name: path.read_bytes() for path in place.glob("m/*")} == before
    assert os.listdir(place) == (["m"] if replacing else [])


def test_a_full_disk_leaves_no_answers(python, words: Path, here: Path) -> None:
    rows = "".join(f"a film of which nobody will speak {i}\n" for i in range(2000))
    (here / "rows.csv").write_text("sentence\n" + rows)
    done = python(_LIMITED, "predict", str(words), "rows.csv", "-o", "out.csv", "--json")
    assert done.returncode == 2, done.stdout + done.stderr
    assert json.loads(done.stdout)["error"]["code"] == "no_space"
    assert os.listdir(here) == ["rows.csv"]
