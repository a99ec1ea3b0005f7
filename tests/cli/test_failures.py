"""Any failure becomes a sentence, a code and an exit code; none is a traceback."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from supertune.catalogue.places import room
from supertune.cli import main as program
from supertune.cli.failures import explained
from supertune.errors import EnvironmentFault, InputError, SupertuneError

COMMAND = [
    sys.executable,
    "-c",
    "import sys; from supertune.cli.main import main; sys.exit(main())",
]


@pytest.mark.parametrize(
    ("error", "code", "exit_code"),
    [
        (InputError("empty_file", "Empty."), "empty_file", 2),
        (EnvironmentFault("no_network", "None."), "no_network", 2),
        (SupertuneError("odd", "Odd."), "odd", 1),
        (OSError(errno.ENOSPC, "No space left on device", "a.bin"), "no_space", 2),
        (PermissionError(errno.EACCES, "Permission denied", "a.bin"), "permission_denied", 2),
        (OSError(errno.EROFS, "Read-only file system", "a.bin"), "permission_denied", 2),
        (ModuleNotFoundError("No module named 'openpyxl'", name="openpyxl"), "package_missing", 2),
        (MemoryError(), "out_of_memory", 2),
        (OSError(errno.EIO, "Input/output error"), "unexpected", 1),
        (ImportError("cannot import name 'x'", name="supertune.data"), "unexpected", 1),
        (ZeroDivisionError("division by zero"), "unexpected", 1),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_an_exception_has_a_code_and_a_way_out(error: Exception, code: str, exit_code: int) -> None:
    problem, foreseen = explained(error)
    assert (problem.code, problem.exit_code) == (code, exit_code)
    assert foreseen is (code != "unexpected")
    if not isinstance(error, SupertuneError):
        assert problem.next
        assert problem.message.endswith((".", "x'", "zero", "error"))


def test_the_file_that_could_not_be_written_is_named() -> None:
    problem, _ = explained(PermissionError(errno.EACCES, "Permission denied", "out/model"))
    assert problem.received == "out/model: Permission denied"


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["modelz"], "unknown_command", "Did you mean 'models'?"),
        (["models", "--jsn"], "no_such_option", "--jsn"),
        (["models", "pull"], "missing_parameter", "NAME"),
        (["models", "push"], "unknown_command", "pull"),
        (["cache", "clear", "nothing"], "bad_parameter", "nothing"),
        (["doctor", "--json=maybe"], "bad_option_usage", "--json"),
    ],
)
def test_a_mistyped_command_says_what_is_allowed(
    supertune, arguments: list[str], code: str, told: str
) -> None:
    done = supertune(*arguments, "--json")
    assert done.code == 2
    assert done.error["code"] == code, done.error
    assert told in json.dumps(done.error)
    assert done.error["next"]
    plain = supertune(*arguments)
    assert (plain.code, plain.out) == (2, "")
    assert plain.err.startswith("Error: ")
    assert "Traceback" not in plain.err


def broken(*arguments: object, **options: object) -> None:
    raise ZeroDivisionError("the library's own words")


@pytest.fixture
def faulty(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command ``models`` meets something that nobody foresaw."""
    from supertune.cli import models

    monkeypatch.setattr(models, "_list", broken)


def test_what_nobody_foresaw_is_exit_code_1_without_a_traceback(supertune, faulty) -> None:
    done = supertune("models")
    assert (done.code, done.out) == (1, "")
    assert "the library's own words" in done.err
    assert "Traceback" not in done.err
    told = supertune("models", "--json")
    assert (told.code, told.err) == (1, "")
    assert told.error["code"] == "unexpected"


def test_verbose_shows_where_it_came_from(supertune, faulty) -> None:
    done = supertune("models", "-v", "--json")
    assert done.code == 1
    assert "ZeroDivisionError" in done.err
    assert done.error["code"] == "unexpected"


def test_an_interruption_is_exit_code_130(supertune, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    from supertune.cli import models

    monkeypatch.setattr(models, "_list", interrupted)
    done = supertune("models", "--json")
    assert done.code == 130
    assert done.error["code"] == "interrupted"
    plain = supertune("models")
    assert (plain.code, plain.out) == (130, "")
    assert "Interrupted" in plain.err
    assert "  supertune models\n" in plain.err  # what to call again


@pytest.mark.skipif(os.name == "nt", reason="Windows sends no such signal to a child")
def test_ctrl_c_at_a_program_that_waits_is_exit_code_130(
    own_activations: Path, empty_cache: Path
) -> None:
    from filelock import FileLock

    environment = {**os.environ, "SUPERTUNE_OFFLINE": "0"}
    with (
        FileLock(room("models") / "minilm.lock"),
        subprocess.Popen(
            [*COMMAND, "models", "pull", "minilm", "-v", "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        ) as process,
    ):
        assert process.stderr is not None
        assert "wait for another process" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=20)
    assert process.returncode == 130
    assert json.loads(out)["error"]["code"] == "interrupted"
    assert [path.name for path in (empty_cache / "models").iterdir()] in ([], ["minilm.lock"])


def test_a_reader_that_hangs_up_is_no_failure() -> None:
    process = subprocess.Popen(
        [*COMMAND, "models", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    told = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=20) == 0
    assert told == ""


def test_no_command_shows_the_help() -> None:
    started = time.monotonic()
    done = subprocess.run(COMMAND, capture_output=True, text=True)
    assert done.returncode == 0
    assert "Usage: supertune" in done.stdout
    assert time.monotonic() - started < 20
    assert program.SUMMARIES["models"] in done.stdout


@pytest.mark.parametrize("arguments", [["models", "--json"], ["tasks", "--json"], ["nothing"]])
def test_the_program_returns_what_main_returns(arguments: list[str], supertune) -> None:
    done = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True)
    expected = supertune(*arguments)
    assert (done.returncode, done.stdout) == (expected.code, expected.out)
