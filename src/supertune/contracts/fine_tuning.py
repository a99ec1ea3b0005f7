"""Tuning that a server does: what a job is asked, and what it gives.

A backbone that offers ``"fine_tuning"`` has it done elsewhere, for money, and answers with the
name of a model that is tuned; under an `Encoding` with that ``checkpoint`` it answers as that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, cast

from supertune.contracts.backbone import Backbone, Encoding, Prompt
from supertune.contracts.data import Finding, Input

Told = Callable[[str, int, int | None], None]  # stage, done, total or None


@dataclass(frozen=True, eq=False)
class JobAsked:
    """Rows to learn from, and how.

    Attributes:
        prompt: what rows are shown in; the same as a tuned model is asked by.
        inputs, answers: n of each; what is to be answered, in words.
        rows: (n,) numbers of the rows in their source, ``fields`` the columns they were read from;
            for errors.
        held: places of rows that the server does not learn from, but says a loss of.
        epochs: how often each row is seen; None takes it from the number of rows.
        batch_size, learning_rate_multiplier: None leaves them to the server.
        suffix: part of the tuned model's name.
        keep_file: leave the uploaded rows at the server.
    """

    prompt: Prompt
    inputs: tuple[Input, ...]
    answers: tuple[str, ...]
    rows: tuple[int, ...]
    fields: tuple[str, ...] = ()
    held: tuple[int, ...] = ()
    epochs: int | None = None
    batch_size: int | None = None
    learning_rate_multiplier: float | None = None
    seed: int = 0
    suffix: str = ""
    keep_file: bool = False


@dataclass(frozen=True, eq=False)
class JobDone:
    """Attributes:
    checkpoint: the name of the tuned model at the server.
    job: its id there.
    tokens: that were trained on, all epochs together; ``counted`` by the server, or estimated.
    losses: (step, loss) as the server told them; may be empty.
    """

    checkpoint: str
    job: str
    epochs: int
    tokens: int
    counted: bool = True
    losses: tuple[tuple[float, float], ...] = ()
    findings: tuple[Finding, ...] = ()


class FineTuning(Protocol):
    """A backbone that offers ``"fine_tuning"``."""

    def fine_tune(self, asked: JobAsked, encoding: Encoding, told: Told | None) -> JobDone:
        """Have it done, and wait for it. What was begun by an earlier process is followed and not
        begun again.

        Raises:
            InputError: rows that cannot be learned from (``rows_not_trainable``), no consent, a
                limit that might be passed.
            EnvironmentFault: the server failed, or the job did.
        """
        ...


def fine_tuning_of(backbone: Backbone) -> FineTuning:
    """The backbone as what has jobs; it must offer ``"fine_tuning"``."""
    assert "fine_tuning" in backbone.offer.capabilities
    return cast(FineTuning, backbone)
