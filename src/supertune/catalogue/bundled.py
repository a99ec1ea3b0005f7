"""Rows that come with what is installed, so that nothing is fetched: a table of numbers of
scikit-learn, and a picture that is computed."""

from __future__ import annotations

import io
import random

from supertune.contracts import Picture

Table = list[dict[str, float]]

TABLES = ("diabetes",)
PICTURES = ("waves",)


def drawn(name: str, *, test_rows: int, seed: int) -> tuple[Table, Table]:
    """Rows of a table of `TABLES` to learn from, and ``test_rows`` others; the same for one seed.

    ``diabetes``: ten measurements of 442 patients in their own units, and how far the disease
    had progressed a year later (Efron, Hastie, Johnstone and Tibshirani 2004).
    """
    from sklearn.datasets import load_diabetes

    assert name in TABLES
    given = load_diabetes(scaled=False)
    names = (*given.feature_names, "progression")
    rows = [
        dict(zip(names, (*row, value), strict=True))
        for row, value in zip(given.data.tolist(), given.target.tolist(), strict=True)
    ]
    random.Random(f"{name} {seed}").shuffle(rows)
    return rows[test_rows:], rows[:test_rows]


def picture(name: str) -> Picture:
    """A picture of `PICTURES`: ``waves`` are bands of colour that bend, 384 x 288 pixels.

    Raises:
        EnvironmentFault: ``extra_missing``.
    """
    import numpy as np

    from supertune.data.pictures import formats

    assert name in PICTURES
    try:
        from PIL import Image
    except ImportError:
        raise formats.pillow_missing() from None
    y, x = np.mgrid[0:288, 0:384].astype(np.float64)
    bent = y + 14 * np.sin(x / 31) + 6 * np.sin((x + 2 * y) / 17)
    light = 0.5 + 0.5 * np.sin(bent / 5.5)
    low, high = np.array([24.0, 40, 92]), np.array([240.0, 214, 150])
    band = (0.5 + 0.5 * np.sin(bent / 23 + x / 60))[..., None]
    colours = low + light[..., None] * (high - low) + band * np.array([30.0, -60, -20])
    stream = io.BytesIO()
    Image.fromarray(colours.clip(0, 255).astype(np.uint8)).save(stream, "PNG")
    return Picture.of(stream.getvalue(), f"{name}.png")
