"""What can come of a fine-tuning job instead of a model, in words."""

from __future__ import annotations

from supertune.backbones.openai_api.client import Unanswered
from supertune.backbones.openai_api.job_states import JobState
from supertune.errors import EnvironmentFault, InputError, SupertuneError


def refused(error: Unanswered, model: str, where: str) -> InputError:
    """No job was created."""
    return InputError(
        "job_refused",
        f"{where} does not create a fine-tuning job of {model}.",
        received=error.what,
        allowed="a model that the server can tune, with settings that it takes",
        next="Correct --backbone openai:MODEL (providers list what can be tuned), or the --set "
        "that the server names. The uploaded rows were deleted there.",
    )


def other_epochs(said: int | None, wanted: int, state: JobState, where: str) -> EnvironmentFault:
    """A server that does something else than it was asked, at another cost."""
    return EnvironmentFault(
        "job_differs",
        f"{where} took no notice of how many epochs were asked for; the job was cancelled.",
        received=f"job {state.job} of {'an unknown number of' if said is None else said} epochs",
        allowed=f"{wanted} epochs, by which its cost was known",
        next="Look at the server"
        + (", or leave --max-cost out, since it does not say." if said is None else "."),
    )


def stopped(state: JobState, said: str, where: str) -> SupertuneError:
    """A job that ended without a model."""
    again = "The same command begins a new job, which is paid for again."
    if state.status == "cancelled":
        return InputError(
            "job_cancelled",
            f"The fine-tuning job was cancelled at {where}.",
            received=f"job {state.job}: {said}",
            next=again,
        )
    if "file" in said.lower():
        return InputError(
            "training_file_refused",
            f"{where} cannot learn from the rows.",
            received=f"job {state.job}: {said}",
            allowed="what the provider says of files for fine-tuning",
            next=f"Correct the rows that it names. {again}",
        )
    return EnvironmentFault(
        "job_failed",
        f"The fine-tuning job failed at {where}.",
        received=f"job {state.job}, {state.status}: {said}",
        next=f"Look at the job at the provider. {again}",
    )


def gone(error: Unanswered, state: JobState, where: str) -> InputError:
    """A job that an earlier run began, and that the server does not know."""
    return InputError(
        "job_missing",
        f"{where} does not know the job that an earlier run began.",
        received=f"job {state.job}: {error.what}",
        next=f"`supertune jobs forget {state.job}`; then the same command begins a new one.",
    )


def broken(error: Unanswered, state: JobState, where: str) -> SupertuneError:
    """A server that cannot be asked; what was begun is written down."""
    begun = "The same command goes on from there, and nothing is paid for twice."
    if error.status in (401, 403):
        return InputError(
            "key_refused",
            f"{where} refuses the key for fine-tuning jobs.",
            received=error.what,
            allowed="a key that may use files and fine-tuning of this server",
            next=f"Set OPENAI_API_KEY to a valid key. {begun}",
        )
    if error.status == 429 and not error.again:
        return InputError(
            "quota_used_up",
            f"The quota at {where} is used up.",
            received=error.what,
            next=f"Raise it at the provider. {begun}",
        )
    wait = f"; it asks to wait {error.wait:.0f} s" if error.wait else ""
    return EnvironmentFault(
        "server_failed",
        f"{where} does not answer as it should about a fine-tuning job.",
        received=error.what + wait + (f"; job {state.job}" if state.job else ""),
        next=f"Try again later. {begun}",
    )
