"""Emoji with their names and families, and which of them ``emoji-diffusion`` has never seen.

The data set ``emoji`` of the catalogue has the same pictures by category; names are in its
package alone.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from supertune.catalogue.archives import members
from supertune.catalogue.data_sets import dataset
from supertune.catalogue.packages import archive
from supertune.catalogue.placing import Progress
from supertune.contracts import Picture

_LIST, _PICTURES = "package/emoji.json", "package/img/google/64/"

# Kept out of the pre-training: two of the ten categories, and families that are at least a tenth
# of every other one.
HELD_OUT: dict[str, frozenset[str] | None] = {
    "Flags": None,
    "Food & Drink": None,
    "Activities": frozenset({"award-medal", "arts & crafts"}),
    "Animals & Nature": frozenset({"animal-bird"}),
    "Objects": frozenset({"musical-instrument", "mail", "lock"}),
    "People & Body": frozenset({"person-gesture", "body-parts"}),
    "Smileys & Emotion": frozenset({"heart"}),
    "Symbols": frozenset({"zodiac", "keycap"}),
    "Travel & Places": frozenset({"time"}),
}


@dataclass(frozen=True)
class Emoji:
    """One symbol.

    Attributes:
        words: its name in lower case, e.g. ``"clock face one oclock"``.
        family: the kind of thing within its category, e.g. ``"animal bird"``.
    """

    picture: Picture
    words: str
    category: str
    subcategory: str

    @property
    def family(self) -> str:
        return re.sub(r"[^a-z]+", " ", self.subcategory)


def emoji(progress: Progress | None = None) -> list[Emoji]:
    """All that have a picture, in the order of their code points; fetched if need be."""
    package = archive(dataset("emoji").package, progress)
    held = dict(members(package, lambda name: name == _LIST or name.startswith(_PICTURES)))
    rows = []
    for one in sorted(json.loads(held[_LIST]), key=lambda one: str(one["unified"])):
        data = held.get(f"{_PICTURES}{one['image']}")
        if data is not None and one["has_img_google"]:
            words = re.sub(r"[^a-z0-9]+", " ", str(one["name"]).lower()).strip()
            picture = Picture.of(data, str(one["image"]))
            rows.append(Emoji(picture, words, str(one["category"]), str(one["subcategory"])))
    return rows


def held_out(one: Emoji) -> bool:
    """Whether the shipped model was pre-trained without it."""
    families = HELD_OUT.get(one.category, frozenset())
    return families is None or one.subcategory in families
