"""Folders of recordings, a folder a class; see `supertune.data.class_folders`."""

from __future__ import annotations

from pathlib import Path

from supertune.data import class_folders
from supertune.data.class_folders import Kind, Listing
from supertune.data.sounds import formats

AUDIO, LABEL, TEXT, SPEAKER = "audio", class_folders.LABEL, "text", "speaker"
RECORDINGS = Kind(
    "recording",
    AUDIO,
    formats.is_named_so,
    formats.recording,
    f"{formats.READABLE} files: cello/1.wav, flute/1.wav",
)


def listing(folder: Path) -> Listing:
    """Every recording below a folder; raises as `class_folders.listing`."""
    return class_folders.listing(folder, RECORDINGS)
