"""One real server for these tests: minilm and smollm2 behind the routes of the API."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.openai_server import Chat, Embeddings, Hashes, Newer, Older, Server


@pytest.fixture(scope="package")
def server(own_activations: object) -> Iterator[Server]:
    chat: dict[str, object] = {
        "smollm2": Chat(),
        "structured": Chat(("response_format",)),
        "newer": Newer(),
    }
    chat["older"] = Older()
    both = ("chat/completions", "responses")
    chat["plain"] = Hashes(heeds=(), routes=both)
    chat["either"] = Hashes(routes=both)
    chat["formed"] = Hashes(heeds=("response_format",), routes=both)
    with Server(minilm=Embeddings(), hashes=Hashes(), **chat) as one:
        yield one


@pytest.fixture
def hashes() -> Iterator[Server]:
    """A server of its own, whose answers take no weights."""
    with Server(hashes=Hashes()) as one:
        yield one
