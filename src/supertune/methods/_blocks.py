"""Which blocks of a backbone a method touches: an option that many methods share."""

from __future__ import annotations

from typing import Literal

from supertune.contracts import Offer
from supertune.errors import InputError

BlockChoice = Literal["upper", "all", "decoder"] | tuple[int, ...]
WHICH = "which blocks; 'upper' is the upper half, training starts there; 'decoder' is all of it"


def chosen_blocks(offer: Offer, choice: BlockChoice) -> tuple[int, ...]:
    """Numbers of the blocks, lowest first. Those of a decoder follow those of its encoder.

    Raises:
        InputError: ``decoder_missing``.
    """
    if choice == "decoder":
        if not offer.decoder_depth:
            raise InputError(
                "decoder_missing",
                f"{offer.architecture} has no decoder on top of an encoder.",
                received="blocks decoder",
                allowed="upper, all, or numbers",
                next="Leave blocks out, or choose a sequence-to-sequence backbone.",
            )
        return tuple(range(offer.depth, offer.depth + offer.decoder_depth))
    if choice == "all":
        return tuple(range(offer.depth))
    if choice == "upper":
        return tuple(range(offer.depth // 2, offer.depth))
    return tuple(sorted(set(choice)))
