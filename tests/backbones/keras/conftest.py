"""Two blocks of minilm for torch, and the same as a model of plain Keras layers."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.contract.cases import lowest


@pytest.fixture(scope="package")
def low(own_activations: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    return lowest("minilm", 2, tmp_path_factory.mktemp("low"), words=4000)


@pytest.fixture(scope="package")
def encoder(low: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from supertune.backbones.keras.converting import convert

    return convert(Path(low), tmp_path_factory.mktemp("keras") / "low-keras")
