"""``supertune predict`` of an adapter that was trained to write: it goes on with texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from supertune.cli.terminal import Terminal
from supertune.errors import InputError


def go_on(
    said: Terminal,
    folder: Path,
    source: Any,
    output: Path | None,
    settings: Sequence[str],
    place: Mapping[str, Any],
) -> None:
    """Print what follows each text of ``source``.

    Raises:
        InputError: ``generator_reads_texts`` where a file or ``output`` is named.
    """
    from supertune import api
    from supertune.config import parse_settings

    if output is not None or not isinstance(source, list):
        raise InputError(
            "generator_reads_texts",
            f"{folder} writes text, and here it goes on with texts on the command line alone.",
            received=f"-o {output}" if output is not None else str(source),
            allowed='supertune predict FOLDER "a text" "another"',
            next='In Python: supertune.load(folder, task="generation").generate(texts); or name '
            "its labels with --labels to classify.",
        )
    # Checked before anything is loaded.
    asked = api.generating.decoding(parse_settings(list(settings)))
    model = api.load(folder, task="generation", **place)
    texts = model.generate(source, **asked.model_dump())
    steps = [f'supertune predict {folder} "{_short(source[0])}" --set max_new_tokens=200']
    said.result({"rows": len(texts), "texts": texts, "next": steps})
    for before, after in zip(source, texts, strict=True):
        said.say(f"{before}{after}" if len(source) == 1 else f"{before}{after}\n")
    if not said.quiet:
        said.next(steps)


def not_a_generator(folder: Path, settings: Sequence[str]) -> InputError:
    """For settings of writing where nothing writes."""
    return InputError(
        "not_a_generator",
        f"{folder} answers with labels or values, and writes no text.",
        received=", ".join(f"--set {one}" for one in settings),
        allowed="an adapter of peft with the task type CAUSAL_LM or SEQ_2_SEQ_LM, without labels",
        next="Leave --set out.",
    )


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:39] + "…"
