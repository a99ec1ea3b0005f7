"""Recipe keys of methods that tune what writes answers; it has a training loop of its own."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from supertune.contracts.completion import Structured

WRITTEN = 6.0  # what writing an answer takes, of a pass of its request through the backbone


class CompletionOptions(Structured):
    """Recipe keys of every method trained by the likelihood of answers."""

    ranges: ClassVar[dict[str, float]] = {"learning_rate": 5.0, "epochs": 2.0}
    instead: ClassVar[dict[str, Any]] = {}
    epochs: int = Field(5, ge=1, le=1000)
    learning_rate: float = Field(1e-3, gt=0, le=1)
    batch_size: int = Field(4, ge=1, le=1024, description="answers a step")
    weight_decay: float = Field(0.01, ge=0)

    def passes(self, rows: int, tuned: float) -> float:
        """What a fit takes, in passes of each row through the backbone."""
        return WRITTEN + self.epochs * tuned
