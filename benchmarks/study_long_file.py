"""``python -m benchmarks.study_long_file``: a long file, translated with flat memory and stopped.

`supertune translate` runs as a process of its own, is stopped at random lines by SIGKILL and SIGINT
in turn, and is called once more with the same words until the file is there. Resumable, in the
middle of a file too: what is translated already lies beside it.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks import study_command
from benchmarks.benchmark import Benchmark, Draw, Item
from benchmarks.figures import Figure, median
from benchmarks.timing import ROOT
from supertune.api.resuming import part_of
from supertune.api.translating import WINDOW
from supertune.catalogue.corpora import few_pairs

BACKBONE = "bergamot-en-pt"
SCRATCH = Path(tempfile.gettempdir()) / "supertune-study-long-file"
WORDS = range(2, 5)  # of a sentence, so that the longest file takes minutes
WHOLE, LONG = 10_000, 100_000
LOOKED = 0.2  # seconds between two looks at what is there
MARKS = (500, 1_000, 5_000, 10_000, 50_000, 90_000)  # lines behind which memory is noted
GROWTH = 1.1  # times the peak of 1,000 lines that 100,000 may take

Memory = dict[str, int]  # by the number of lines that a process has written, the most it held


def plan(tiny: bool) -> list[Item]:
    if tiny:
        return [{"lines": 600, "stops": 2, "until": 300}]
    return [
        {"lines": 1_000, "stops": 0, "until": 0},
        {"lines": WHOLE, "stops": 0, "until": 0},
        {"lines": WHOLE, "stops": 8, "until": WHOLE},
        # Stopped early, so that the last process still has 80,000 lines to itself.
        {"lines": LONG, "stops": 6, "until": 20_000},
    ]


def measure(item: Item) -> dict[str, Any]:
    lines, stops = item["lines"], item["stops"]
    folder = SCRATCH / f"{lines}-{stops}"
    folder.mkdir(parents=True, exist_ok=True)
    source, output = folder / "lines.txt", folder / "out.jsonl"
    texts = list(sentences(lines))
    source.write_text("\n".join(texts) + "\n", encoding="utf-8")
    journal = folder / "processes.jsonl"
    done = _read(journal)
    drawn = random.Random(f"{lines} {stops}")
    places = sorted(drawn.sample(range(WINDOW, max(item["until"], WINDOW + stops)), stops))
    while not output.exists():
        at = len(done)
        stop = (places[at], (signal.SIGKILL, signal.SIGINT)[at % 2]) if at < stops else None
        done.append(_process(source, output, stop, drawn.uniform(0, 0.5)))
        with journal.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(done[-1]) + "\n")
    found = _judged(output, texts)
    if stops and lines >= WHOLE:
        found["equal_to_uninterrupted"] = _equal(output, _uninterrupted())
    words = sum(len(text.split()) for text in texts)
    return {
        **found,
        "words": words,
        "words_a_second": words / sum(one["processor_seconds"] for one in done),
        "clock_words_a_second": words / sum(one["seconds"] for one in done),
        "peak_memory_bytes": max(one["peak"] for one in done),
        "memory": done[-1]["memory"],
        "processes": [[one["begun"], one["ended"], one["code"]] for one in done],
    }


def sentences(lines: int) -> Iterator[str]:
    """Short sentences of the help pages, again and again in one order: more of them than a window
    has rows, so that none is in a window twice and each line is translated for itself."""
    _, held = few_pairs("gnome-help-pt", train_rows=0, test_rows=10_000, seed=0)
    short = list(dict.fromkeys(text for text, *_ in held if len(text.split()) in WORDS))
    short = [text for text in short if "\n" not in text]
    assert len(short) > WINDOW
    for number in range(lines):
        yield short[number % len(short)]


def _process(
    source: Path, output: Path, stop: tuple[int, signal.Signals] | None, later: float
) -> dict[str, Any]:
    """One call of the command, stopped ``later`` seconds behind a line if that is asked."""
    part = part_of(output)
    begun = _lines(part)
    command = [sys.executable, "-m", "supertune", "translate", BACKBONE, str(source)]
    command += ["-o", str(output), "--threads", "1", "--json", "--quiet"]
    # A program that runs behind a shell may ignore Ctrl-C, and so would what it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    started = time.monotonic()
    child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    memory, count, sent = Memory(), _Counted(part), False
    while True:
        pid, status, used = os.wait4(child.pid, os.WNOHANG)
        if pid:
            break
        peak, written = _peak(child.pid), count()
        for mark in MARKS:
            if peak and written - begun >= mark:
                memory.setdefault(str(mark), peak)
        memory["most"] = max(peak, memory.get("most", 0))
        if stop is not None and not sent and written >= max(stop[0], begun + 1):
            time.sleep(later)
            child.send_signal(stop[1])
            sent = True
        time.sleep(LOOKED)
    child.returncode = os.waitstatus_to_exitcode(status)
    ended = _lines(part) if part.exists() else _lines(output) + 1
    if not sent and child.returncode:
        raise RuntimeError(f"the command ended with {child.returncode} by itself")
    return {
        "begun": begun,
        "ended": ended,
        "code": child.returncode,
        "seconds": time.monotonic() - started,
        "processor_seconds": used.ru_utime + used.ru_stime,
        "peak": memory.pop("most"),
        "memory": memory,
    }


class _Counted:
    """How many whole lines a file that grows has, its first not counted."""

    def __init__(self, path: Path) -> None:
        self.path, self.read, self.lines = path, 0, -1

    def __call__(self) -> int:
        if self.path.exists():
            with self.path.open("rb") as stream:
                stream.seek(self.read)
                more = stream.read()
            self.read, self.lines = self.read + len(more), self.lines + more.count(b"\n")
        return max(0, self.lines)


def _lines(path: Path) -> int:
    return _Counted(path)()


def _peak(pid: int) -> int:
    """The most bytes that a process has held; 0 once it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text("utf-8")
    except OSError:
        return 0
    held = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(held[0]) * 1024 if held else 0


def _read(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def _judged(output: Path, texts: Sequence[str]) -> dict[str, Any]:
    """Whether each line is there once and in its place, and how many are translated as the same
    sentence was before."""
    known: dict[str, str] = {}
    same = at = 0
    in_order = True
    with output.open(encoding="utf-8") as stream:
        for at, line in enumerate(stream, 1):
            row = json.loads(line)
            in_order &= at <= len(texts) and row["source"] == texts[at - 1]
            same += known.setdefault(row["source"], row["translation"]) == row["translation"]
    return {"in_order": in_order and at == len(texts), "said_as_before": same / at}


def _uninterrupted() -> Path:
    """What one process made of the first lines."""
    place = SCRATCH / f"{WHOLE}-0" / "out.jsonl"
    if not place.exists():
        measure({"lines": WHOLE, "stops": 0, "until": 0})
    return place


def _equal(output: Path, other: Path) -> bool:
    """Whether two files have the same bytes, as far as the shorter goes."""
    with output.open("rb") as ours, other.open("rb") as theirs:
        return all(a == b for a, b in zip(ours, theirs))


def figures(draws: Sequence[Draw]) -> list[Figure]:
    found = []
    for draw in draws:
        stops = f", stopped {draw['stops']} times" if draw["stops"] else ""
        name = f"{draw['lines']:,} lines{stops}"
        found += [
            median(f"{name}: peak memory", [draw["peak_memory_bytes"] / 2**20], "MiB"),
            median(f"{name}: words a second of a processor", [draw["words_a_second"]], "words"),
            _all(f"{name}: lines there once and in their order", draw["in_order"]),
        ]
        if "equal_to_uninterrupted" in draw:
            told = f"{name}: its first {WHOLE:,} equal to an uninterrupted run, to the byte"
            found.append(_all(told, draw["equal_to_uninterrupted"]))
    peaks = {draw["lines"]: draw["peak_memory_bytes"] for draw in draws}
    if {1_000, LONG} <= peaks.keys():
        name = f"peak memory of {LONG:,} lines over that of 1,000"
        found.append(median(name, [peaks[LONG] / peaks[1_000]], "x", at_most=GROWTH))
    return found


def _all(name: str, so: bool) -> Figure:
    return median(name, [100.0 * so], "%", at_least=100.0)


STUDY = Benchmark(
    name="study_long_file",
    question="Does a file of 100,000 lines translate with flat memory, and go on where it stopped?",
    how=f"`supertune translate {BACKBONE}` on one thread, in a process of its own. The lines are "
    "sentences of two to four words from GNOME's help pages in one order again and again, more of "
    f"them than the {WINDOW} rows that are translated together, so that each line is translated "
    "for itself. SIGKILL and SIGINT in turn stop it behind lines drawn at random, of 100,000 among "
    "the first 20,000, so that one process has the other 80,000 to itself; then the same command "
    "is called again. Peak memory is of whole processes, imports included, and `memory` that of "
    "the last one by the lines that it had written.",
    peers=(),
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
