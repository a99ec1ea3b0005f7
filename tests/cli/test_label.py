"""``supertune label``: which rows next, and one key a label on a real terminal."""

from __future__ import annotations

import csv
import fcntl
import json
import os
import pty
import re
import select
import shlex
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest
from tests.conftest import Files, Run, write_rows

import supertune as product
from supertune.errors import InputError

PATIENCE = 90.0  # seconds; only a hang comes near it
LABELS = ("negative", "positive")

# Ctrl-C reaches only those whose controlling terminal it is typed at.
OWN_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, "-m", "supertune", "label", *sys.argv[1:]])
"""


@pytest.fixture
def pool(reviews: Files, here: Path) -> Path:
    """Held-out reviews without their moods, one of them twice, and one that is trained on."""
    texts = [text for text, _ in reviews.held[:30]]
    rows = [(text,) for text in (*texts, texts[0], reviews.rows[0][0])]
    write_rows(here / "pool.csv", rows, ("sentence",))
    return Path("pool.csv")


def table(path: str | Path) -> list[dict[str, str]]:
    with Path(path).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


# --- listing ----------------------------------------------------------------------------------


def test_without_a_model_it_lists_rows_and_why(supertune: Run, pool: Path) -> None:
    done = supertune("label", pool, "--next", 4, "--json")
    assert done.code == 0, done.err
    answer = done.answer
    assert len(answer["rows"]) == 4
    assert len({row["input"] for row in answer["rows"]}) == 4
    for row in answer["rows"]:
        assert row["why"]
        assert row["prediction"] is None
    assert answer["pool"]["rows"] == 32
    assert answer["pool"]["left_out"] == 1
    assert answer["next"] == ["supertune label pool.csv --next 4"]


def test_rows_of_the_model_are_never_proposed(
    supertune: Run, words: Path, pool: Path, reviews: Files
) -> None:
    answer = supertune("label", words, pool, "--next", 1000, "--json").answer
    inputs = [row["input"] for row in answer["rows"]]
    assert len(inputs) == len(set(inputs)) == 30
    assert reviews.rows[0][0] not in inputs
    assert answer["labels"] == list(LABELS)
    assert any("uncertain" in why for row in answer["rows"] for why in row["why"])
    model = product.load(words)
    for row in answer["rows"][:5]:
        assert row["prediction"] == model.predict([row["input"]])[0]


def test_python_says_the_same(supertune: Run, words: Path, pool: Path) -> None:
    answer = supertune("label", words, pool, "--next", 5, "--json").answer
    found = product.label_next(product.load(words), pool, next=5)
    assert [row.as_dict() for row in found] == answer["rows"]
    assert len(found) == 5
    assert str(found[0].row) in repr(found)


def test_a_table_is_filled_in_and_fitted_by_the_command_it_names(
    supertune: Run, words: Path, pool: Path, reviews: Files
) -> None:
    done = supertune("label", pool, "-o", "next.csv", "--next", 12, "--labels", "x,y")
    assert done.code == 0, done.err
    rows = table("next.csv")
    assert list(rows[0]) == ["sentence", "label", "why"]
    assert [row["label"] for row in rows] == [""] * 12
    moods = dict(reviews.held)
    filled = [(row["sentence"], moods[row["sentence"]], row["why"]) for row in rows]
    write_rows(Path("next.csv"), filled, ("sentence", "label", "why"))
    command = re.findall(r"supertune fit .*", done.out)[0]
    assert command == "supertune fit next.csv --text sentence --label label -o next-model"
    quick = ["--method", "bag_of_words", "--set", "repeats=1", "--set", "folds=2"]
    assert supertune(*shlex.split(command)[1:], *quick).code == 0


def test_label_studio_gets_tasks_with_what_the_model_would_say(
    supertune: Run, words: Path, pool: Path
) -> None:
    done = supertune("label", words, pool, "-o", "next.json", "--next", 3)
    assert done.code == 0, done.err
    tasks = json.loads(Path("next.json").read_text("utf-8"))
    assert len(tasks) == 3
    for task in tasks:
        assert set(task) == {"data", "predictions"}
        (predicted,) = task["predictions"]
        (choice,) = predicted["result"]
        assert (choice["from_name"], choice["to_name"], choice["type"]) == (
            "label",
            "text",
            "choices",
        )
        assert choice["value"]["choices"][0] in LABELS
    assert '<Choice value="negative"/>' in done.out


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["nowhere.csv"], "file_missing"),
        (["no-model", "pool.csv"], "model_missing"),
        (["a", "b", "pool.csv"], "too_many_places"),
        (["pool.csv", "--text", "nothing"], "text_column_missing"),
        (["pool.csv", "-o", "next.doc"], "output_suffix"),
        (["pool.csv", "-o", "pool.csv", "--overwrite"], "output_is_input"),
        (["pool.csv", "--answers", "pool.jsonl"], "not_a_journal"),
        (["pool.csv", "--backbone", "none"], "backbone_needed"),
    ],
)
def test_bad_input_is_named(supertune: Run, pool: Path, arguments: list[str], code: str) -> None:
    Path("pool.jsonl").write_text('{"text": "mine"}\n')
    done = supertune("label", *arguments, "--json")
    assert done.code == 2
    assert done.error["code"] == code


def test_a_model_alone_is_no_pool(supertune: Run, words: Path) -> None:
    done = supertune("label", words, "--json")
    assert (done.code, done.error["code"]) == (2, "pool_missing")


def test_values_are_listed_and_filled_in(supertune: Run, here: Path) -> None:
    rows = [(f"{i * 7919 % 97}", f"{i % 5}", f"{i * 3.5}") for i in range(40)]
    write_rows(here / "sales.csv", rows[:20], ("size", "rooms", "price"))
    write_rows(here / "more.csv", [row[:2] for row in rows[20:]], ("size", "rooms"))
    product.fit("sales.csv", output="sales", task="regression", label="price",
                method="linear_regression", repeats=1)  # fmt: skip
    done = supertune("label", "sales", "more.csv", "--next", 6, "-o", "next.csv")
    assert done.code == 0, done.err
    found = table("next.csv")
    assert list(found[0]) == ["size", "rooms", "price", "why"]
    write_rows(here / "next.csv", [(r["size"], r["rooms"], "7.5") for r in found],
               ("size", "rooms", "price"))  # fmt: skip
    command = re.findall(r"supertune fit .*", done.out)[0]
    assert command == "supertune fit next.csv --from sales -o sales --overwrite"
    assert supertune(*command.split()[1:], "--json").answer["rows"] == 26


def test_help_shows_how_to_begin_without_a_model(supertune: Run) -> None:
    done = supertune("label", "--help")
    assert done.code == 0
    assert "supertune label pool.csv --labels positive,negative" in " ".join(done.out.split())


@pytest.mark.parametrize("next_", [0, -1, 2.5, True, "3"])
def test_python_refuses_what_is_no_number_of_rows(pool: Path, next_: Any) -> None:
    with pytest.raises(InputError) as refused:
        product.label_next(None, pool, next=next_)
    assert refused.value.code == "bad_count"


# --- asking -----------------------------------------------------------------------------------


class Person:
    """Somebody at a terminal of 40 x 12 in front of a real process."""

    def __init__(self, *arguments: str, width: int = 40, height: int = 12) -> None:
        self.handle, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
        source = Path(__file__).resolve().parents[2] / "src"
        # Where tests run in parallel these speak of another terminal.
        around = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES")}
        self.process = subprocess.Popen(
            [sys.executable, "-c", OWN_TERMINAL, *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**around, "PYTHONPATH": str(source), "TERM": "xterm", "NO_COLOR": "1"},
            start_new_session=True,
        )
        os.close(theirs)
        self.screen = ""

    def __enter__(self) -> Person:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.handle)

    def sees(self, pattern: str) -> str:
        """What is on the screen once ``pattern`` is: all that came after the last clearing."""
        deadline = time.monotonic() + PATIENCE
        while not re.search(pattern, self.screen):
            assert time.monotonic() < deadline, self.screen
            ready, _, _ = select.select([self.handle], [], [], 1.0)
            if not ready:
                assert self.process.poll() is None, self.screen
                continue
            try:
                more = os.read(self.handle, 65536).decode("utf-8", "replace")
            except OSError:
                break
            text = (self.screen + more).split("\x1b[H\x1b[2J\x1b[3J")[-1]
            self.screen = re.sub("\x1b\\[[0-9;]*m|\r", "", text)  # bold stays without colour
        assert re.search(pattern, self.screen), self.screen
        return self.screen

    def types(self, key: str) -> None:
        self.screen = ""
        os.write(self.handle, key.encode())

    def row(self, number: int) -> str:
        """The screen of the row that is the ``number``th to be labelled now, whole."""
        return self.sees(rf"(?s)(^|\n){number} of .*quit")


@pytest.fixture
def standing(pool: Path) -> Path:
    return Path("pool-labels.jsonl")


def deeds(path: Path) -> list[str]:
    lines = [json.loads(line) for line in path.read_text("utf-8").split("\n") if line]
    return [line["do"] + ":" + line.get("label", "") for line in lines[1:]]


def test_labels_survive_a_kill_and_the_same_command_goes_on(standing: Path) -> None:
    command = ("pool.csv", "--labels", "negative,positive", "--next", "6")
    with Person(*command) as person:
        first = person.row(1)
        assert "0 labelled in all" in first
        assert "1 negative  2 positive" in first
        assert "Why: " in first
        lines = first.strip("\n").split("\n")
        assert len(lines) <= 12
        assert max(map(len, lines)) <= 40
        person.types("2")
        person.row(2)
        assert deeds(standing) == ["label:positive"], "on the disk before the next row shows"
        person.types("x")
        person.sees("no such key")
        person.types("s")
        person.sees("last: skipped")
        person.types("1")
        person.sees("last: negative")
        person.types("u")
        taken = person.sees("took back: negative")
        assert "its answer was taken back" in person.row(2) or taken
        person.types("2")
        person.row(3)
        os.kill(person.process.pid, signal.SIGKILL)
        person.process.wait()
    expected = ["label:positive", "skip:", "label:negative", "undo:", "label:positive"]
    assert deeds(standing) == expected
    assert not Path("pool-labels.csv").exists()

    with Person(*command) as person:
        assert "2 labelled in all" in person.row(1)
        person.types("1")
        person.row(2)
        person.types("1")
        person.row(3)
        person.types("q")
        ended = person.sees("supertune label pool.csv")
        assert "negative 2, positive 2" in " ".join(ended.split())
        assert person.process.wait(PATIENCE) == 0
    assert deeds(standing) == [*expected, "label:negative", "label:negative"]
    rows = table("pool-labels.csv")
    assert [row["label"] for row in rows] == ["positive", "positive", "negative", "negative"]
    assert len({row["sentence"] for row in rows}) == 4
    told = "supertune fit pool-labels.csv --text sentence --label label -o pool-labels-model"
    assert told.replace(" ", "") in re.sub(r"\s", "", ended)
    tasks = json.loads(Path("pool-labels.json").read_text("utf-8"))
    assert [task["annotations"][0]["result"][0]["value"]["choices"] for task in tasks] == [
        [row["label"]] for row in rows
    ]


def test_the_command_it_ends_with_fits_with_the_rows_of_the_model(
    supertune: Run, words: Path, standing: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    product.load(words).save(folder)
    with Person(str(folder), "pool.csv", "--next", "2") as person:
        person.row(1)
        person.types("1")
        person.row(2)
        person.types("2")
        ended = re.sub(r"\n *", "", person.sees(r"(?s)Next.*label .*pool\.csv"))
    told = f"supertune fit pool-labels.csv --from {folder} -o {folder} --overwrite"
    assert told.replace(" ", "") in re.sub(r"\s", "", ended)
    done = supertune(*told.split()[1:], "--json")
    assert done.code == 0, done.out
    assert done.answer["rows"] == 22
    again = supertune("label", folder, "pool.csv", "--next", 1000, "--json").answer
    assert len(again["rows"]) == 28


def test_terminal_stays_as_it_was_after_ctrl_c(standing: Path) -> None:
    with Person("pool.csv", "--labels", "a,b") as person:
        before = termios.tcgetattr(person.handle)[3]
        person.row(1)
        person.types("1")
        person.row(2)
        person.types("\x03")
        person.sees("Interrupted")
        assert person.process.wait(PATIENCE) == 130
        assert termios.tcgetattr(person.handle)[3] & termios.ICANON == termios.ICANON
        assert before is not None
    assert [row["label"] for row in table("pool-labels.csv")] == ["a"]


def test_without_labels_a_terminal_is_told_how_to_name_them(pool: Path) -> None:
    with Person("pool.csv", width=100, height=30) as person:
        person.sees("labels_needed")
        assert person.process.wait(PATIENCE) == 2
    assert not Path("pool-labels.csv").exists()
