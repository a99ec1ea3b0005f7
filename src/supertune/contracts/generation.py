"""Text that a backbone writes, and how likely it finds text that is given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol, runtime_checkable

from pydantic import Field

from supertune.contracts.data import FloatArray
from supertune.contracts.method import Options


class Decoding(Options):
    """How text is written, token after token.

    What follows a text depends on that text, these settings and the weights: not on the other
    texts beside it, but for rounding.
    """

    max_new_tokens: int = Field(64, ge=1, le=8192, description="tokens written at most")
    temperature: float = Field(
        0.0, ge=0, le=10, description="0 takes the likeliest token each time; 1 draws as learned"
    )
    top_p: float = Field(
        1.0,
        gt=0,
        le=1,
        description="draw from the fewest likeliest tokens that have this share between them "
        "(nucleus sampling, arXiv:1904.09751)",
    )
    seed: int = Field(0, ge=0, description="another seed draws another text")
    stop: tuple[str, ...] = Field((), description="writing ends before any of these")
    chat: bool = Field(False, description="put the backbone's own chat template around each text")


@runtime_checkable
class Generating(Protocol):
    """What a backbone with ``generate`` and ``sequence_loss`` among its capabilities also owes."""

    def generate(self, texts: Sequence[str], decoding: Decoding, *, room: int = 0) -> list[str]:
        """(n,) what follows each text, without it, ended by the model or by ``decoding``.

        Args:
            room: positions that are taken up by what is tuned.

        Raises:
            InputError: ``text_too_long``, ``no_chat_template``.
        """
        ...

    def sequence_loss(
        self,
        prompts: Sequence[str],
        continuations: Sequence[str],
        *,
        rule: Literal["sum", "mean"] = "sum",
        chat: bool = False,
        room: int = 0,
    ) -> FloatArray:
        """(n,) negative log-likelihood in nats of each continuation behind its prompt, of all its
        tokens or per token. Blanks at a prompt's end belong to the continuation.

        Raises:
            InputError: ``text_too_long``, ``no_chat_template``, ``continuation_empty``,
                ``unpaired``.
        """
        ...
