"""Tiny models with random weights, one a family, as the engine's own tests build them."""

from tests.backbones.transformers.conftest import tiny_folder

__all__ = ["tiny_folder"]
