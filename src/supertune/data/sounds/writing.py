"""Speech that was made, as a file: piece by piece, and marked as synthetic in its own tags."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from supertune.contracts.voices import SYNTHETIC
from supertune.data.sounds import formats
from supertune.errors import InputError

if TYPE_CHECKING:
    import soundfile

KINDS = {".wav": ("WAV", "PCM_16"), ".flac": ("FLAC", "PCM_16"), ".ogg": ("OGG", "VORBIS")}
TITLE = 120  # characters


def checked(place: Path, overwrite: bool) -> Path:
    """A place that can be written to.

    Raises:
        InputError: ``output_suffix``, ``output_exists``, ``output_parent_missing``.
    """
    if place.suffix.lower() not in KINDS:
        raise InputError(
            "output_suffix",
            "Speech is not written in that format.",
            received=str(place),
            allowed=f"a name that ends in {', '.join(KINDS)}",
            next=f"For example --output {place.with_suffix('.wav')}",
        )
    if place.is_dir() or (place.exists() and not overwrite):
        raise InputError(
            "output_exists",
            f"{place} is there already.",
            received=str(place),
            allowed="a new name",
            next="Choose another name, or add --overwrite.",
        )
    if not place.parent.is_dir():
        raise InputError(
            "output_parent_missing",
            f"The folder that should hold {place.name} does not exist.",
            received=str(place.parent),
            allowed="an existing folder",
            next=f'mkdir "{place.parent}"',
        )
    return place


@contextmanager
def opened(place: Path, rate: int, title: str, voice: str) -> Iterator[soundfile.SoundFile]:
    """A file to write samples into; it is there under its name once all are written.

    Raises:
        EnvironmentFault: ``extra_missing`` without soundfile.
    """
    try:
        import soundfile
    except (ImportError, OSError):
        raise formats.soundfile_missing() from None
    kind, subtype = KINDS[place.suffix.lower()]
    partial = place.with_name(f".{place.name}.{os.getpid()}.part")
    try:
        with soundfile.SoundFile(
            partial, "w", samplerate=rate, channels=1, format=kind, subtype=subtype
        ) as stream:
            stream.title = title[:TITLE]
            stream.comment = SYNTHETIC
            stream.artist = f"{voice} (synthetic voice)"
            stream.software = "supertune"
            yield stream
        os.replace(partial, place)
    finally:
        partial.unlink(missing_ok=True)
