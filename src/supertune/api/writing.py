"""`supertune.write`: answers to requests, several of each, in files that are gone on with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from supertune.api import resuming
from supertune.api.resuming import Kind, Progress, Rows
from supertune.config import mistakes
from supertune.contracts import Answering, Columns, Completed, Composing
from supertune.contracts.remote import ANEW, anew
from supertune.errors import InputError
from supertune.model import Model, load

WINDOW = 32
SETTINGS = ("beams", "n_best", "length_penalty", "max_new_tokens", "temperature", "top_p", "seed",
            "stop", "repetition_penalty")  # fmt: skip
KIND = Kind(
    "write",
    "answers",
    ("request", "completion", "surety", "ended", "others"),
    "unended",
    lambda row: not row["ended"],
)


def write(
    model: Model | str | Path,
    source: Any,
    *,
    output: str | Path | None = None,
    overwrite: bool = False,
    text: str | None = None,
    device: str = "auto",
    threads: int | None = None,
    progress: Progress | None = None,
    **settings: Any,
) -> list[dict[str, Any]]:
    """Answer requests by a model of text_generation.

    Args:
        model: the model or its folder.
        source: requests, or a file of them as `supertune.predict` takes it.
        output: a .jsonl, .csv, .tsv or .txt file. While it is written its rows are in a file
            beside it; if that is interrupted, the same call goes on behind the last of them.
        overwrite: whether ``output`` may be replaced.
        text: the column of requests.
        device, threads: where the backbone runs.
        **settings: what is to be other than the model was fitted with, of
            `supertune.contracts.Answering`: ``beams=4``, ``n_best=3``, ``temperature=0.7`` ...;
            of a folder whose backbone is at a server also what `supertune.load` takes of that.

    Returns:
        For each request ``request``, ``completion``, ``surety`` (mean log-likelihood of a token),
        ``ended`` (False where it was cut off) and ``others``, the next best answers with theirs;
        with ``output`` nothing but how many there were and how many were cut off.

    Raises:
        InputError: ``no_writer``, ``bad_option``, ``unknown_format``, ``output_exists``,
            ``cannot_resume``, and what is wrong with the requests.

    Example:
        >>> supertune.write("my-writer", ["Two, please."], beams=4, n_best=2)  # doctest: +SKIP
    """
    place = None if output is None else resuming.place(Path(output), overwrite, KIND)
    if not isinstance(model, Model):
        model = load(model, device=device, threads=threads, **anew(settings))
    settings = {key: one for key, one in settings.items() if key not in ANEW}
    if not isinstance(model.tuned, Composing):
        raise InputError(
            "no_writer",
            "This does not answer requests in writing.",
            received=f"a model of {model.task}",
            allowed="a model of text_generation",
            next="supertune fit examples.csv --task text_generation makes one.",
        )
    how = answering(model.tuned.writing, settings)
    columns = model.columns if text is None else Columns(text=(text,))
    rows = _rows(model, source, columns, how)
    if place is None:
        return [row for part in rows(0) for row in _told(part, progress)]
    state = model.tuned.state()
    told = [str(source), model.recipe.backbone, how.model_dump(mode="json"), state.settings]
    key = resuming.key(told, state.arrays, state.adapter)
    return [resuming.written(place, rows, key, KIND, progress)]


def answering(own: Answering, settings: Mapping[str, Any]) -> Answering:
    """A model's own way of writing with some settings changed.

    Raises:
        InputError: ``bad_option`` with every mistake.
    """
    odd = sorted(set(settings) - set(SETTINGS))
    received = [f"{name} is no setting" for name in odd]
    try:
        found = Answering(
            **{**own.model_dump(), **{k: settings[k] for k in SETTINGS if k in settings}}
        )
    except ValidationError as error:
        received += mistakes(error, sorted(SETTINGS))
    if received:
        raise InputError(
            "bad_option",
            "The settings of writing have mistakes.",
            received="; ".join(received),
            allowed=", ".join(sorted(SETTINGS)),
            next="For example beams=4, n_best=2.",
        )
    return found


def _rows(model: Model, source: Any, columns: Columns, how: Answering) -> Rows:
    """Windows of answered rows behind the first so many; each is made as a whole, so that an
    interrupted file is the one that was not."""
    workshop, tuned = model.workshop, model.tuned
    lens = workshop.lens(workshop.recipe.backbone)
    assert lens is not None
    assert isinstance(tuned, Composing)

    def rows(done: int) -> Iterator[list[dict[str, Any]]]:
        for _, inputs in workshop.task.stream(source, columns, WINDOW):
            known, done = min(done, len(inputs)), max(0, done - len(inputs))
            if known == len(inputs):
                continue
            made = tuned.complete(inputs, lens, how)
            window = [_row(str(value), one) for value, one in zip(inputs, made, strict=True)]
            yield window[known:]

    return rows


def _row(request: str, made: Completed) -> dict[str, Any]:
    others = [{"completion": one.text, "surety": _rounded(one.surety)} for one in made.others]
    return {
        "request": request,
        "completion": made.text,
        "surety": _rounded(made.surety),
        "ended": made.ended,
        "others": others,
    }


def _rounded(surety: float | None) -> float | None:
    return None if surety is None else round(surety, 4)


def _told(part: list[dict[str, Any]], progress: Progress | None) -> list[dict[str, Any]]:
    if progress is not None:
        progress("write", len(part), None)
    return part
