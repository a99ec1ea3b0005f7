"""`supertune.predict_file`: a file of any size answered slice by slice, here or by Ray's workers.

A slice is a window of rows, and what it is answered lies in a file of its own beside the output
until all is written. So whatever dies, a worker or the program, costs the slices that were under
way: the same call goes on behind the others, and which process answered a slice makes no
difference to it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from supertune import __version__, registry
from supertune.api.cluster import cluster
from supertune.api.loading import load
from supertune.contracts import Counting, Input
from supertune.data.writers import RowWriter, check_target
from supertune.errors import InputError
from supertune.model import Model
from supertune.opening import engine_of

SLICES = ".slices"
Progress = Callable[[str, int, int | None], None]
Found = dict[str, Any]  # of a slice: its columns, and counts and marks of its rows
Wait = Callable[[], Any]
_OURS = re.compile(r"(\d{7}-[0-9a-f]{32}|whole)(\.\d+\.tmp|\.json)")


@dataclass(frozen=True)
class Answered:
    """What came of a file.

    Attributes:
        counts, marks: how many rows carry each name, and each mark (`Answers.marks`).
        renamed: columns of answers whose name the input has, and what they are called.
        kept: rows that an earlier call had answered.
    """

    output: str
    rows: int
    counts: Mapping[str, int]
    marks: Mapping[str, int]
    renamed: Mapping[str, str]
    kept: int


def slices_of(output: Path) -> Path:
    """Where the answers to a file are until it is whole."""
    return output.with_name(output.name + SLICES)


def predict_file(
    folder: str | Path,
    source: str | Path,
    output: str | Path,
    *,
    ray: str | None = None,
    workers: int | None = None,
    window: int | None = None,
    overwrite: bool = False,
    text: Sequence[str] = (),
    coverage: float | None = None,
    max_error: float | None = None,
    progress: Progress | None = None,
    **opening: Any,
) -> Answered:
    """Answer the rows of a file into another, as `Model.stream` does; a call that was interrupted
    goes on where it stopped.

    Args:
        folder: of a model, or what else `supertune.load` takes.
        source: a file or folder of rows.
        output: a .csv, .tsv, .jsonl or .parquet file, which appears once it is whole.
        ray, workers: as in `supertune.fit_many`; the machines of a cluster see the model's folder
            (and files that rows name) under the same path. A worker opens the model once.
        window: rows of a slice; the same window, threads and machine give the same bytes.
        text, coverage, max_error: as in `Model.stream`.
        **opening: as in `supertune.load`: ``threads=1``, ``device``, ``backbone`` ...

    Raises:
        InputError: what is wrong with the output, as `RowWriter`; ``slices_need_a_file``;
            ``one_process_counts`` for a backbone at a server by several workers.
        EnvironmentFault: as `supertune.api.cluster.cluster`.
    """
    place, given = Path(output), Path(source)
    check_target(place, overwrite=overwrite, source=given)
    if not given.exists():
        raise _no_file(source)
    if ray is not None:
        opening["threads"] = opening.get("threads") or 1
    asked = {"coverage": coverage, "max_error": max_error}
    key = _key(Path(folder), opening, asked)
    job = key, str(Path(folder).absolute()), opening, asked
    model = _model(*job[:3])
    if ray is not None:
        _check_counted(model)
    size = window or registry.modality(model.columns.modality).window
    windows = registry.task(model.task).stream(source, model.columns.called(tuple(text)), size)
    store = _Slices(slices_of(place), key)
    how: Any = {"overwrite": overwrite, "source": given, "separator": model.columns.separator}
    how["partial"] = store.folder / f"whole.{os.getpid()}.tmp"  # a kill leaves it to the next call
    with (
        _workers(ray, workers, opening) as (begin, ahead),
        store,
        RowWriter(place, **how) as writer,
    ):
        answers = _answers(windows, store, partial(begin, _slice, *job), ahead)
        counts, marks = _written(writer, answers, progress, _total(model, given))
    store.clear()
    return Answered(str(place), writer.rows, counts, marks, writer.renamed, store.kept)


@contextmanager
def _workers(
    ray: str | None, workers: int | None, opening: Mapping[str, Any]
) -> Iterator[tuple[Callable[..., Wait], int]]:
    """What begins a call, and how many to begin ahead of the one that is waited for."""
    if ray is None:
        yield partial, 0  # which begins when somebody waits
        return
    with cluster(ray, workers, opening["threads"]) as joined:
        yield joined.begun, joined.ahead


_opened: dict[str, Model] = {}  # by key; one a process


def _model(key: str, folder: str, opening: Mapping[str, Any]) -> Model:
    if key not in _opened:
        _opened.clear()
        _opened[key] = load(folder, **opening)
    return _opened[key]


def _slice(
    key: str,
    folder: str,
    opening: Mapping[str, Any],
    asked: Mapping[str, Any],
    inputs: Sequence[Input],
) -> Found:
    """What a worker does."""
    found = _model(key, folder, opening).answered(inputs, **asked)
    return {"columns": found.columns(), "counts": found.counts(), "marks": found.marks()}


def _answers(
    windows: Iterable[tuple[Any, Sequence[Input]]],
    store: _Slices,
    begin: Callable[[Sequence[Input]], Wait],
    ahead: int,
) -> Iterator[tuple[Any, Found]]:
    """Windows in their order; what nobody has answered is begun ``ahead`` of what is waited for."""
    begun: deque[tuple[Any, Path, Wait | None]] = deque()
    for number, (table, inputs) in enumerate(windows):
        place = store.place(number, inputs)
        begun.append((table, place, None if place.exists() else begin(inputs)))
        if len(begun) > ahead:
            yield store.taken(*begun.popleft())
    while begun:
        yield store.taken(*begun.popleft())


class _Slices:
    """Answers of slices, each in a file whose name says what it was made of.

    ``kept``: rows that were there already.
    """

    def __init__(self, folder: Path, key: str) -> None:
        self.folder, self.key, self.kept = folder, key, 0

    def place(self, number: int, inputs: Sequence[Input]) -> Path:
        said = hashlib.sha256(self.key.encode())
        for one in inputs:
            said.update(repr(one).encode("utf-8", "surrogatepass") + b"\0")
        return self.folder / f"{number:07}-{said.hexdigest()[:32]}.json"

    def taken(self, table: Any, place: Path, wait: Wait | None) -> tuple[Any, Found]:
        """Whoever answered them, answers have been written and read."""
        if wait is not None:
            partly = place.with_suffix(f".{os.getpid()}.tmp")
            partly.write_text(json.dumps(wait()), "utf-8")
            os.replace(partly, place)
        found: Found = json.loads(place.read_text("utf-8"))
        if wait is None:
            self.kept += len(next(iter(found["columns"].values()), ()))
        return table, found

    def __enter__(self) -> None:
        self.folder.mkdir(exist_ok=True)

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # it holds something, if not ours
            self.folder.rmdir()

    def clear(self) -> None:
        """Take away what is ours."""
        with suppress(FileNotFoundError):
            for place in self.folder.iterdir():
                if _OURS.fullmatch(place.name):
                    place.unlink()
            self.__exit__()


def _written(
    writer: RowWriter,
    answers: Iterable[tuple[Any, Found]],
    progress: Progress | None,
    total: int | None,
) -> tuple[Counter[str], Counter[str]]:
    counts: Counter[str] = Counter()
    marks: Counter[str] = Counter()
    for table, found in answers:
        writer.write(table, found["columns"])
        counts.update(found["counts"])
        marks.update(found["marks"])
        if progress is not None:
            progress("predict", writer.rows, total)
    return counts, marks


def _total(model: Model, source: Path) -> int | None:
    task = model.workshop.task
    return task.count(source) if isinstance(task, Counting) else None


def _key(folder: Path, *asked: Mapping[str, Any]) -> str:
    """What answers depend on beside the rows."""
    said = hashlib.sha256(repr([__version__, *(sorted(one.items()) for one in asked)]).encode())
    if folder.is_dir():
        for place in sorted(folder.iterdir()):
            if place.is_file():
                said.update(place.name.encode() + hashlib.sha256(place.read_bytes()).digest())
    return said.hexdigest()


def _no_file(source: Any) -> InputError:
    return InputError(
        "slices_need_a_file",
        "Rows are answered slice by slice from a file that can be read again.",
        received=str(source)[:200],
        allowed="a file, or a folder of files",
        next="Write the rows into a file first.",
    )


def _check_counted(model: Model) -> None:
    """One process counts what a server is sent, and what that costs."""
    if model.backbone is not None and getattr(engine_of(model.backbone), "metered", False):
        raise InputError(
            "one_process_counts",
            "Several workers would each count the requests to a server for themselves.",
            received=model.backbone,
            allowed="a backbone that is on the workers' machines",
            next="Leave --ray out: requests to a server run side by side anyway.",
        )
