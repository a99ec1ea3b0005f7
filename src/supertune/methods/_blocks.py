"""Which blocks of a backbone a method touches: an option that many methods share."""

from __future__ import annotations

from typing import Literal

from supertune.contracts import Offer

BlockChoice = Literal["upper", "all"] | tuple[int, ...]
WHICH = "which blocks; 'upper' is the upper half, training starts there"


def chosen_blocks(offer: Offer, choice: BlockChoice) -> tuple[int, ...]:
    """Numbers of the blocks, lowest first."""
    if choice == "all":
        return tuple(range(offer.depth))
    if choice == "upper":
        return tuple(range(offer.depth // 2, offer.depth))
    return tuple(sorted(set(choice)))
