"""`--backbone openai:MODEL` on the command line: consent, limits, and what a plan foresees."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conftest import Files, Run
from tests.openai_server import Hashes, Server

import supertune as api

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


@pytest.fixture(scope="module")
def fitted(server: Server, reviews: Files, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two models on vectors of the server."""
    folders = [tmp_path_factory.mktemp("remote") / name for name in ("a", "b")]
    for folder, method in zip(folders, ("nearest_centroid", "linear_probe"), strict=True):
        api.fit(
            reviews.train,
            output=folder,
            backbone="openai:hashes",
            base_url=server.url,
            method=method,
            allow_remote=True,
            folds=2,
            repeats=1,
            threads=1,
        )
    return folders


def test_two_models_are_compared_within_limits_that_hold_for_both(
    server: Server, supertune: Run, fitted: list[Path], tmp_path: Path
) -> None:
    rows = tmp_path / "held.csv"
    rows.write_text("sentence,mood\n" + "".join(
        f"a film of number {i},{('positive', 'negative')[i % 2]}\n" for i in range(10)
    ), "utf-8")  # fmt: skip
    asked = ("compare", *fitted, rows, "--json")
    refused = supertune(*asked)
    assert (refused.code, refused.error["code"]) == (2, "remote_not_allowed")
    refused = supertune(*asked, "--allow-remote", "--max-requests", "0")
    assert (refused.code, refused.error["code"]) == (2, "max_requests_reached")
    before = server.requests
    done = supertune(*asked, "--allow-remote", "--max-requests", "1")
    assert done.code == 0, done.out  # the second model's vectors are those of the first
    assert server.requests == before + 1
    assert "1 request" in done.err.replace("\N{NO-BREAK SPACE}", " ")


def test_rows_to_label_next_are_looked_at_with_consent_alone(
    server: Server, supertune: Run, fitted: list[Path], tmp_path: Path
) -> None:
    pool = tmp_path / "pool.csv"
    pool.write_text("sentence\n" + "".join(f"film {i} of the pool\n" for i in range(12)), "utf-8")
    anew = ("--labels", "positive,negative", "--backbone", "openai:hashes", "--base-url")
    asked = ("label", pool, *anew, server.url, "--list", "--json", "-n", "3")
    refused = supertune(*asked)
    assert (refused.code, refused.error["code"]) == (2, "remote_not_allowed")
    before = server.requests
    for told in (("label", fitted[0], pool, "--list", "--json"), asked):
        done = supertune(*told, "--allow-remote", "--max-requests", "1")
        assert done.code == 0, done.out
    assert server.requests == before + 1  # once for both


def test_a_model_at_a_server_is_ranked_beside_others_and_sees_no_row(
    server: Server, supertune: Run, reviews: Files
) -> None:
    server.charged.clear()
    done = supertune(
        *("models", "--for", reviews.train, "--backbone", "openai:hashes", "--json"),
        *("--set", f"base_url={server.url}"),
    )
    assert done.code == 0, done.out
    (own,) = [one for one in done.answer["models"] if one["name"] == "openai:hashes"]
    assert own["suits"]
    assert own["memory_bytes"] is None
    assert "supertune plan --backbone openai:hashes" in own["for"][0]
    assert not set(reviews.texts) & set(server.charged)


def test_limits_hold_for_many_fits_together(
    server: Server, supertune: Run, tmp_path: Path, here: Path
) -> None:
    files = []
    for name in ("one", "two"):
        files.append(tmp_path / f"{name}.csv")
        lines = [f"{name} {i},{('good', 'bad')[i % 2]}" for i in range(8)]
        files[-1].write_text("text,label\n" + "\n".join(lines) + "\n", "utf-8")
    asked = ("fit-many", *files, "-o", "models", "--backbone", "openai:hashes", "--json")
    asked += ("--method", "nearest_centroid", "--set", f"base_url={server.url}", "--threads", "1")
    asked += ("--set", "folds=2", "--set", "repeats=1", "--set", "allow_remote=true")
    refused = supertune(*asked, "--ray", "local", "--set", "max_requests=1")
    assert (refused.code, refused.error["code"]) == (2, "limits_of_one_process")
    assert not (here / "models").exists()
    before = server.requests
    done = supertune(*asked, "--set", "max_requests=1")
    assert server.requests == before + 1
    first, second = done.answer["models"]
    assert first["status"] == "fitted"
    assert second["error"]["code"] == "max_requests_reached"


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
