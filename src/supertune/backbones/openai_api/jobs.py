"""The routes of fine-tuning jobs: files, jobs, their events; each with patience of its own.

What creates something is never blindly tried: an earlier process, or an attempt whose answer never
came, may have created it, so it is looked for first.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from supertune.backbones.openai_api.client import Client, Unanswered
from supertune.catalogue.measured import forget, remembered

T = TypeVar("T")
Call = Callable[[Any], AbstractContextManager[Any]]

FIRST, LONGEST = 0.5, 20.0  # seconds between attempts where the server asks for none
PATIENCE = 120.0  # seconds of attempts at one request
STAMINA = 1800.0  # at following what goes on in any case
PAGE = 100
PAGES = 20  # of a list that are looked through
SLOWEST = 50_000  # bytes a second of an upload
DAY = 86_400.0
ENDED = ("succeeded", "failed", "cancelled")


class Jobs:
    """The jobs of one server; ``said`` is called with what is waited for."""

    def __init__(self, client: Client) -> None:
        self.client = client

    # --- files --------------------------------------------------------------------------------

    def upload(self, name: str, data: bytes, begin: Callable[[], None], *, since: str) -> str:
        """The id of the file.

        Args:
            begin: called before each attempt, so that it is counted.
            since: when all of this began, which tells it from what was deleted since.

        Raises:
            Unanswered: for good.
        """
        seconds = self.client.timeout + len(data) / SLOWEST
        headers = {"Idempotency-Key": f"{name} {since}"}

        def call(client: Any) -> AbstractContextManager[Any]:
            create = client.files.with_streaming_response.create
            opened: AbstractContextManager[Any] = create(
                file=(name, data), purpose="fine-tune", extra_headers=headers, timeout=seconds
            )
            return opened

        def there() -> Mapping[str, Any] | None:
            alike = (one for one in self._files() if one.get("filename") == name)
            return next((one for one in alike if one.get("bytes") in (None, len(data))), None)

        return str(self._created(call, there, begin, seconds)["id"])

    def _files(self) -> Iterator[Mapping[str, Any]]:
        return self._listed(
            lambda client, after: client.files.with_streaming_response.list(
                purpose="fine-tune", limit=PAGE, **after
            )
        )

    def delete(self, file: str) -> None:
        """One that is gone already is as good as deleted.

        Raises:
            Unanswered: for good.
        """
        try:
            self.patient(lambda client: client.files.with_streaming_response.delete(file))
        except Unanswered as error:
            if error.status != 404:
                raise

    # --- jobs ---------------------------------------------------------------------------------

    def there(self) -> bool:
        """Whether the server has jobs at all, by a look at the list of them."""
        try:
            found = self.patient(
                lambda client: client.fine_tuning.jobs.with_streaming_response.list(limit=1), 0.0
            )
        except Unanswered as error:
            # Who may not look is told so when a job is asked for.
            return error.status in (401, 403, 429)
        data = found.get("data")
        return isinstance(data, list) and all(
            isinstance(one, dict) and one.get("object") == "fine_tuning.job" for one in data
        )

    def create(self, body: Mapping[str, Any], begin: Callable[[], None]) -> dict[str, Any]:
        """The job that learns from ``body["training_file"]``; arguments as in `upload`."""
        said = json.dumps(body, sort_keys=True).encode()
        headers = {"Idempotency-Key": hashlib.sha256(said).hexdigest()}

        def call(client: Any) -> AbstractContextManager[Any]:
            create = client.fine_tuning.jobs.with_streaming_response.create
            opened: AbstractContextManager[Any] = create(**body, extra_headers=headers)
            return opened

        def there() -> Mapping[str, Any] | None:
            own = (one for one in self._jobs() if one.get("training_file") == body["training_file"])
            return next((one for one in own if one.get("status") not in ENDED[1:]), None)

        return dict(self._created(call, there, begin, self.client.timeout))

    def _jobs(self) -> Iterator[Mapping[str, Any]]:
        return self._listed(
            lambda client, after: client.fine_tuning.jobs.with_streaming_response.list(
                limit=PAGE, **after
            )
        )

    def job(self, name: str, patience: float = PATIENCE) -> dict[str, Any]:
        """As it is now."""
        found = self.patient(
            lambda client: client.fine_tuning.jobs.with_streaming_response.retrieve(name),
            patience,
        )
        if not isinstance(found.get("status"), str):
            raise Unanswered("a job without a status")
        return found

    def cancel(self, name: str) -> dict[str, Any]:
        return self.patient(
            lambda client: client.fine_tuning.jobs.with_streaming_response.cancel(name)
        )

    def events(self, name: str, known: set[str]) -> list[dict[str, Any]]:
        """Those that are not ``known`` yet, the oldest first; they are then."""
        fresh = []

        def call(client: Any, after: Mapping[str, str]) -> AbstractContextManager[Any]:
            listed = client.fine_tuning.jobs.with_streaming_response.list_events
            opened: AbstractContextManager[Any] = listed(name, limit=PAGE, **after)
            return opened

        for one in self._listed(call):
            if str(one.get("id")) in known:
                break  # the newest come first
            known.add(str(one.get("id")))
            fresh.append(dict(one))
        return fresh[::-1]

    # --- patience -----------------------------------------------------------------------------

    def patient(self, call: Call, patience: float = PATIENCE) -> dict[str, Any]:
        """What only looks, or may as well be done twice.

        Raises:
            Unanswered: for good.
        """
        return self._tried(lambda: self.client.asked(call), patience)

    def _created(
        self,
        call: Call,
        there: Callable[[], Mapping[str, Any] | None],
        begin: Callable[[], None],
        seconds: float,
    ) -> Mapping[str, Any]:
        unsure = True

        def attempt() -> Mapping[str, Any]:
            nonlocal unsure
            if unsure and (found := there()) is not None:
                return found
            begin()
            unsure = True
            try:
                made = self.client.asked(call, seconds)
            except Unanswered as error:
                unsure = error.charged or error.status >= 500
                raise
            if not isinstance(made.get("id"), str):
                raise Unanswered("what was created has no id")
            return made

        return self._tried(attempt, PATIENCE)

    def _tried(self, attempt: Callable[[], T], patience: float) -> T:
        waited, tries = 0.0, 0
        while True:
            try:
                return attempt()
            except Unanswered as error:
                tries += 1
                pause = min(LONGEST, FIRST * 2 ** (tries - 1)) if error.wait is None else error.wait
                if not (error.again or _not_ready(error)) or waited + pause > patience:
                    raise
                waited += pause
                time.sleep(pause)

    def _listed(
        self, call: Callable[[Any, Mapping[str, str]], AbstractContextManager[Any]]
    ) -> Iterator[Mapping[str, Any]]:
        after: dict[str, str] = {}
        for _ in range(PAGES):
            page = self.patient(lambda client, after=after: call(client, after))  # type: ignore[misc]
            data = page.get("data")
            if not isinstance(data, list):
                raise Unanswered("a list that is none")
            held = [one for one in data if isinstance(one, dict)]
            yield from held
            if not held or not page.get("has_more") or "id" not in held[-1]:
                return
            after = {"after": str(held[-1]["id"])}


def _not_ready(error: Unanswered) -> bool:
    """Whether a file that was just uploaded is still looked at."""
    return error.status in (400, 404, 409) and bool(
        re.search("(?i)not ready|being processed", error.what)
    )


def has_jobs(client: Client) -> bool:
    """Whether a server has fine-tuning jobs; that it has none is believed for a day."""
    name = f"openai {client.url} has fine-tuning jobs"

    def look() -> dict[str, Any]:
        return {"there": Jobs(client).there(), "at": time.time()}

    found: Any = remembered(name, look)
    if not found["there"] and time.time() - found["at"] > DAY:
        forget(name)
        found = remembered(name, look)
    return bool(found["there"])
