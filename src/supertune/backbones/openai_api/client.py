"""The official client, opened: which server, which key, and one request with its own clock.

Replies are read as bytes, so that a server that trickles them is stopped by the clock and what is
broken is told apart from what is refused. The key (`keys`) is taken out of whatever a server says
before it is repeated.
"""

from __future__ import annotations

import json
import os
import re
import time
import weakref
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any
from urllib.parse import urlsplit

from supertune.backbones.openai_api import keys
from supertune.errors import EnvironmentFault, InputError

ADDRESS = "OPENAI_BASE_URL"
OFFICIAL = "https://api.openai.com/v1"
LARGEST = 256 * 2**20  # bytes of a reply
LOCAL = {"127.0.0.1", "localhost", "::1"}


class Unanswered(Exception):
    """An attempt that brought no usable answer. Internal: `sending` decides what becomes of it.

    Attributes:
        status: HTTP status, 0 where there was none.
        again: whether another attempt may help.
        wait: seconds that the server asks to wait.
        charged: whether the server may have charged for it.
    """

    def __init__(
        self,
        what: str,
        *,
        status: int = 0,
        again: bool = False,
        wait: float | None = None,
        charged: bool = False,
        code: str = "",
    ) -> None:
        super().__init__(what)
        self.what, self.status, self.again = what, status, again
        self.wait, self.charged, self.code = wait, charged, code


def address(given: str | None) -> str:
    """The server's address without a slash at its end.

    Raises:
        InputError: ``bad_base_url``.
    """
    url = (given or os.environ.get(ADDRESS) or OFFICIAL).strip().rstrip("/")
    split = urlsplit(url)
    if split.scheme not in ("http", "https") or not split.hostname:
        raise _bad_address(url, "an address that begins with https:// or http://")
    if split.username or split.password or split.query or split.fragment:
        bare = f"{split.scheme}://…@{split.hostname}"
        raise _bad_address(bare, f"an address alone; a key is read from {keys.KEY}")
    if split.scheme == "http" and not _inside(split.hostname):
        raise _bad_address(url, "https:// for a server elsewhere, since a key and rows go there")
    return url


def _inside(host: str) -> bool:
    """On this machine or in a network of its own."""
    private = re.match(r"10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.", host)
    return host in LOCAL or "." not in host or bool(private)


def _bad_address(received: str, allowed: str) -> InputError:
    return InputError(
        "bad_base_url",
        "The server's address cannot be used.",
        received=received,
        allowed=allowed,
        next="Give --base-url https://HOST/v1.",
    )


def host(url: str) -> str:
    """A server by its name, for people."""
    return urlsplit(url).netloc


class Client:
    """One server; see `send`. Any thread may use it."""

    def __init__(self, url: str, timeout: float) -> None:
        try:
            import openai
        except ImportError as error:
            raise EnvironmentFault(
                "extra_missing",
                "A server is asked through the package openai, which is not installed.",
                received="openai:MODEL",
                next="pip install 'supertune[openai]'",
            ) from error
        self.url, self.timeout, self._openai = url, timeout, openai
        self._key = keys.found(url)
        if not self._key and urlsplit(url).hostname not in LOCAL:
            raise InputError(
                "key_missing",
                f"{host(url)} is asked with a key, and there is none.",
                received=f"{keys.KEY} is not set, and no keyring has {keys.service(url)}",
                allowed=f"a key in the environment variable {keys.KEY}, or in a keyring",
                next=f"{keys.ways(url)}; it is never written anywhere.",
            )
        self._client = openai.OpenAI(
            api_key=self._key or "none", base_url=url, max_retries=0, timeout=timeout
        )
        weakref.finalize(self, self._client.close)

    def send(self, route: str, body: Mapping[str, Any], key: str) -> dict[str, Any]:
        """One attempt.

        Args:
            route: ``"embeddings"``, ``"chat/completions"`` or ``"responses"``.
            key: of the request, the same at every attempt: a server that honours it charges once.

        Raises:
            Unanswered: for whatever reason.
        """
        resource: Any = self._client
        for name in route.split("/"):
            resource = getattr(resource, name)
        create, headers = resource.with_streaming_response.create, {"Idempotency-Key": key}
        found = self.asked(lambda _: create(**body, extra_headers=headers))
        if found.get("error"):  # some servers say so with status 200
            raise Unanswered(f"an error: {self.scrubbed(found['error'])}", status=200)
        return found

    def asked(
        self, call: Callable[[Any], AbstractContextManager[Any]], timeout: float | None = None
    ) -> dict[str, Any]:
        """The JSON object that one request of the official client is answered by.

        Args:
            call: opens the reply as a stream.

        Raises:
            Unanswered: for whatever reason.
        """
        openai, until = self._openai, time.monotonic() + (timeout or self.timeout)
        try:
            with call(self._client) as reply:
                kind = str(reply.headers.get("content-type", ""))
                text = _read(reply, until)
        except openai.APIStatusError as error:
            raise self._refused(error) from None
        except openai.APITimeoutError:
            raise Unanswered("no answer in time", again=True, charged=True) from None
        except Unanswered:
            raise
        except Exception as error:  # noqa: BLE001 - of the transport, which has many
            began = not isinstance(error, openai.APIConnectionError) or "onnect" not in str(
                type(error.__cause__).__name__
            )
            what = f"the connection failed ({type(error.__cause__ or error).__name__})"
            raise Unanswered(what, again=True, charged=began) from None
        return self._parsed(text, kind)

    def _parsed(self, text: bytes, kind: str) -> dict[str, Any]:
        try:
            found = json.loads(text)
        except ValueError:
            what = "a reply that is no JSON"
            if "json" not in kind:
                what += f" but {self.scrubbed(kind or 'of no type', 60)}"
            raise Unanswered(what, again="json" in kind, charged=True) from None
        if not isinstance(found, dict):
            raise Unanswered("a reply that is no JSON object", charged=True)
        return found

    def _refused(self, error: Any) -> Unanswered:
        status, body = int(error.status_code), getattr(error, "body", None)
        code = str(body.get("code") or body.get("type") or "") if isinstance(body, dict) else ""
        message = body.get("message") if isinstance(body, dict) else None
        what = f"status {status}: {self.scrubbed(message or error.message)}"
        again = status in (408, 409, 429) or status >= 500
        again = again and code != "insufficient_quota" and status != 501
        wait = _asked_to_wait(error.response.headers)
        return Unanswered(what, status=status, again=again, wait=wait, code=code)

    def scrubbed(self, said: Any, most: int = 200) -> str:
        """What a server said, on one line, without the key or anything that looks like one."""
        text = " ".join(str(said).split())
        if self._key:
            text = text.replace(self._key, "…")
        return re.sub(r"\b(sk|key|Bearer)[-_ ][\w*.-]{6,}", "…", text)[:most]


def _read(reply: Any, until: float) -> bytes:
    parts, size = [], 0
    for part in reply.iter_bytes():
        parts.append(part)
        size += len(part)
        if time.monotonic() > until:
            raise Unanswered("an answer so slow that its time was up", again=True, charged=True)
        if size > LARGEST:
            raise Unanswered("an answer without end", charged=True)
    return b"".join(parts)


def _asked_to_wait(headers: Any) -> float | None:
    """Seconds by ``retry-after-ms`` or ``Retry-After``, which may be a date."""
    from email.utils import parsedate_to_datetime

    try:
        if "retry-after-ms" in headers:
            return max(0.0, float(headers["retry-after-ms"]) / 1000)
        said = headers.get("retry-after")
        if said is None:
            return None
        if re.fullmatch(r"\s*\d+(\.\d+)?\s*", said):
            return float(said)
        return max(0.0, parsedate_to_datetime(said).timestamp() - time.time())
    except (TypeError, ValueError):
        return None
