"""Which of a detector's own classes a label's name means."""

from __future__ import annotations

import re
from collections.abc import Sequence

# What other data sets call classes of COCO.
_OTHERWISE = {
    "aeroplane": "airplane",
    "plane": "airplane",
    "motorbike": "motorcycle",
    "sofa": "couch",
    "tvmonitor": "tv",
    "television": "tv",
    "monitor": "tv",
    "pottedplant": "potted plant",
    "houseplant": "potted plant",
    "diningtable": "dining table",
    "table": "dining table",
    "pedestrian": "person",
    "people": "person",
    "human": "person",
    "man": "person",
    "woman": "person",
    "cellphone": "cell phone",
    "mobile phone": "cell phone",
    "phone": "cell phone",
    "doughnut": "donut",
    "bike": "bicycle",
    "ball": "sports ball",
    "glove": "baseball glove",
    "bag": "handbag",
    "traffic signal": "traffic light",
    "fridge": "refrigerator",
    "teddy": "teddy bear",
}


def same_class(label: str, known: Sequence[str]) -> int | None:
    """The number of the class that ``label`` names, in the singular or plural; None if none."""
    places = {_plain(name): place for place, name in enumerate(known)}
    word = _plain(label)
    tries = [word, word.removesuffix("s"), word.removesuffix("es")]
    tries += [_OTHERWISE.get(one, "") for one in tries]
    return next((places[one] for one in tries if one in places), None)


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", " ", name.casefold()).strip()
