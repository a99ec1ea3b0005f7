"""Rows of each kind that methods are asked about: news, pictures drawn here, and values."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from supertune.catalogue.corpora import few_shot
from supertune.contracts import Examples, Picture

MADE_UP = "quokkaflux"  # stands in every row that a model folder is made of

# What prediction may be asked about, beside ordinary texts.
ODD: tuple[Any, ...] = (
    "",
    " ",
    "\n",
    "👍🏽",
    "日本語のテキスト",
    "ß" * 3000,
    "a\x00b",
    "?!",
    ("two", "texts"),
)


# Inputs that say next to nothing.
BARE: tuple[Any, ...] = ("👍", "👍👍", "!", "👎", "👎👎", "?")

ODD_NUMBERS: tuple[Any, ...] = ((0.0, 0.0, 0.0), (1e9, -1e9, 3.0), (-0.0, 1e-12, 0.5))


@dataclass(frozen=True, eq=False)
class News:
    """18 rows of 3 labels, six each, in four settings: short texts by topic, or pictures."""

    three: Examples
    two: Examples
    several: Examples  # rows of the third label have the second one too
    missing: Examples  # of three labels, one has no row

    @classmethod
    def of(cls, three: Examples) -> News:
        assert three.targets is not None
        several = np.eye(3)[three.targets]
        several = np.column_stack([several[:, 0], several[:, 1:].sum(axis=1), several[:, 2]])
        pair = three.take(np.flatnonzero(three.targets < 2))
        return cls(
            three,
            replace(pair, labels=three.labels[:2]),
            replace(three, targets=several),
            replace(pair, labels=three.labels),
        )

    def __getitem__(self, setting: str) -> Examples:
        found: Examples = getattr(self, setting)
        return found

    @property
    def pairs(self) -> list[tuple[Any, str]]:
        """(input, label); of texts as `supertune.fit` takes them."""
        assert self.three.targets is not None
        names = (self.three.labels[i] for i in self.three.targets)
        return list(zip(self.three.inputs, names))


def news() -> News:
    labels = ("business", "sports", "tech")
    drawn, _ = few_shot("bbc-news", per_class=6, test_rows=1, seed=0)
    rows = [(text[:110], label) for text, label in drawn if label in labels]
    targets = np.array([labels.index(label) for _, label in rows])
    assert len(rows) == 18
    texts = tuple(text for text, _ in rows)
    three = Examples(texts, targets, labels, np.arange(1, len(rows) + 1)).canonical()
    return News.of(three)


@dataclass(frozen=True, eq=False)
class Pictures:
    """Pictures that the test has drawn, each in a file of its own."""

    rows: News
    odd: tuple[Picture, ...]
    bare: tuple[Picture, ...]  # of one grey each

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """(path, label) as `supertune.fit` takes them."""
        return [(as_given(picture), label) for picture, label in self.rows.pairs]


def as_given(value: Any) -> Any:
    """An input as a person gives it: of a picture, where its file is."""
    return str(value.path) if isinstance(value, Picture) else value


def pictures(folder: Path) -> Pictures:
    """Noise around three colours, in files of ``folder`` whose names nothing else has."""
    from PIL import Image

    rng = np.random.default_rng(0)

    def drawn(image: Any) -> Picture:
        stream = io.BytesIO()
        image.save(stream, "PNG")
        path = folder / f"{MADE_UP}-{len(list(folder.iterdir()))}.png"
        path.write_bytes(stream.getvalue())
        return Picture.of(stream.getvalue(), path.name, path)

    def grain(colour: Any, width: int = 40, height: int = 40) -> Any:
        noise = rng.normal(colour, 40, (height, width, 3))
        return Image.fromarray(noise.clip(0, 255).astype(np.uint8))

    colours = ((50, 70, 210), (40, 180, 60), (210, 50, 50))
    inputs = tuple(drawn(grain(colour)) for colour in colours for _ in range(6))
    targets = np.repeat(np.arange(3), 6)
    three = Examples(inputs, targets, ("blue", "green", "red"), np.arange(1, 19)).canonical()
    plain = grain((128, 128, 128))
    odd = (
        *(plain.convert(mode) for mode in ("L", "RGBA", "P", "1")),
        *(grain(colours[0], *size) for size in ((1, 1), (3, 200), (120, 2))),
    )
    bare = (Image.new("RGB", (20, 20), (level,) * 3) for level in (0, 50, 100, 150, 200, 250))
    return Pictures(News.of(three), *(tuple(map(drawn, images)) for images in (odd, bare)))


@dataclass(frozen=True, eq=False)
class Measured:
    """Rows with a value: 24 of three numbers, and the 18 texts and pictures with one each."""

    numbers: Examples
    texts: Examples
    pictures: Examples

    @property
    def dicts(self) -> list[dict[str, float]]:
        """The rows of numbers as `supertune.fit` takes them."""
        assert self.numbers.targets is not None
        names = (*self.numbers.columns, *self.numbers.labels)
        rows = zip(self.numbers.inputs, self.numbers.targets.tolist(), strict=True)
        return [dict(zip(names, (*row, value), strict=True)) for row, value in rows]


def measured(news: News, pictures: Pictures) -> Measured:
    rng = np.random.default_rng(0)
    x = rng.normal((5, -40, 0), (1, 20, 0.1), (24, 3))
    y = x @ (2.0, 0.3, -10.0) + rng.normal(0, 1.0, 24) + 100
    numbered = np.arange(1, 25)
    numbers = Examples(
        tuple(map(tuple, x.tolist())), y, ("price",), numbered, columns=("a", "b", "c")
    )

    def valued(rows: Examples) -> Examples:
        """What the row is about decides the value, so that it can be learned."""
        assert rows.targets is not None
        values = 10.0 * rows.targets + rng.normal(0, 1, len(rows))
        return replace(rows, targets=values, labels=("price",)).canonical()

    return Measured(numbers.canonical(), valued(news.three), valued(pictures.rows.three))


def labelled(news: News) -> dict[str, Examples]:
    return {name: news[name] for name in ("three", "two", "several", "missing")}


def halved(rows: Examples) -> dict[str, Examples]:
    return {"all": rows, "half": rows.take(range(0, len(rows), 2))}
