"""A server that does wrong: nothing is lost, nothing charged twice, and the error says what.

The vectors are hashes (no weights): what is tested is what goes on around an answer.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.openai_server import (
    Fault,
    Server,
    changed,
    cut,
    dropped,
    raw,
    silent,
    slow,
    status,
)

from supertune.backbones.openai_api import sending
from supertune.config import Recipe
from supertune.contracts import Encoding, Lens, Prompt
from supertune.errors import SupertuneError
from supertune.pipeline import Workshop

KEY = "sk-planted-0123456789abcdef"
PROMPT = Prompt("{text} It was {answer}.", (("great",), ("terrible",)))
_numbers = iter(range(10_000))


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "FIRST", 0.01)


def texts(count: int) -> list[str]:
    """That nobody has sent before."""
    return [f"text number {next(_numbers)}" for _ in range(count)]


def lens_of(server: Server, prompt: Prompt | None = None, **keys: Any) -> Lens:
    recipe = Recipe(
        base_url=server.url, allow_remote=True, threads=1, **{"request_timeout": 0.6, **keys}
    )
    found = Workshop(recipe).lens("openai:hashes")
    assert found is not None
    return found.under(Encoding(max_length=64, prompt=prompt))


def _wrong(name: str, value: Any) -> Fault:
    return changed(lambda reply: reply["data"][0].__setitem__(name, value))


# What passes: the answer comes after all. The second: how many of the texts may be charged twice,
# because the server charged for an answer that never came.
PASSING: dict[str, tuple[list[Fault], int]] = {
    "a storm of 429": ([status(429)] * 3, 0),
    "429 with Retry-After": ([status(429, Retry_After="0.05")], 0),
    "429 with a date that is past": (
        [status(429, Retry_After="Wed, 21 Oct 2015 07:28:00 GMT")],
        0,
    ),
    "500": ([status(500)] * 2, 0),
    "503": ([status(503)], 0),
    "overloaded, 529": ([status(529)], 0),
    "dropped before the answer": ([dropped], 0),
    "broken JSON": ([raw(lambda data: data[:-9])], 1),
    "cut in the middle": ([cut], 1),
    "a trickle": ([slow], 1),
    "silence": ([silent], 1),
    "no usage": ([changed(lambda reply: reply.pop("usage") and None)], 0),
    "vectors in another order": ([changed(lambda reply: reply["data"].reverse())], 0),
    "lists where bytes were asked for": (
        [
            changed(
                lambda r: [one.__setitem__("embedding", [0.5] * 8) for one in r["data"]] and None
            )
        ],
        0,
    ),
}


@pytest.mark.parametrize("name", PASSING)
def test_what_passes_loses_no_row_and_charges_none_twice(hashes: Server, name: str) -> None:
    faults, twice = PASSING[name]
    lens, rows = lens_of(hashes), texts(5)
    hashes.faults.extend(faults)
    found = lens.features(rows)
    assert found.shape == (5, 8)
    assert not hashes.faults
    charged = [hashes.charged[text] for text in rows]
    assert set(charged) == {1 + twice}
    before = hashes.requests
    assert (lens_of(hashes).features(rows) == found).all()
    assert hashes.requests == before


FOR_GOOD: dict[str, tuple[Fault, str]] = {
    "an expired key": (status(401, f"Incorrect API key provided: {KEY}"), "key_refused"),
    "a key without rights": (status(403), "key_refused"),
    "a wrong model": (status(404, "no such model"), "unknown_remote_model"),
    "a refused request": (status(400, "too long"), "request_refused"),
    "a used-up quota": (status(429, "pay", "insufficient_quota"), "quota_used_up"),
    "500 without end": (status(500), "server_failed"),
    "429 without end": (status(429), "server_failed"),
    "a wait that is too long": (status(429, Retry_After="3600"), "server_failed"),
    "a wrong content type": (raw(lambda _: b"<html>hello</html>", "text/html"), "reply_broken"),
    "broken JSON for ever": (raw(lambda data: data[:-9]), "reply_broken"),
    "an error with status 200": (changed(lambda _: {"error": {"message": "x"}}), "reply_broken"),
    "NaN": (_wrong("embedding", [float("nan")] * 8), "reply_broken"),
    "a narrower vector": (_wrong("embedding", [0.5] * 7), "reply_broken"),
    "no vector": (_wrong("embedding", "###"), "reply_broken"),
    "one vector too few": (changed(lambda reply: reply["data"].pop() and None), "reply_broken"),
    "twice the same place": (_wrong("index", 1), "reply_broken"),
}


@pytest.mark.parametrize("name", FOR_GOOD)
def test_what_fails_for_good_is_said_and_what_was_answered_is_kept(
    hashes: Server, name: str
) -> None:
    fault, code = FOR_GOOD[name]
    lens, done, rows = lens_of(hashes), texts(3), texts(3)
    lens.features(done)
    hashes.always = fault
    with pytest.raises(SupertuneError) as caught:
        lens.features([*done, *rows])
    error = caught.value
    assert error.code == code
    assert error.exit_code == 2
    assert error.received
    assert error.next
    assert KEY not in str(error)
    hashes.always = None
    assert lens.features([*done, *rows]).shape == (6, 8)
    assert {hashes.charged[text] for text in done} == {1}


CHAT: dict[str, tuple[Fault, str]] = {
    "no choice": (changed(lambda reply: reply["choices"].clear()), "reply_broken"),
    "no log-probabilities any more": (
        changed(lambda reply: reply["choices"][0].__setitem__("logprobs", None)),
        "reply_broken",
    ),
    "no message": (
        changed(lambda reply: reply["choices"][0].pop("logprobs") and None),
        "reply_broken",
    ),
}


@pytest.mark.parametrize("name", CHAT)
def test_an_answer_of_a_chat_that_is_none_is_refused(hashes: Server, name: str) -> None:
    fault, code = CHAT[name]
    lens = lens_of(hashes, PROMPT)
    hashes.always = fault
    with pytest.raises(SupertuneError) as caught:
        lens.scores(texts(2))
    assert caught.value.code == code


def test_requests_go_out_together_but_not_too_many(hashes: Server) -> None:
    def later(handler: Any, answer: Callable[[], Any]) -> None:
        time.sleep(0.05)
        handler.json(200, answer())

    hashes.always = later
    lens_of(hashes, PROMPT).scores(texts(24))
    assert 2 <= hashes.most_at_once <= 8


@pytest.mark.parametrize("limit", [0, 1, 5])
def test_no_more_requests_than_allowed_are_sent_whatever_is_under_way(
    hashes: Server, limit: int
) -> None:
    lens_of(hashes, PROMPT)  # what it can do is known from here on
    before, rows = hashes.requests, texts(12)
    with pytest.raises(SupertuneError) as caught:
        lens_of(hashes, PROMPT, max_requests=limit).scores(rows)
    assert caught.value.code == "max_requests_reached"
    assert hashes.requests - before == limit
    lens_of(hashes, PROMPT).scores(rows)  # goes on from there
    assert hashes.requests - before == 12


def test_costs_stay_within_their_limit_as_the_server_counts(hashes: Server, tmp_path: Path) -> None:
    prices = tmp_path / "prices.json"
    prices.write_text('{"hashes": {"input": 100000, "output": 100000}}', "utf-8")
    lens_of(hashes, PROMPT)
    begun = sum(hashes.tokens)
    keys = {"prices": str(prices), "max_cost": 200.0}
    with pytest.raises(SupertuneError) as caught:
        lens_of(hashes, PROMPT, **keys).scores(texts(200))
    assert caught.value.code == "max_cost_reached"
    assert 500 < sum(hashes.tokens) - begun <= 2000


def test_a_limit_of_costs_without_a_price_is_refused(hashes: Server) -> None:
    with pytest.raises(SupertuneError) as caught:
        lens_of(hashes, max_cost=1.0)
    assert caught.value.code == "price_unknown"
