"""`--backbone openai:MODEL` on the command line: consent, limits, and what a plan foresees."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conftest import Files, Run
from tests.openai_server import Hashes, Server

FEW = ("--set", "folds=2", "--set", "repeats=1", "--threads", "1", "--json")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(hashes=Hashes()) as one:
        yield one


@pytest.fixture
def prices(tmp_path: Path) -> Path:
    path = tmp_path / "prices.yaml"
    path.write_text("hashes: {input: 10, output: 20}\n", "utf-8")
    return path


def test_a_plan_foresees_what_a_fit_then_sends_and_costs(
    server: Server, supertune: Run, reviews: Files, prices: Path, here: Path
) -> None:
    for method in ("nearest_centroid", "prompt_search"):
        asked = (reviews.train, "--test", reviews.test, "--backbone", "openai:hashes")
        asked += ("--base-url", server.url, "--method", method, "--prices", prices, *FEW)
        server.charged.clear()
        planned = supertune("plan", *asked)
        assert planned.code == 0, planned.err
        assert not set(reviews.texts) & set(server.charged)
        (said,) = planned.answer["remote"]
        before, tokens = server.requests, list(server.tokens)

        refused = supertune("fit", *asked, "-o", method)
        assert (refused.code, refused.error["code"]) == (2, "remote_not_allowed")
        assert server.requests == before
        assert not (here / method).exists()

        done = supertune("fit", *asked, "-o", method, "--allow-remote")
        assert done.code == 0, done.out
        report = json.loads((here / method / "report.json").read_text("utf-8"))
        (sent,) = report["remote"]
        assert server.requests - before == sent["requests"] == said["requests"]
        read = server.tokens[0] - tokens[0], server.tokens[1] - tokens[1]
        assert read == (sent["tokens_read"], sent["tokens_written"])
        assert said["cost"] == pytest.approx(
            sent["cost"], rel=0.25
        )  # of hashes, not of a tokenizer

        again = supertune("plan", *asked)
        (said,) = again.answer["remote"]
        assert said["requests"] == 0


def test_predictions_need_their_own_consent_and_keep_to_their_own_limit(
    server: Server, supertune: Run, reviews: Files, here: Path
) -> None:
    asked = (reviews.train, "--backbone", "openai:hashes", "--base-url", server.url)
    done = supertune(
        "fit", *asked, "--method", "nearest_centroid", *FEW, "-o", "m", "--allow-remote"
    )
    assert done.code == 0, done.out
    before = server.requests
    refused = supertune("predict", "m", "a text of its own", "--json")
    assert (refused.code, refused.error["code"]) == (2, "remote_not_allowed")
    assert "--allow-remote" in str(refused.error["next"])
    refused = supertune(
        "predict", "m", "a text of its own", "--json", "--allow-remote", "--max-requests", "0"
    )
    assert (refused.code, refused.error["code"]) == (2, "max_requests_reached")
    assert server.requests == before
    done = supertune("predict", "m", "a text of its own", "--json", "--allow-remote")
    assert done.code == 0, done.out
    assert server.requests == before + 1
    assert "1 request" in done.err.replace("\N{NO-BREAK SPACE}", " ")


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("ftp://host/v1", "bad_base_url"),
        ("https://user:secret@host/v1", "bad_base_url"),
        ("http://models.example.org/v1", "bad_base_url"),
        ("https://host.invalid/v1", "key_missing"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused(
    supertune: Run,
    reviews: Files,
    url: str,
    code: str,
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    asked = ("fit", reviews.train, "--backbone", "openai:m", "--base-url", url, "--json")
    refused = supertune(*asked, "--method", "linear_probe", "--allow-remote")
    assert (refused.code, refused.error["code"]) == (2, code)
    assert "secret" not in refused.out


@pytest.mark.parametrize("text", ["[1]", "m: {output: 1}", "m: {input: -1}", "{", "m: cheap"])
def test_a_table_of_prices_that_is_none_is_refused(
    server: Server, supertune: Run, reviews: Files, tmp_path: Path, text: str
) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text(text, "utf-8")
    asked = (reviews.train, "--backbone", "openai:hashes", "--base-url", server.url)
    refused = supertune("plan", *asked, "--prices", path, "--json")
    assert (refused.code, refused.error["code"]) == (2, "bad_prices")
