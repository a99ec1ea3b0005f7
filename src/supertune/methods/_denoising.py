"""Options that methods of denoisers share, and words of captions."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import ClassVar

from pydantic import Field

from supertune.contracts import Options, Picture
from supertune.data.pictures.captions import PART

COST = 3.0  # of a step, in passes through the denoiser: forward, and back with its gradients
WORD = re.compile(r"<[^<>\s]+>|[^\W_][\w'-]*")
# Words that say nothing of what a picture shows, in no order.
SMALL = frozenset({"a", "an", "the", "of", "in", "on", "with", "and", "or", "at", "to"})
SMALL |= {"picture", "photo", "drawing", "icon", "emoji"}


class DenoisingOptions(Options):
    """Keys of every method that goes over few pictures in steps."""

    ranges: ClassVar[dict[str, float]] = {"learning_rate": 5.0, "steps": 2.0}
    steps: int = Field(200, ge=1, le=100_000)
    learning_rate: float = Field(1e-3, gt=0, le=10)
    batch_size: int = Field(8, ge=1, le=1024, description="noisy pictures a step")
    weight_decay: float = Field(0.01, ge=0)
    mirrored: bool = Field(
        False, description="learn from mirrored pictures too; not of clocks and letters"
    )

    def passes(self, rows: int) -> float:
        """Of each row through the denoiser."""
        return COST * self.steps * self.batch_size / max(1, rows)


def words(pictures: Sequence[Picture]) -> list[str]:
    """Words of the captions, as they are written, the commonest first."""
    counts = Counter(word for one in pictures for word in WORD.findall(one.caption))
    return sorted(counts, key=lambda word: (-counts[word], word))


def new_words(pictures: Sequence[Picture], known: Callable[[str], bool]) -> list[str]:
    """Those of them that the text encoder does not know as one token."""
    return [word for word in words(pictures) if not known(word)]


def meant(pictures: Sequence[Picture], new: str, known: Callable[[str], bool]) -> str | None:
    """The known word that the new one stands beside: the last that means something in the first
    caption with it."""
    for one in pictures:
        said = WORD.findall(one.caption)
        if new in said:
            told = [w for w in said if w != new and known(w) and w.casefold() not in SMALL]
            return told[-1] if told else None
    return None


def whole(name: str) -> str:
    """The name of the picture that one is a quarter of, or its own."""
    return name.rpartition(PART)[0] or name


def without(caption: str, new: Sequence[str]) -> str:
    """A caption without the new words: the class that the concept belongs to."""
    left = " ".join(word for word in caption.split() if word.strip(".,;:!?") not in new)
    return left or caption
