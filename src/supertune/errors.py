"""Every failure a person can meet: what was received, what is allowed, what to do next.

The base class carries a stable ``code`` so that programs can tell failures apart, and an
``exit_code`` that the command line returns (2: the person can fix it, 1: anything else).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class SupertuneError(Exception):
    """Base of all errors raised on purpose.

    Args:
        code: stable snake_case identifier, e.g. ``"label_column_missing"``.
        message: one sentence naming the problem.
        received: what was given, with row and column where there is one.
        allowed: what would have been accepted.
        next: the command or step that helps.
    """

    exit_code = 1

    def __init__(
        self,
        code: str,
        message: str,
        *,
        received: str | None = None,
        allowed: str | None = None,
        next: str | None = None,
    ) -> None:
        super().__init__(code, message)  # both, so that it passes whole between processes
        self.code = code
        self.message = message
        self.received = received
        self.allowed = allowed
        self.next = next

    def as_dict(self) -> dict[str, str | None]:
        """The JSON form printed by ``--json``."""
        return {
            "code": self.code,
            "message": self.message,
            "received": self.received,
            "allowed": self.allowed,
            "next": self.next,
        }

    def __str__(self) -> str:
        parts = [self.message]
        for title, text in (
            ("Received", self.received),
            ("Allowed", self.allowed),
            ("Next", self.next),
        ):
            if text:
                parts.append(f"{title}: {text}")
        return "\n".join(parts)


class InputError(SupertuneError, ValueError):
    """Something the person gave (a file, an option, a folder) and can change. Exit code 2."""

    exit_code = 2


class EnvironmentFault(SupertuneError):
    """The machine refused: no space, no permission, no network. Exit code 2."""

    exit_code = 2


# Which command lists the names of a kind; the others are few and stand in the message.
_LISTS = {"task": "tasks", "method": "methods", "backbone": "backbones", "data set": "data"}


def unknown_name(kind: str, name: str, available: Iterable[str]) -> InputError:
    """``Unknown method 'lorra'. Did you mean 'lora'?`` with everything that exists."""
    names = sorted(available)
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"`supertune {_LISTS[kind]}` lists them." if kind in _LISTS else "Choose one of them."
    if near:
        hint = f"Did you mean '{near[0]}'?"
    return InputError(
        f"unknown_{kind.replace(' ', '_')}",
        f"Unknown {kind} '{name}'.",
        received=name,
        allowed=", ".join(names),
        next=hint,
    )
