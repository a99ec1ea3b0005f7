"""A candidate and what became of it; the decision between several."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from supertune import registry
from supertune.choose.halving import Outlook
from supertune.config import Recipe
from supertune.contracts import GradientMethod
from supertune.evaluation.choice import Choice
from supertune.pipeline import Assessed, Candidate

Status = Literal["chosen", "compared", "stopped", "skipped"]


@dataclass
class Entry:
    """One candidate and what became of it.

    Attributes:
        predicted_seconds: of the comparison and the final fit.
        final_share: of these, the share of the final fit.
        memory_bytes: predicted peak of the process.
        own: of the predicted seconds, what no reading by an earlier candidate can save.
        unwise: why it is not worth trying, if so; `prior` says it.
        spared: predicted seconds that it saves since an earlier candidate reads the rows.
        place: of its backbone among those that are tried; -1 for none.
        gain: what it is expected to add to a linear head on its backbone, in points.
        seconds: spent on it so far.
        favoured: what it does that the rows cannot judge, if anything (`Leaning`).
        folds_done: of a candidate that is compared fold by fold.
        outlook: after the last fold, for one that was stopped because it could not win.
    """

    candidate: Candidate
    predicted_seconds: float
    memory_bytes: int
    disk_bytes: int = 0
    final_share: float = 0.0
    spared: float = 0.0
    own: float = 0.0
    unwise: str = ""
    gain: float = 0.0
    place: int = -1
    favoured: str = ""
    status: Status = "skipped"
    why: str = ""
    assessed: Assessed | None = None
    seconds: float = 0.0
    folds_done: int = 0
    folds: int = 0
    outlook: Outlook | None = None

    @property
    def trained(self) -> bool:
        """Trained by gradients, fold by fold."""
        return isinstance(registry.method(self.candidate.method), GradientMethod)

    @property
    def simplicity(self) -> tuple[int, int]:
        """From simple to elaborate: of equally good candidates the lowest wins."""
        return registry.method(self.candidate.method).simplicity, self.place

    @property
    def preference(self) -> tuple[bool, int, int]:
        """The same, behind those that serve what the rows cannot judge."""
        return not self.favoured, *self.simplicity

    @property
    def comparing_seconds(self) -> float:
        """Predicted for all folds, without the final fit."""
        return self.predicted_seconds * (1 - self.final_share)

    @property
    def predicted_so_far(self) -> float | None:
        """Predicted for the folds that were run, to stand beside ``seconds``; None before any."""
        if not self.seconds:
            return None
        share = self.folds_done / self.folds if self.folds else 1.0
        return self.comparing_seconds * share if share else None


@dataclass
class Decision:
    """The winner, everything that was compared, and the estimate corrected for comparing."""

    candidate: Candidate
    entries: list[Entry]
    choice: Choice | None
    recipe: Recipe
    notes: list[tuple[str, str]] = field(default_factory=list)

    @property
    def assessed(self) -> Assessed | None:
        """The winner's own out-of-fold answers."""
        return next((e.assessed for e in self.entries if e.candidate == self.candidate), None)

    @property
    def entry(self) -> Entry:
        """The winner's."""
        return next(e for e in self.entries if e.candidate == self.candidate)
