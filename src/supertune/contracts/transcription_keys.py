"""Recipe keys of methods that tune what writes down speech; it has a training loop of its own."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from supertune.contracts.method import Options

# Measured in passes of a recording through the encoder, in its shortest window (docs/log.md).
DECODED = 0.53  # a step over it, of which the encoder has no part
PROVED, TRIED = 4.6, 24  # written down in whole and in short windows; so many at most
WATCHED, CHECKED = 2.0, 8  # written down twice when the fit is done; so many at most
ENCODED = 0.8  # that is not counted elsewhere


class TranscriptionOptions(Options):
    """Recipe keys of every method trained by the likelihood of transcripts."""

    ranges: ClassVar[dict[str, float]] = {"learning_rate": 5.0, "epochs": 2.0}
    judged: ClassVar[float] = 7.0  # passes that a row to judge by takes: tuned, and untuned whole
    epochs: int = Field(5, ge=1, le=1000)
    learning_rate: float = Field(1e-3, gt=0, le=1)
    batch_size: int = Field(8, ge=1, le=1024, description="recordings a step")
    weight_decay: float = Field(0.01, ge=0)
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    interpolation: float = Field(
        1.0,
        gt=0,
        le=1,
        description="how far to go from the start to the tuned numbers; less keeps more of what "
        "the untuned model can, such as other languages (WiSE-FT, arXiv:2109.01903)",
    )
    window: Literal["auto", "whole"] | Annotated[float, Field(ge=1, le=30)] = Field(
        "auto",
        description="seconds that the encoder reads of a recording: 10, 20 or all that it can, as "
        "few as hold the recording, where the untuned model writes down as well so, which is tried "
        "out; the whole window; or so many at least",
    )

    def passes(self, rows: int, tuned: float) -> float:
        """What a fit takes, in passes of each row through the encoder."""
        proved = PROVED * min(TRIED, rows) if self.window == "auto" else 0.0
        once = proved + WATCHED * min(CHECKED, rows)
        return ENCODED + once / max(1, rows) + self.epochs * DECODED * tuned
