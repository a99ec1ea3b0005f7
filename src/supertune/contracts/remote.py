"""What it takes to send rows to a server: consent, limits, and an account of what was sent.

One account is kept for a whole fit (`shared`), whatever opens the backbone in the course of it, so
that a limit holds for all of it. A *dry* account is for those who want to know beforehand: nothing
is sent, everything that would be is counted.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from supertune.contracts.data import Input, content_key
from supertune.errors import InputError

CONSENT = "SUPERTUNE_ALLOW_REMOTE"
# Keys of a recipe that are said anew each time: no model folder brings consent or limits.
ANEW = ("allow_remote", "max_cost", "max_requests", "prices")
Api = Literal["chat", "responses"]


def anew(options: Mapping[str, Any]) -> dict[str, Any]:
    """Those of ``options`` that are said anew each time."""
    said = {key: options.get(key) for key in ANEW}
    return {key: one for key, one in said.items() if one is not None and one is not False}


class Kept(Protocol):
    """Where answers of a server are kept, so that none is paid for twice."""

    def get(self, keys: Sequence[str]) -> dict[str, npt.NDArray[np.generic]]: ...
    def put(self, arrays: Mapping[str, npt.NDArray[np.generic]]) -> None: ...


@dataclass(eq=False)
class Sent:
    """What one model at one server was sent, by one account.

    Attributes:
        how: in which way it answered, in words.
        fresh, known: keys of inputs that were sent now, and of those whose answers were kept from
            an earlier time.
        tokens: read and written, as the server counted them; ``estimated`` of them by us, where
            it did not count.
        cost: in the price table's currency; None where the price is not known.
        priced: when the price was seen, where it is no table of the person's.
    """

    how: str = ""
    fresh: set[str] = field(default_factory=set)
    known: set[str] = field(default_factory=set)
    requests: int = 0
    tokens: list[int] = field(default_factory=lambda: [0, 0])
    estimated: int = 0
    cost: float | None = 0.0
    priced: str = ""


@dataclass(eq=False)
class Account:
    """Requests and costs so far, by (model, server); any thread may use it."""

    dry: bool = False
    sent: dict[tuple[str, str], Sent] = field(default_factory=dict)
    _held: float = 0.0  # cost at most of what is under way
    _lock: threading.Condition = field(default_factory=threading.Condition, repr=False)

    def of(self, model: str, server: str) -> Sent:
        with self._lock:
            return self.sent.setdefault((model, server), Sent())

    @property
    def requests(self) -> int:
        return sum(one.requests for one in self.sent.values())

    @property
    def cost(self) -> float:
        return sum(one.cost or 0.0 for one in self.sent.values())

    def begin(self, one: Sent, most: float | None, terms: Terms) -> None:
        """Before every request: it is counted, and its cost, ``most`` at most, put aside. Waits
        while what others have put aside may yet leave enough.

        Raises:
            InputError: ``max_requests_reached`` or ``max_cost_reached``; nothing was sent then.
        """
        with self._lock:
            while self._held > 1e-12 and self._over(most, terms):
                self._lock.wait()
            if not self.dry:
                self._check(most, terms)
            one.requests += 1
            self._held += most or 0.0

    def _over(self, most: float | None, terms: Terms) -> bool:
        if terms.max_cost is None:
            return False
        return self.cost + self._held + (most or 0.0) > terms.max_cost

    def _check(self, most: float | None, terms: Terms) -> None:
        if terms.max_requests is not None and self.requests >= terms.max_requests:
            raise InputError(
                "max_requests_reached",
                "The limit of requests is reached; what was answered so far is kept.",
                received=f"{self.requests} requests sent",
                allowed=f"at most {terms.max_requests}",
                next="Raise --max-requests and run the same command again: answers that are "
                "kept cost nothing. `supertune plan` says how many are needed.",
            )
        if self._over(most, terms):
            raise InputError(
                "max_cost_reached",
                "The next request might cost more than the limit; what was answered is kept.",
                received=f"{self.cost:.6f} spent, the next at most {most or 0.0:.6f}",
                allowed=f"at most {terms.max_cost:.6f}",
                next="Raise --max-cost and run the same command again: answers that are kept "
                "cost nothing. `supertune plan` says what is needed.",
            )

    def end(
        self,
        one: Sent,
        most: float | None,
        tokens: Sequence[int],
        cost: float | None,
        *,
        estimated: bool = False,
    ) -> None:
        """After a request: what it really took. Where nobody can know, as when a connection broke
        off, ``tokens`` and ``cost`` are those that may have been charged."""
        with self._lock:
            self._held -= most or 0.0
            one.tokens = [had + more for had, more in zip(one.tokens, tokens, strict=True)]
            one.estimated += sum(tokens) if estimated else 0
            one.cost = None if cost is None or one.cost is None else one.cost + cost
            self._lock.notify_all()

    def note(self, one: Sent, sources: Sequence[str], *, fresh: bool) -> None:
        """Inputs by their keys (`source_of`) that went out now or earlier."""
        with self._lock:
            (one.fresh if fresh else one.known).update(sources)

    def section(self, inputs: Sequence[Input]) -> list[dict[str, Any]]:
        """What the report says: of each model and server how many of ``inputs``, and which by
        their places, and how many other texts."""
        listed = []
        keys = [source_of(one) for one in inputs]
        for (model, server), one in self.sent.items():
            gone = one.fresh | one.known
            own = [place for place, key in enumerate(keys) if key in gone]
            listed.append(
                {
                    "model": model,
                    "server": server,
                    "how": one.how,
                    "rows": own,
                    "all_rows": len(own) == len(keys),
                    "other_texts": len(gone - set(keys)),
                    "sent_now": len(one.fresh),
                    "kept_from_before": len(one.known - one.fresh),
                    "requests": one.requests,
                    "tokens_read": one.tokens[0],
                    "tokens_written": one.tokens[1],
                    "tokens_estimated": one.estimated,
                    "cost": one.cost,
                    "priced": one.priced,
                }
            )
        return listed


def source_of(value: Input) -> str:
    """The key by which an account knows an input."""
    return content_key(value)


_account: ContextVar[Account | None] = ContextVar("account", default=None)


def account() -> Account:
    """The one that is shared here, or a new one."""
    return _account.get() or Account()


@contextmanager
def shared(dry: bool = False) -> Iterator[Account]:
    """Inside, whatever is opened counts on one account. One that is shared already goes on."""
    there = _account.get()
    if there is not None:
        yield there
        return
    token = _account.set(Account(dry=dry))
    try:
        yield account()
    finally:
        _account.reset(token)


def consented() -> bool:
    """Whether the environment says that rows may leave this machine."""
    return os.environ.get(CONSENT) == "1"


@dataclass(frozen=True, eq=False)
class Terms:
    """Under which conditions rows may be sent.

    Attributes:
        allowed: the person has said that rows may leave this machine.
        base_url: of the server; None for the engine's own.
        api: by which of its routes words are asked for; None for what it is found to do best.
        max_cost: in the price table's currency; ``max_requests`` counts retries too.
        prices: a file of prices by model; None for the engine's own table.
        timeout: seconds that one request may take as a whole.
        at_once: requests under way at a time.
        kept: where answers are kept; None keeps them in memory.
    """

    allowed: bool = field(default_factory=consented)
    base_url: str | None = None
    max_cost: float | None = None
    max_requests: int | None = None
    prices: str | None = None
    timeout: float = 60.0
    api: Api | None = None
    at_once: int = 8
    kept: Kept | None = None
    account: Account = field(default_factory=account)
