"""`supertune.translate`: files of any size in their order, and going on where it stopped."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from supertune import registry
from supertune.api import resuming
from supertune.api.resuming import Kind, Progress, Rows
from supertune.config import Recipe, mistakes
from supertune.contracts import Columns, HeadSpec, Rendered, Rendering, State, Translated
from supertune.contracts.translation import LETTERS, confidence
from supertune.data import readers
from supertune.errors import InputError
from supertune.evaluation import abstaining
from supertune.model import Model
from supertune.pipeline import Workshop

TASK = "translation"
WINDOW = 256
KIND = Kind(
    "translate",
    "translations",
    ("source", "translation", "surety", "doubts"),
    "doubtful",
    lambda row: bool(row["doubts"]),
)
ASKED = ("source_language", "target_language", "prefix")  # keys of the recipe


def translate(
    model: Model | str | Path,
    source: Any,
    *,
    output: str | Path | None = None,
    glossary: Mapping[str, str] | str | Path | None = None,
    overwrite: bool = False,
    text: str | None = None,
    device: str = "auto",
    threads: int | None = None,
    max_error: float | None = None,
    progress: Progress | None = None,
    **settings: Any,
) -> list[dict[str, Any]]:
    """Put texts into another language.

    Args:
        model: a model of translation or its folder; or the name of a backbone, as it is.
        source: texts, or a file of them as `supertune.predict` takes it.
        output: a .jsonl, .csv, .tsv or .txt file. While it is written its rows are in a file
            beside it; if that is interrupted, the same call goes on behind the last of them.
        glossary: terms and what they are called, or a file with the two columns.
        overwrite: whether ``output`` may be replaced.
        text: the column of texts.
        device, threads: where a backbone runs.
        max_error: as in `supertune.Model.predictions`; what the model was fitted under by default.
        **settings: keys of `supertune.contracts.Rendering`: ``beams=4`` ...; of a backbone that
            knows several languages `ASKED`: ``source_language="eng_Latn"`` ...

    Returns:
        For each text ``source``, ``translation`` (None where the model abstains), ``surety`` (mean
        log-likelihood of a token) and ``doubts``, with ``n_best`` the next best as ``others``; with
        ``output`` nothing but how many there were and how many are doubtful.

    Raises:
        InputError: ``no_translator``, ``bad_option``, ``bad_glossary``, ``unknown_format``,
            ``output_exists``, ``cannot_resume``, ``bad_max_error``, ``no_calibration``,
            ``language_missing``, ``unknown_language``, ``prefix_missing``, ``languages_settled``,
            and what is wrong with the texts.

    Example:
        >>> supertune.translate("bergamot-en-pt", ["How are you?"])[0]["translation"]
        'Como vai você?'
    """
    asked = {key: settings.pop(key, None) for key in ASKED}
    how = rendering({**settings, "glossary": _glossary(glossary)})
    place = None if output is None else resuming.place(Path(output), overwrite, KIND)
    model = _loaded(model, device, threads)
    rendered, workshop, columns = _opened(model, device, threads, asked)
    least = _least(model, max_error)
    if text is not None:
        columns = Columns(text=(text,))
    rows = _rows(rendered, workshop, source, columns, how, least)
    if place is None:
        return [row for part in rows(0) for row in _told(part, progress)]
    key = _key(source, workshop, how, rendered, least)
    return [resuming.written(place, rows, key, _kind(how), progress)]


def rendering(settings: Mapping[str, Any]) -> Rendering:
    """Settings, checked.

    Raises:
        InputError: ``bad_option`` with every mistake.
    """
    keys = sorted(Rendering.model_fields)
    try:
        return Rendering(**settings)
    except ValidationError as error:
        raise InputError(
            "bad_option",
            "The settings of a translation have mistakes.",
            received="; ".join(mistakes(error, keys)),
            allowed=", ".join(keys),
            next='For example beams=4, glossary={"desktop": "área de trabalho"}.',
        ) from error


def _glossary(given: Mapping[str, str] | str | Path | None) -> dict[str, str]:
    if given is None:
        return {}
    if isinstance(given, Mapping):
        pairs = list(given.items())
    else:
        table = readers.read(given)
        if len(table.names) < 2:
            raise _bad_glossary(f"columns {', '.join(table.names)}")
        first, second = (table.values[name] for name in table.names[:2])
        pairs = list(zip(first, second, strict=True))
    for number, pair in enumerate(pairs, 1):
        if not all(isinstance(one, str) and one.strip() for one in pair):
            raise _bad_glossary(f"entry {number}: {pair[0]!r}, {pair[1]!r}")
    return {str(a).strip(): str(b).strip() for a, b in pairs}


def _bad_glossary(received: str) -> InputError:
    return InputError(
        "bad_glossary",
        "A glossary is a list of terms and what each is called.",
        received=received[:200],
        allowed="two texts an entry; a file with two columns",
        next='For example a csv file with the line "desktop,área de trabalho".',
    )


def _loaded(model: Model | str | Path, device: str, threads: int | None) -> Model | str | Path:
    """The model, or the name of a backbone."""
    if isinstance(model, Model) or not (Path(model) / "supertune.json").is_file():
        return model
    from supertune.model import load

    return load(model, device=device, threads=threads)


def _least(model: Model | str | Path, max_error: float | None) -> float:
    """The least confidence of a translation that is given."""
    if isinstance(model, Model):
        found = model.abstains(model.recipe.max_error if max_error is None else max_error)
        return -math.inf if found is None else found.value
    return -math.inf if max_error is None else abstaining.limit({}, max_error).value


def _opened(
    model: Model | str | Path, device: str, threads: int | None, asked: Mapping[str, str | None]
) -> tuple[Rendered, Workshop, Columns]:
    if not isinstance(model, Model):
        return untuned(str(model), device, threads, **asked)
    if not isinstance(model.tuned, Rendered):
        raise _no_translator(f"a model of {model.task}")
    given = [f"{key}={value!r}" for key, value in asked.items() if value is not None]
    if given:
        raise InputError(
            "languages_settled",
            "A model translates between the languages that it was fitted with.",
            received=", ".join(given),
            allowed="none of these",
            next="Leave them out, or name a backbone instead of the model.",
        )
    return model.tuned, model.workshop, model.columns


def untuned(
    name: str, device: str, threads: int | None, **asked: str | None
) -> tuple[Rendered, Workshop, Columns]:
    """``asked``: languages and prefix as in `translate`."""
    keys: dict[str, Any] = {"device": device, "threads": threads, "precision": "fp32", **asked}
    workshop = Workshop(Recipe(task=TASK, backbone=name, method="untuned", **keys))
    if "translate" not in workshop.offer(name).capabilities:
        raise _no_translator(f"the backbone {name}")
    method: Any = registry.method("untuned")
    head = HeadSpec(1, translation=LETTERS)
    return method.restore(State({}), head, workshop.lens(name)), workshop, Columns()


def _no_translator(received: str) -> InputError:
    return InputError(
        "no_translator",
        "This does not translate.",
        received=received,
        allowed="a model of translation, or a backbone such as bergamot-en-pt",
        next="`supertune backbones` lists those that do (translate).",
    )


def _rows(
    rendered: Rendered,
    workshop: Workshop,
    source: Any,
    columns: Columns,
    how: Rendering,
    least: float = -math.inf,
) -> Rows:
    """Windows of translated rows behind the first so many."""
    lens = workshop.lens(workshop.recipe.backbone)
    assert lens is not None

    def rows(done: int) -> Iterator[list[dict[str, Any]]]:
        for _, inputs in workshop.task.stream(source, columns, WINDOW):
            known, done = min(done, len(inputs)), max(0, done - len(inputs))
            if known == len(inputs):
                continue
            # A window that was begun is made anew as a whole: which texts share a batch moves the
            # last digits, and an interrupted file should be the one that was not.
            texts = [str(value) for value in inputs]
            made = rendered.translate(texts, lens, how)
            window = [_row(text, one, how, least) for text, one in zip(texts, made, strict=True)]
            yield window[known:]

    return rows


def _kind(how: Rendering) -> Kind:
    return replace(KIND, columns=(*KIND.columns, "others")) if how.n_best > 1 else KIND


def _row(text: str, made: Translated, how: Rendering, least: float) -> dict[str, Any]:
    kept = confidence(made.surety, made.doubts) >= least
    others = [
        {"translation": one.text, "surety": round(one.surety, 4), "doubts": list(one.doubts)}
        for one in made.others
    ]
    told = {
        "source": text,
        "translation": made.text if kept else None,
        "surety": round(made.surety, 4),
        "doubts": list(made.doubts),
    }
    return told | ({"others": others if kept else []} if how.n_best > 1 else {})


def _told(part: list[dict[str, Any]], progress: Progress | None) -> list[dict[str, Any]]:
    if progress is not None:
        progress("translate", len(part), None)
    return part


def _key(source: Any, workshop: Workshop, how: Rendering, rendered: Rendered, least: float) -> str:
    state = rendered.state()
    asked = [getattr(workshop.recipe, key) for key in ("backbone", *ASKED)]
    told = [str(source), *asked, how.model_dump(mode="json"), str(least)]
    return resuming.key(told, state.arrays, state.adapter)
