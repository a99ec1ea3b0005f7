"""Many requests to one server: several at a time, within limits, again where that may help.

Before each attempt the account is asked, so that no limit is passed; an answer is kept as soon as
it is there, so that whatever happens to the others it is not paid for again.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, TypeVar

from supertune import limits
from supertune.backbones.openai_api import keys
from supertune.backbones.openai_api.client import Client, Unanswered, host
from supertune.backbones.openai_api.counting import Price, price
from supertune.catalogue.measured import forget
from supertune.contracts.remote import Sent, Terms
from supertune.errors import EnvironmentFault, InputError, SupertuneError

T = TypeVar("T")

TRIES = 6
BROKEN = 3  # attempts at what comes back broken
PATIENCE = 120.0  # seconds that one request waits between its attempts, all together
FIRST, LONGEST = 0.5, 20.0  # seconds of waiting where the server asks for none


@dataclass(frozen=True)
class Request:
    """One request, and what it may take at most.

    Attributes:
        tokens: read and written, as estimated; ``most`` is an upper bound of both.
    """

    route: str
    body: Mapping[str, Any]
    tokens: tuple[int, int]
    most: tuple[int, int]

    @property
    def key(self) -> str:
        text = json.dumps([self.route, self.body], sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class Sender:
    """Requests to one model on one account."""

    def __init__(self, client: Client, model: str, terms: Terms, price: Price | None) -> None:
        if terms.max_cost is not None and price is None:
            raise InputError(
                "price_unknown",
                "A limit of costs needs a price, and that of this model is not known.",
                received=f"--max-cost {terms.max_cost:g} for {model}",
                allowed="a model of the price table, or a table of your own",
                next='Give --prices FILE with {"' + model + '": {"input": 0.1, "output": 0.4}}, '
                "a million tokens each.",
            )
        self.client, self.model, self.terms, self.price = client, model, terms, price
        self._resume = 0.0  # nobody asks before, once the server has asked to wait
        self._lock = threading.Lock()

    def of_tuned(self, name: str) -> Sender:
        """To what a job made of the model, at its own price."""
        own, base = price(name, self.terms.prices), self.price
        if own is None and base is not None and (base.tuned is not None or not base.seen):
            own = base.of_tuned
        return Sender(self.client, name, self.terms, own)

    @property
    def sent(self) -> Sent:
        one = self.terms.account.of(self.model, host(self.client.url))
        one.priced = "" if self.price is None else self.price.seen
        return one

    @property
    def known_as(self) -> str:
        """The name under which it is kept what the server does for the model."""
        return f"openai {self.client.url} {self.model} by {self.terms.api or 'any route'}"

    def all(
        self,
        requests: Sequence[Request],
        read: Callable[[int, dict[str, Any]], T],
        keep: Callable[[int, T], None],
    ) -> None:
        """Send all; ``read`` makes an answer of a reply or refuses it by `Unanswered`, ``keep``
        gets each answer as it comes, in this thread.

        Raises:
            SupertuneError: of the first request that failed for good, once those under way have
                ended and their answers are kept.
        """
        if not requests:
            return
        running: dict[Future[T], int] = {}
        with ThreadPoolExecutor(max(1, min(self.terms.at_once, len(requests)))) as pool:
            try:
                self._through(pool, requests, running, read, keep)
            finally:  # one failed, or a person interrupted: what is under way is paid for
                for job in running:
                    job.cancel()
                for job in wait(running).done:
                    if not job.cancelled() and job.exception() is None:
                        keep(running[job], job.result())

    def _through(
        self,
        pool: ThreadPoolExecutor,
        requests: Sequence[Request],
        running: dict[Future[T], int],
        read: Callable[[int, dict[str, Any]], T],
        keep: Callable[[int, T], None],
    ) -> None:
        todo = iter(range(len(requests)))
        while True:
            for number in islice(todo, 2 * self.terms.at_once - len(running)):
                limits.check()
                running[pool.submit(self.one, requests[number], partial(read, number))] = number
            if not running:
                return
            for job in wait(running, return_when=FIRST_COMPLETED).done:
                answer = job.result()
                keep(running.pop(job), answer)

    def one(
        self, request: Request, read: Callable[[dict[str, Any]], T], *, tries: int = TRIES
    ) -> T:
        """The answer to one request, after as many attempts as it takes and is worth; ``tries``
        where the server fails at it, as some do at a field that they do not know."""
        waited, account = 0.0, self.terms.account
        most = None if self.price is None else self.price.of(request.most)
        for attempt in range(1, TRIES + 1):
            self._pause()
            account.begin(self.sent, most, self.terms)
            used: tuple[int, int] = (0, 0)
            counted = True
            try:
                reply = self.client.send(request.route, request.body, request.key)
                used, counted = _usage(reply, request.tokens)
                return read(reply)
            except Unanswered as error:
                if error.charged and used == (0, 0):
                    used, counted = request.tokens, False
                most_tries = tries if error.status == 500 else BROKEN if error.charged else TRIES
                last = attempt >= most_tries
                pause = _pause_for(error, attempt)
                if not error.again or last or waited + pause > PATIENCE:
                    if error.charged or error.status in (400, 404, 422):
                        forget(self.known_as)  # it may do other things than it did
                    raise self._given_up(error, attempt) from None
                waited += pause
                with self._lock:
                    self._resume = max(self._resume, time.monotonic() + pause)
            finally:
                cost = None if self.price is None else self.price.of(used)
                account.end(self.sent, most, used, cost, estimated=not counted)
        raise AssertionError("unreachable")

    def _pause(self) -> None:
        while (left := self._resume - time.monotonic()) > 0:
            time.sleep(min(left, 0.5))

    def _given_up(self, error: Unanswered, attempts: int) -> SupertuneError:
        where = f"{self.model} at {host(self.client.url)}"
        received = error.what + (f", after {attempts} attempts" if attempts > 1 else "")
        received += f"; it asks to wait {error.wait:.0f} s" if error.wait else ""
        kept = "Answers so far are kept; the same command goes on from them."
        if error.status in (401, 403):
            return InputError(
                "key_refused",
                f"{where} refuses the key.",
                received=received,
                allowed="a key that is valid for this server and model",
                next=f"Give a valid key: {keys.ways(self.client.url)}. " + kept,
            )
        if error.status == 404:
            return InputError(
                "unknown_remote_model",
                f"{where} is not there.",
                received=received,
                allowed="a model that the server lists under /models, at an address that ends "
                "where its routes begin, often in /v1",
                next="Correct --backbone openai:MODEL or --base-url.",
            )
        if error.status == 429 and not error.again:
            return InputError(
                "quota_used_up",
                f"The quota for {where} is used up.",
                received=received,
                next=f"Raise it at the provider. {kept}",
            )
        if error.status in (400, 413, 422):
            return InputError(
                "request_refused",
                f"{where} refuses a request.",
                received=received,
                next="Shorten texts with --set max_length=128, or choose another model. " + kept,
            )
        code = "reply_broken" if error.charged or error.status == 200 else "server_failed"
        return EnvironmentFault(
            code,
            f"{where} does not answer as it should.",
            received=received,
            next=f"Try again later, or look at the server. {kept}",
        )


def _usage(reply: Mapping[str, Any], estimated: tuple[int, int]) -> tuple[tuple[int, int], bool]:
    """Tokens read and written as the server counted them, and whether it did."""
    usage = reply.get("usage")
    if not isinstance(usage, dict):
        return estimated, False
    read = usage.get("prompt_tokens", usage.get("input_tokens"))
    written = usage.get("completion_tokens", usage.get("output_tokens"))
    if not isinstance(read, int):
        return estimated, False
    return (read, written if isinstance(written, int) else 0), True


def _pause_for(error: Unanswered, attempt: int) -> float:
    """As the server asks; else twice as long each time."""
    if error.wait is not None:
        return error.wait
    return 0.0 if error.charged else min(LONGEST, FIRST * 2 ** (attempt - 1))
