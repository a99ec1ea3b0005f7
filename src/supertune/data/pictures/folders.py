"""Folders of pictures; see `supertune.data.class_folders`."""

from __future__ import annotations

from pathlib import Path

from supertune.contracts import Picture
from supertune.data import class_folders
from supertune.data.class_folders import Kind, Listing
from supertune.data.pictures import formats

IMAGE, LABEL = "image", class_folders.LABEL


def listing(folder: Path) -> Listing:
    """Every picture below a folder; raises as `class_folders.listing`."""
    return class_folders.listing(folder, PICTURES)


def _made(path: Path, name: str) -> Picture:
    return Picture.of(formats.contents_of(path, name), name, path)


PICTURES = Kind(
    "picture",
    IMAGE,
    formats.is_named_so,
    _made,
    f"{formats.READABLE} files: cats/1.png, dogs/1.png",
)
