"""`supertune.transcribe`: recordings of any length written down, with times and subtitles."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from supertune import registry, transcripts
from supertune.api import domain_texts
from supertune.api.transcript_files import Files
from supertune.config import Recipe, mistakes
from supertune.contracts import Columns, HeadSpec, Listening, Recording, State, Writing, Written
from supertune.contracts.speech import CHARACTERS
from supertune.errors import InputError
from supertune.model import Model
from supertune.pipeline import Workshop
from supertune.report import subtitles

WINDOW = 32  # recordings at a time
TASK = "speech_to_text"


def transcribe(
    model: Model | str | Path,
    source: Any,
    *,
    output: str | Path | None = None,
    formats: Sequence[str] = (),
    overwrite: bool = False,
    skip: bool = False,
    device: str = "auto",
    threads: int | None = None,
    progress: Callable[[str, int, int | None], None] | None = None,
    **settings: Any,
) -> list[dict[str, Any]]:
    """Write down what is said in recordings.

    Args:
        model: a model of speech_to_text or its folder; or the name of a backbone, as it is.
        source: a recording, a folder of recordings, a table with a column of them, or a list.
        output: a folder for a file a recording.
        formats: of these files: ``"txt"``, ``"srt"``, ``"vtt"``, ``"json"``; by default txt.
        overwrite: whether files may be replaced.
        skip: leave out recordings whose files are there, as an earlier run left them.
        device, threads: where a backbone runs.
        **settings: keys of `supertune.contracts.Listening`: ``language="fr"``,
            ``hints=("Asterisk",)``, ``domain_text=(...)``, ``beams=4``, ``timestamps=True`` ...

    Returns:
        For each recording ``recording`` (its name), ``text``, ``language``, ``segments`` (each
        ``start``, ``end`` and ``text``), ``surety``, ``doubts`` and the ``files`` written; with
        hints and a table that has a column of transcripts also ``said``, what that says, by which
        `terms` counts.

    Raises:
        InputError: ``no_transcriber``, ``bad_option``, ``unknown_format``, ``output_exists``,
            ``unknown_language``, ``domain_text_too_long``, and what is wrong with the recordings.

    Example:
        >>> supertune.transcribe("my-model", "calls", output="texts", formats=["srt"])
    """
    wanted = _formats(formats)
    how = listening({**settings, **({"timestamps": True} if wanted & subtitles.TIMED else {})})
    writing, workshop, columns = _opened(model, device, threads)
    lens = workshop.lens(workshop.recipe.backbone)
    assert lens is not None
    domain_texts.check(how.domain_text)
    how = how.model_copy(update=_as_fitted(writing, workshop.recipe, settings))
    found: list[dict[str, Any]] = []
    files = Files(
        None if output is None else Path(output), wanted or frozenset({"txt"}), overwrite, skip
    )
    heard = _written(writing, lens, source, columns, workshop, how, files, progress)
    for number, one, said, known in heard:
        row = {"recording": str(one), **asdict(said)}
        if how.hints and known is not None:
            row["said"] = known
        row["segments"] = [dict(segment) for segment in row["segments"]]
        row["doubts"] = list(row["doubts"])
        row["files"] = files.save(one, said, number)
        found.append(row)
    return found


def terms(rows: Sequence[Mapping[str, Any]], hints: Sequence[str]) -> dict[str, Any] | None:
    """How many mentions of hints are written as they were said, of what `transcribe` gave:
    ``mentions`` and ``accuracy`` (None without any mention). None where nothing says what was
    said."""
    known = [row for row in rows if "said" in row]
    if not known or not hints:
        return None
    said, written = [row["said"] for row in known], [row["text"] for row in known]
    share = transcripts.term_accuracy(said, written, hints)
    mentions = transcripts.mentions(said, hints)
    return {"mentions": mentions, "accuracy": share if mentions else None}


def in_language(model: Model, language: str) -> Model:
    """The model, asked to write down another language than it was tuned on: what it and the untuned
    one make of such recordings (`Model.evaluate`) says what it has forgotten.

    Args:
        language: its code, such as ``"en"``.

    Raises:
        InputError: ``no_transcriber``; ``unknown_language`` once it is asked.
    """
    if not isinstance(model.tuned, Writing):
        raise _no_transcriber(f"a model of {model.task}")
    other = {} if language == model.tuned.language else {"domain_text": ()}
    recipe = model.recipe.model_copy(update={"language": language, **other})
    return replace(model, recipe=recipe, _workshop=Workshop(recipe, store=model.workshop.store))


def listening(settings: Mapping[str, Any]) -> Listening:
    """Settings, checked.

    Raises:
        InputError: ``bad_option`` with every mistake.
    """
    keys = sorted(Listening.model_fields)
    try:
        return Listening(**settings)
    except ValidationError as error:
        raise InputError(
            "bad_option",
            "The settings of a transcription have mistakes.",
            received="; ".join(mistakes(error, keys)),
            allowed=", ".join(keys),
            next='For example language="fr", hints=("Asterisk",), beams=4, timestamps=True.',
        ) from error


def _formats(given: Sequence[str]) -> frozenset[str]:
    odd = [one for one in given if one not in subtitles.FORMATS]
    if odd:
        raise InputError(
            "unknown_format",
            f"Transcripts are not written as {odd[0]}.",
            received=", ".join(given),
            allowed=", ".join(subtitles.FORMATS),
            next="For example srt for subtitles.",
        )
    return frozenset(given)


def _as_fitted(writing: Writing, recipe: Recipe, settings: Mapping[str, Any]) -> dict[str, Any]:
    """What the model was fitted with, where nothing else is said. Texts are of one language."""
    keys = [key for key in ("hints", "domain_text") if key not in settings]
    if settings.get("language") not in (None, writing.language):
        keys = [key for key in keys if key != "domain_text"]
    return {key: getattr(recipe, key) for key in keys}


def _opened(
    model: Model | str | Path, device: str, threads: int | None
) -> tuple[Writing, Workshop, Columns]:
    if isinstance(model, str | Path) and not (Path(model) / "supertune.json").is_file():
        return _untuned(str(model), device, threads)
    if isinstance(model, str | Path):
        from supertune.model import load

        model = load(model, device=device, threads=threads)
    if not isinstance(model.tuned, Writing):
        raise _no_transcriber(f"a model of {model.task}")
    return model.tuned, model.workshop, model.columns


def _untuned(name: str, device: str, threads: int | None) -> tuple[Writing, Workshop, Columns]:
    """A backbone as it is; its language is heard where none is given."""
    recipe = Recipe(
        task=TASK, backbone=name, method="untuned", device=device, threads=threads, precision="fp32"
    )
    workshop = Workshop(recipe)
    if "transcribe" not in workshop.offer(name).capabilities:
        raise _no_transcriber(f"the backbone {name}")
    head = HeadSpec(1, characters=CHARACTERS)
    method: Any = registry.method("untuned")
    made = method.restore(State({}, {"language": None}), head, workshop.lens(name))
    return made, workshop, Columns()


def _no_transcriber(received: str) -> InputError:
    return InputError(
        "no_transcriber",
        "This does not write down speech.",
        received=received,
        allowed="a model of speech_to_text, or a backbone such as whisper-base",
        next="`supertune backbones` lists those that do (transcribe).",
    )


def _written(
    writing: Writing,
    lens: Any,
    source: Any,
    columns: Columns,
    workshop: Workshop,
    how: Listening,
    files: Files,
    progress: Callable[[str, int, int | None], None] | None,
) -> Iterator[tuple[int, Recording, Written, str | None]]:
    """Each recording that is due and its number, what is written of it, and what its row says was
    said."""
    from supertune.data.sounds import transcribed

    done, total = 0, getattr(workshop.task, "count", lambda _: None)(source)
    seen = 0
    read = Columns(audio=columns.audio)
    for table, inputs in workshop.task.stream(source, read, WINDOW):
        some = [one for one in inputs if isinstance(one, Recording)]
        known = transcribed.said_in(table)
        known = known if len(known) == len(some) else [None] * len(some)
        numbered = zip(range(seen + 1, seen + len(some) + 1), some, known, strict=True)
        due = [one for one in numbered if files.due(one[1], one[0])]
        seen += len(some)
        done += len(some) - len(due)
        found = writing.transcribe([one for _, one, _ in due], lens, how) if due else []
        for (number, one, was), said in zip(due, found, strict=True):
            done += 1
            if progress is not None:
                progress("transcribe", done, total)
            yield number, one, said, was
