"""`supertune.generate` with photographs: each painted again, by a model of a style."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from supertune.contracts import Examples, Lens, Painting, Picture
from supertune.data.pictures import styles
from supertune.errors import InputError
from supertune.model import Model, load
from supertune.report import generated
from supertune.training import painting
from supertune.training.painting import LARGEST

SHOWN = 4
SIDE = 192  # pixels of a painted picture in a report


def paint(
    model: Model,
    photographs: Any,
    *,
    strength: float = 1.0,
    blend: Mapping[str, float] | None = None,
    size: int = LARGEST,
    place: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """As `supertune.generate` says; ``place`` may be written to.

    Raises:
        InputError: as `supertune.training.painting`; ``folder_needed``.
    """
    others = [(load(folder).tuned, weight) for folder, weight in (blend or {}).items()]
    by = painting.painter(model.tuned, strength, others)
    lens = model.workshop.lens(model.backbone)
    assert lens is not None
    given = painting.given(photographs)
    if place is not None and place.suffix and len(given) > 1:
        raise InputError(
            "folder_needed",
            "Several pictures are not written into one file.",
            received=f"{len(given)} pictures, {place}",
            allowed="a folder, which may be new",
            next=f"For example --output {place.with_suffix('')}",
        )
    written, scaled, arrays = _Written(place), [], []
    for picture, (wide, high), array in painting.painted(
        by, lens, given, size=size, progress=progress
    ):
        now = (array.shape[1], array.shape[0])
        if now != (wide, high):
            scaled.append({"picture": str(picture), "from": [wide, high], "to": list(now)})
        written.add(picture, array)
        if place is None or place.suffix:
            arrays.append(array)
    return {
        "pictures": arrays,
        "photographs": [str(one) for one in given],
        "scaled": scaled,
        "written": [str(one) for one in written.places],
    }


class _Written:
    """Files, one a picture, as they are painted."""

    def __init__(self, place: Path | None) -> None:
        self.place, self.places = place, list[Path]()

    def add(self, picture: Picture, array: Any) -> None:
        if self.place is None:
            return
        path = self.place
        if not path.suffix:
            path.mkdir(exist_ok=True)
            stem, taken = Path(str(picture)).stem, {one.name for one in self.places}
            names = (f"{stem}{f'-{i}' if i else ''}.png" for i in range(len(taken) + 1))
            path /= next(name for name in names if name not in taken)
        path.write_bytes(generated.png(array))
        self.places.append(path)


def section(tuned: Painting, examples: Examples, lens: Lens, *, shown: bool) -> dict[str, Any]:
    """``generated`` of a report: the style, and photographs before and after. Of a person's own
    pictures nothing unless ``shown``."""
    before = tuned.judged[:SHOWN] if shown or not tuned.own_photographs else ()
    style = [one for one in examples.inputs[:SHOWN] if isinstance(one, Picture)] if shown else []
    rows = {
        "pictures of the style": [styles.pixels(one, SIDE) for one in style],
        "photographs that tuning did not see": list(before),
        "in the nearest published style": [tuned.painted(one, lens, 0.0) for one in before],
        "in the style as learned": [tuned.painted(one, lens) for one in before],
    }
    return {"generated": generated.section(rows, largest=SIDE)}
