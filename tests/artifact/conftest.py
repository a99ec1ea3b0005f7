"""A small model folder, as `save` writes it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from supertune.artifact import save, tensor_bytes

MANIFEST = {"supertune": "0.1.0", "labels": ["court", "cheese 中文"], "scores": [0.1, 1e-9]}

Maker = Callable[..., Path]


def files(version: int = 0) -> dict[str, bytes]:
    """Four files whose content is that of one version, one of them in a sub-folder."""
    weights = np.full((40, 8), version, dtype=np.float32)
    return {
        "tuned.safetensors": tensor_bytes({"head": weights, "bias": weights[0]}),
        "report.json": b'{"version": %d}' % version,
        "README.md": f"version {version}: naïve\n".encode(),
        "adapter/adapter_config.json": b"{}",
    }


@pytest.fixture
def make(tmp_path: Path) -> Maker:
    def make(name: str = "model", version: int = 0, overwrite: bool = False) -> Path:
        folder = tmp_path / name
        manifest = {**MANIFEST, "version": version}
        save(folder, manifest, files(version), overwrite=overwrite)
        return folder

    return make
