"""``supertune predict`` of an adapter that was trained to write: it goes on with texts."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from supertune.cli.terminal import Terminal
from supertune.errors import InputError


@dataclass(frozen=True)
class Asked:
    """What a person asks a folder: texts, or the name of a file; where to; settings of writing."""

    folder: Path
    source: Any
    output: Path | None
    settings: tuple[str, ...]


def went_on(
    said: Terminal,
    asked: Asked,
    device: str | None,
    threads: int | None,
    backbone: str | None,
    labels: str,
) -> bool:
    """Print what follows each text, if the folder is an adapter that writes, and has no ``labels``.

    Raises:
        InputError: ``generator_reads_texts`` where a file is named; ``not_a_generator`` for
            settings of writing where nothing writes.
    """
    from supertune import api
    from supertune.artifact.foreign import writes
    from supertune.config import parse_settings

    folder, source = asked.folder, asked.source
    if labels or not writes(folder):
        if asked.settings:
            raise _not_a_generator(folder, asked.settings)
        return False
    if asked.output is not None or not _texts(source):
        raise InputError(
            "generator_reads_texts",
            f"{folder} writes text, and here it goes on with texts on the command line alone.",
            received=str(source) if asked.output is None else f"-o {asked.output}",
            allowed='supertune predict FOLDER "a text" "another"',
            next='In Python: supertune.load(folder, task="generation").generate(texts); or name '
            "its labels with --labels to classify.",
        )
    # Checked before anything is loaded.
    settings = api.generating.decoding(parse_settings(list(asked.settings)))
    model = api.load(
        folder, task="generation", device=device or "auto", threads=threads, backbone=backbone
    )
    texts = model.generate(source, **settings.model_dump())
    at = "" if backbone is None else f" --backbone {shlex.quote(backbone)}"
    more = f" --set max_new_tokens={4 * settings.max_new_tokens}"
    steps = [f"supertune predict {folder} {shlex.quote(_short(source[0]))}{at}{more}"]
    said.result({"rows": len(texts), "texts": texts, "next": steps})
    for before, after in zip(source, texts, strict=True):
        said.say(f"{before}{after}" if len(source) == 1 else f"{before}{after}\n")
    if not said.quiet:
        said.next(steps)
    return True


def _texts(source: Any) -> bool:
    return isinstance(source, list) and all(isinstance(one, str) for one in source)


def _not_a_generator(folder: Path, settings: Sequence[str]) -> InputError:
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
