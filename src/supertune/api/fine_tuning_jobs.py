"""Fine-tuning jobs that fits on this machine have begun at servers: listed, looked at, ended.

What is known here is in the cache (`supertune.backbones.openai_api.job_states`), so that a fit
that was interrupted finds its job again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from supertune.errors import InputError

if TYPE_CHECKING:
    from supertune.backbones.openai_api.job_states import JobState
    from supertune.backbones.openai_api.jobs import Jobs

SHOWN = 10  # events


def jobs() -> list[dict[str, Any]]:
    """Those that are known here, the latest first: ``job``, ``status`` when last seen, ``model``,
    ``server``, ``checkpoint`` (the tuned model), ``rows``, ``epochs``, ``tokens``, ``files`` that
    are still there, ``begun``. No server is asked."""
    from supertune.backbones.openai_api.job_states import all_known

    return [_told(one) for one in all_known()]


def job(name: str) -> dict[str, Any]:
    """One as it is at its server now: as `jobs`, with its latest ``events``.

    Raises:
        InputError: ``unknown_job``, ``key_refused``, ``job_missing``.
        EnvironmentFault: ``server_failed``.
    """
    state, at = _found(name)
    with _in_words(state):
        found = at.job(state.job)
        state = state.written(status=str(found["status"]))
        events = at.events(state.job, set())
    said = [at.client.scrubbed(one.get("message", "")) for one in events[-SHOWN:]]
    return {**_told(state), "trained_tokens": found.get("trained_tokens"), "events": said}


def cancel_job(name: str) -> dict[str, Any]:
    """End a job that is under way; it is paid for as far as it came, and its uploaded rows are
    deleted. Raises as `job`, and InputError ``job_ended``."""
    from supertune.backbones.openai_api.jobs import ENDED

    state, at = _found(name)
    with _in_words(state):
        status = str(at.job(state.job)["status"])
        if status in ENDED:
            raise InputError(
                "job_ended",
                f"The job {name} has ended already.",
                received=status,
                allowed="a job that is queued or running",
                next=f"`supertune jobs forget {name}` deletes what is left of it.",
            )
        found = at.cancel(state.job)
        for file in state.files.values():
            at.delete(file)
        state = state.written(status=str(found.get("status", "cancelled")), files={})
    told = _told(state)
    if state.status == "cancelled":
        state.gone()  # the same fit would begin a new one
    return told


def forget_job(name: str) -> dict[str, Any]:
    """Delete its uploaded rows at the server, and what is known of it here; the same fit then
    begins a new one. The tuned model stays. Raises as `job`."""
    state, at = _found(name)
    with _in_words(state):
        for file in state.files.values():
            at.delete(file)
    state.gone()
    return _told(state)


def _told(state: JobState) -> dict[str, Any]:
    return {**asdict(state), "files": list(state.files.values())}


def _found(name: str) -> tuple[JobState, Jobs]:
    from supertune.backbones.openai_api.client import Client
    from supertune.backbones.openai_api.job_states import all_known
    from supertune.backbones.openai_api.jobs import Jobs
    from supertune.config import Recipe

    known = {one.job: one for one in reversed(all_known()) if one.job}
    if name not in known:
        raise InputError(
            "unknown_job",
            "No fit on this machine has begun such a job.",
            received=name,
            allowed=", ".join(list(known)[:10]) or "none is known",
            next="`supertune jobs` lists them; others are looked at where they were begun.",
        )
    state = known[name]
    return state, Jobs(Client(state.server, Recipe().request_timeout))


@contextmanager
def _in_words(state: JobState) -> Iterator[None]:
    """What a server says or fails to say becomes an error that a person can read."""
    from supertune.backbones.openai_api.client import Unanswered, host
    from supertune.backbones.openai_api.job_errors import broken, gone

    try:
        yield
    except Unanswered as error:
        said = gone if error.status == 404 else broken
        raise said(error, state, host(state.server)) from None
