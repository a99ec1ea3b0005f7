"""A small picture on disk, and its boxes in each format."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def shot(tmp_path: Path) -> Path:
    """``shot.png``, 200 x 100 pixels."""
    from PIL import Image

    path = tmp_path / "shot.png"
    Image.new("RGB", (200, 100), (10, 60, 90)).save(path)
    return path
