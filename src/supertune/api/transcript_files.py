"""Files that transcripts are written to: where they go, and which are there already."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from supertune.artifact.swap import whole_text
from supertune.contracts import Recording, Written
from supertune.errors import InputError
from supertune.report import subtitles


@dataclass(frozen=True)
class Files:
    """A folder with a file a recording and kind.

    Attributes:
        folder: None writes nothing.
        kinds: of `subtitles.FORMATS`.
        overwrite: files that are there are replaced.
        skip: recordings whose files are all there are left out.
    """

    folder: Path | None
    kinds: frozenset[str]
    overwrite: bool
    skip: bool

    def due(self, one: Recording, number: int) -> bool:
        """Whether a recording is still to be written down; asked before it is listened to.

        Raises:
            InputError: ``output_exists``.
        """
        places = self.places(one, number)
        there = [place for place in places if place.exists()]
        if self.skip and there == places and places:
            return False
        if there and not (self.overwrite or self.skip):
            place = there[0]
            raise InputError(
                "output_exists",
                f"{place} is there already.",
                received=str(place),
                allowed="files that are not there yet",
                next="Add --skip to go on where an earlier run stopped, --overwrite to write all "
                "anew, or choose another folder.",
            )
        return True

    def save(self, one: Recording, said: Written, number: int) -> list[str]:
        """The files written, each whole or not at all."""
        places = self.places(one, number)
        for place in places:
            place.parent.mkdir(parents=True, exist_ok=True)
            whole_text(place, subtitles.FORMATS[place.suffix[1:]](said))
        return list(map(str, places))

    def places(self, one: Recording, number: int) -> list[Path]:
        """``number`` names, from 1, a recording that has no name."""
        if self.folder is None:
            return []
        name = Path(one.name.replace("\\", "/")).stem or f"recording-{number}"
        if one.start is not None or one.end is not None:
            name = f"{name}-{math.floor(1000 * (one.start or 0))}"
        return [self.folder / f"{name}.{kind}" for kind in sorted(self.kinds)]
