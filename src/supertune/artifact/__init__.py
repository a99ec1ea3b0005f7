"""Model folders: written whole or not at all, verified before anything in them is used."""

from supertune.artifact import exports, foreign, states
from supertune.artifact.reading import Artifact, read
from supertune.artifact.tensors import tensor_bytes, weights_sha256
from supertune.artifact.writing import check_output, save

__all__ = [
    "Artifact",
    "check_output",
    "exports",
    "foreign",
    "read",
    "save",
    "states",
    "tensor_bytes",
    "weights_sha256",
]
