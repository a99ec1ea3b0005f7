"""Pictures with boxes that are composed: stamps pasted with their alpha onto photographs.

The alpha channel gives exact boxes. Stamps of the test pictures are none of those that are learned
from, and the photographs are cut, mirrored and lit otherwise each time. The same seed gives the
same pictures.
"""

from __future__ import annotations

import io
import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from supertune.catalogue.archives import members
from supertune.catalogue.data_sets import dataset
from supertune.catalogue.packages import archive
from supertune.catalogue.placing import Progress

if TYPE_CHECKING:
    from PIL import Image

# Folders of Tux Paint's stamps. Flowers and houses are left out: they are on the photographs
# themselves. Road signs have no alpha.
_FOLDERS = {
    "birds": "animals/birds/",
    "fish": "animals/fish/",
    "fruit": "food/fruit/",
    "insects": "animals/insects/",
    "vegetables": "food/vegetables/",
    "vehicles": "vehicles/",
}
CLASSES = tuple(_FOLDERS)
SIZE = (480, 360)
MOST = 4  # stamps on a picture
SIDES = (0.18, 0.5)  # the longer side of a stamp, in the picture's shorter one
COVERED = 0.2  # IoU of two stamps' boxes that is allowed
HELD = 0.5  # share of each class's stamps that only test pictures show
_TRIES = 40
_START = "usr/share/tuxpaint/stamps/"


def composed(
    folder: Path,
    *,
    train: int,
    test: int,
    seed: int,
    most: int = MOST,
    progress: Progress | None = None,
) -> tuple[Path, Path]:
    """Write ``train.json`` and ``test.json`` in COCO's format into ``folder``, with pictures.

    Args:
        most: stamps on a picture; there is one at least.

    Raises:
        EnvironmentFault: as `supertune.catalogue.packages.archive`.
    """
    rng = random.Random(f"stamps on photographs {seed}")
    learned, held = _split(_stamps(progress), rng)
    grounds = _photographs()
    folder.mkdir(parents=True, exist_ok=True)
    return (
        _write(folder, "train", train, learned, grounds, most, rng),
        _write(folder, "test", test, held, grounds, most, rng),
    )


Stamps = Mapping[str, Sequence["Image.Image"]]


def _stamps(progress: Progress | None) -> dict[str, list[Image.Image]]:
    """Pictures with alpha by class, each cut to what can be seen of it."""
    from PIL import Image

    found: dict[str, list[Image.Image]] = {name: [] for name in CLASSES}
    package = archive(dataset("tux-stamps").package, progress)
    held = dict(members(package, lambda name: name.startswith(_START) and name.endswith(".png")))
    for name, data in sorted(held.items()):
        for label, folder in _FOLDERS.items():
            if name.startswith(_START + folder):
                image = Image.open(io.BytesIO(data)).convert("RGBA")
                alpha = image.getchannel("A")
                box = alpha.point(lambda value: 255 if value > 64 else 0).getbbox()
                if box is not None and alpha.getextrema()[0] == 0:
                    found[label].append(image.crop(box))
    return found


def _split(stamps: Stamps, rng: random.Random) -> tuple[Stamps, Stamps]:
    learned, held = {}, {}
    for name, images in stamps.items():
        order = list(images)
        rng.shuffle(order)
        count = round(HELD * len(order))
        held[name], learned[name] = order[:count], order[count:]
    return learned, held


def _photographs() -> list[Image.Image]:
    """The two photographs that come with scikit-learn (CC BY)."""
    from PIL import Image
    from sklearn.datasets import load_sample_image

    return [Image.fromarray(load_sample_image(name)) for name in ("china.jpg", "flower.jpg")]


def _write(
    folder: Path,
    split: str,
    count: int,
    stamps: Stamps,
    grounds: Sequence[Image.Image],
    most: int,
    rng: random.Random,
) -> Path:
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    (folder / split).mkdir(exist_ok=True)
    for number in range(count):
        picture = _ground(grounds, rng)
        name = f"{split}/{number:04}.jpg"
        images.append({"id": number, "file_name": name, "width": SIZE[0], "height": SIZE[1]})
        for label, box in _pasted(picture, stamps, most, rng):
            x0, y0, x1, y1 = box
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": CLASSES.index(label) + 1,
                    "bbox": [x0, y0, x1 - x0, y1 - y0],
                }
            )
        picture.convert("RGB").save(folder / name, "JPEG", quality=90)
    names = [{"id": place, "name": name} for place, name in enumerate(CLASSES, 1)]
    content = {"images": images, "categories": names, "annotations": annotations}
    path = folder / f"{split}.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def _ground(grounds: Sequence[Image.Image], rng: random.Random) -> Image.Image:
    """Some part of a photograph, mirrored or not, lighter or darker."""
    from PIL import Image, ImageEnhance

    chosen = rng.choice(grounds)
    share = rng.uniform(0.5, 0.9)
    wide = int(share * min(chosen.width, chosen.height * SIZE[0] / SIZE[1]))
    high = wide * SIZE[1] // SIZE[0]
    x, y = rng.randint(0, chosen.width - wide), rng.randint(0, chosen.height - high)
    part = chosen.crop((x, y, x + wide, y + high)).resize(SIZE, Image.Resampling.BICUBIC)
    if rng.random() < 0.5:
        part = part.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return ImageEnhance.Brightness(part).enhance(rng.uniform(0.7, 1.3))


def _pasted(
    picture: Image.Image, stamps: Stamps, most: int, rng: random.Random
) -> list[tuple[str, tuple[int, int, int, int]]]:
    from PIL import Image

    found: list[tuple[str, tuple[int, int, int, int]]] = []
    wanted = rng.randint(1, most)
    for _ in range(_TRIES):
        if len(found) == wanted:
            break
        label = rng.choice(CLASSES)
        stamp = rng.choice(stamps[label])
        scale = rng.uniform(*SIDES) * min(SIZE) / max(stamp.size)
        size = max(8, round(stamp.width * scale)), max(8, round(stamp.height * scale))
        x, y = rng.randint(0, SIZE[0] - size[0]), rng.randint(0, SIZE[1] - size[1])
        box = x, y, x + size[0], y + size[1]
        if any(_shared(box, other) > COVERED for _, other in found):
            continue
        scaled = stamp.resize(size, Image.Resampling.LANCZOS)
        if rng.random() < 0.5:
            scaled = scaled.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        picture.paste(scaled, (x, y), scaled)
        found.append((label, box))
    return found


def _shared(one: tuple[int, ...], other: tuple[int, ...]) -> float:
    """The share of the smaller box that lies in the other."""
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    if wide <= 0 or high <= 0:
        return 0.0
    sizes = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return wide * high / min(sizes)
