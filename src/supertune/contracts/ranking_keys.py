"""Recipe keys of gradient methods that tune what reads items; they have a loop of their own."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from supertune.contracts.method import Options


class RankingOptions(Options):
    """Recipe keys of every method trained by which items people took next."""

    ranges: ClassVar[dict[str, float]] = {"learning_rate": 5.0, "epochs": 2.0}
    # Of 1e-3 and 3e-4 the better on films that nobody had rated, one draw.
    epochs: int = Field(3, ge=1, le=1000, description="passes over the texts of known items")
    learning_rate: float = Field(3e-4, gt=0, le=1)
    batch_size: int = Field(128, ge=1, le=4096, description="texts a step; others as last read")
    weight_decay: float = Field(0.01, ge=0)
    people: int = Field(256, ge=1, le=8192, description="people a step")
    factors: int = Field(64, ge=1, le=1024, description="numbers of an item's and person's vector")
    least_steps: int = Field(300, ge=1, description="of the towers before, at least")
    towers_learning_rate: float = Field(
        5e-4, gt=0, le=1, description="of both towers, once the backbone is tuned with them"
    )

    def passes(self, rows: int, tuned: float) -> float:
        """What a fit takes, in passes of each text through the backbone."""
        return 1 + (self.epochs * 3 + 1) * tuned
