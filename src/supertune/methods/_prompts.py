"""Where prompts start: options that the methods with trainable prompts share."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from supertune.contracts import GradientOptions


class PromptOptions(GradientOptions):
    """How many vectors, and what they are at first.

    ``init="labels"`` leaves ``init_text`` to the training loop, which knows the labels' words.
    """

    tokens: int = Field(8, ge=1, le=256, description="trainable vectors in front of the text")
    init: Literal["labels", "text", "vocabulary", "random"] = Field(
        "labels", description="start at the labels' words, at init_text, at any words, at noise"
    )
    init_text: str | None = Field(None, description="the words to start at, for init=text")

    @model_validator(mode="after")
    def _has_text(self) -> Self:
        if (self.init == "text") != (self.init_text is not None):
            raise ValueError("init_text goes with init=text, and init=text with init_text")
        return self

    def start(self) -> dict[str, Any]:
        """Settings of an injection."""
        return {"init": self.init, "init_text": self.init_text}
