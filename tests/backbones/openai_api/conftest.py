"""One real server for these tests: minilm and smollm2 behind the routes of the API."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.openai_server import Chat, Embeddings, Hashes, Plain, Server


@pytest.fixture(scope="package")
def server(own_activations: object) -> Iterator[Server]:
    chat = {"smollm2": Chat(), "structured": Chat(("response_format",)), "plain": Plain()}
    with Server(minilm=Embeddings(), hashes=Hashes(), **chat) as one:
        yield one


@pytest.fixture
def hashes() -> Iterator[Server]:
    """A server of its own, whose answers take no weights."""
    with Server(hashes=Hashes()) as one:
        yield one
