"""Recipe keys of methods that tune what translates; it has a training loop of its own."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from supertune.contracts.method import Options

DECODED = 1.0  # what a step over a pair takes, of a pass of its source through the encoder
WRITTEN = 4.0  # what translating a text takes


class TranslationOptions(Options):
    """Recipe keys of every method trained by the likelihood of translations."""

    ranges: ClassVar[dict[str, float]] = {"learning_rate": 5.0, "epochs": 2.0}
    # So small a decoder is tuned as a whole: two blocks from the top are all of Bergamot's.
    instead: ClassVar[dict[str, Any]] = {"count": 2}
    epochs: int = Field(8, ge=1, le=1000)
    learning_rate: float = Field(1e-3, gt=0, le=1)
    batch_size: int = Field(16, ge=1, le=1024, description="pairs a step")
    weight_decay: float = Field(0.01, ge=0)
    label_smoothing: float = Field(0.1, ge=0, lt=1)
    averaging: float = Field(
        0.5,
        ge=0,
        lt=1,
        description="the last share of the steps, over which the tuned numbers are averaged",
    )
    held_out: float = Field(
        0.0,
        ge=0,
        le=0.5,
        description="share of the pairs that are not learned from but tell when to stop; the "
        "mean over the best epoch is kept; 0: all epochs over all pairs",
    )
    patience: int = Field(
        2, ge=1, le=1000, description="epochs without a gain on these, after which it stops"
    )
    vocabulary: Literal["likely", "whole"] = Field(
        "likely",
        description="words that compete while tuning: those of the translations and the likeliest "
        "beside them, which takes a third of the time; or all",
    )
    interpolation: float = Field(
        0.5,
        gt=0,
        le=1,
        description="how far to go from the start to the tuned numbers; less keeps more of what "
        "the untuned model can (WiSE-FT, arXiv:2109.01903); the whole way cost sentences about "
        "films .5 to 4.4 chrF++",
    )

    def passes(self, rows: int, tuned: float) -> float:
        """What a fit takes, in passes of each row through the encoder."""
        return WRITTEN + self.epochs * DECODED * 3
