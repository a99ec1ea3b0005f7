"""Texts of a field, without recordings, by which what is heard is written down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from supertune import transcripts
from supertune.config import Recipe
from supertune.contracts import Finding, Reading
from supertune.errors import InputError

MOST = 200_000  # characters, some 35,000 words: they go into the model folder


def read(places: Sequence[str | Path]) -> tuple[str, ...]:
    """The lines of text files, each once.

    Raises:
        InputError: ``file_missing``, ``text_unreadable``, ``no_domain_text``.
    """
    found: list[str] = []
    for place in map(Path, places):
        try:
            found += place.read_text("utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            missing = not place.is_file()
            raise InputError(
                "file_missing" if missing else "text_unreadable",
                f"The texts of the field {'are not there' if missing else 'cannot be read'}.",
                received=str(place),
                allowed="a text file in UTF-8, one text a line",
                next="Check the path." if missing else "Save it as UTF-8.",
            ) from error
    kept = tuple(dict.fromkeys(" ".join(line.split()) for line in found if line.strip()))
    if places and not kept:
        raise InputError(
            "no_domain_text",
            "The texts of the field are empty.",
            received=", ".join(map(str, places)),
            allowed="a text file in UTF-8, one text a line",
            next="Write sentences into it as they may be said.",
        )
    return kept


def check(texts: Sequence[str]) -> None:
    """Raises:
    InputError: ``domain_text_too_long``.
    """
    held = sum(map(len, texts))
    if held > MOST:
        raise InputError(
            "domain_text_too_long",
            "The texts of the field are too long.",
            received=f"{held:,} characters in {len(texts):,} texts",
            allowed=f"{MOST:,} characters, some 35,000 words",
            next="Take those that are nearest to what is said.",
        )


def apart(recipe: Recipe, reading: Reading) -> tuple[Recipe, Reading]:
    """The recipe without those of its texts that a row's transcript is: the score would be better
    than it will be on recordings whose words nobody has written down before.

    Raises:
        InputError: ``domain_text_too_long``.
    """
    texts = recipe.domain_text
    if not texts:
        return recipe, reading
    check(texts)
    rows = [one.targets for one in (reading.train, reading.test) if one is not None]
    said = {transcripts.normalised(str(text)) for one in rows if one is not None for text in one}
    kept = tuple(text for text in texts if transcripts.normalised(text) not in said)
    findings: list[Finding] = list(reading.findings)
    if left_out := len(texts) - len(kept):
        findings.append(_left_out(left_out, len(texts)))
    return (
        recipe.model_copy(update={"domain_text": kept}),
        replace(reading, findings=tuple(findings)),
    )


def _left_out(count: int, given: int) -> Finding:
    message = (
        f"{count} of the {given} texts of the field are what a row says, and are left out: "
        "the score would look better than it is."
    )
    return Finding("domain_text_repeats", message, (), "info")
