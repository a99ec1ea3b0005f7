"""Vectors of a real server: the same as here, sent with consent alone, and never twice."""

from __future__ import annotations

import numpy as np
import pytest
from tests.conftest import QUICK, Files, Run
from tests.openai_server import Server

import supertune
from supertune.backbones.openai_api import replies
from supertune.config import Recipe
from supertune.errors import InputError
from supertune.pipeline import Workshop

PROBE = {**QUICK, "method": "linear_probe", "backbone": "openai:minilm", "threads": 1}


def test_vectors_are_those_of_the_backbone_behind_the_server(server: Server) -> None:
    texts = ["a dull film", "what a delight", "what a delight"]
    recipe = Recipe(base_url=server.url, allow_remote=True, threads=1)
    there = Workshop(recipe).lens("openai:minilm")
    here = Workshop(Recipe(threads=1)).lens("minilm")
    assert there is not None
    assert here is not None
    np.testing.assert_allclose(there.features(texts), here.features(texts), atol=1e-6)


def test_a_fit_and_its_predictions_send_no_text_twice_and_a_rerun_sends_none(
    server: Server, reviews: Files, tmp_path: object
) -> None:
    server.charged.clear()
    folder = f"{tmp_path}/model"
    keys = {**PROBE, "base_url": server.url, "allow_remote": True}
    model = supertune.fit(reviews.train, output=folder, **keys)
    model.predict(reviews.texts[:3])
    assert set(reviews.texts) <= set(server.charged)
    assert set(server.charged.values()) == {1}
    (sent,) = model.report.data["remote"]
    assert sent["all_rows"]
    assert sent["tokens_read"] > 0

    before = server.requests
    again = supertune.fit(reviews.train, **keys)
    asked = [text for text, _ in reviews.held[:4]]
    loaded = supertune.load(folder, allow_remote=True)
    assert server.requests == before
    np.testing.assert_array_equal(loaded.predict_proba(asked), again.predict_proba(asked))
    (sent,) = again.report.data["remote"]
    assert (sent["sent_now"], sent["requests"]) == (0, 0)
    card = (loaded.folder / "README.md").read_text("utf-8")  # type: ignore[operator]
    assert "All 20 labelled rows" in card.replace("\N{NO-BREAK SPACE}", " ")
    assert "127.0.0.1" in card


def test_vectors_of_a_text_s_tokens_become_their_mean() -> None:
    given = [{"index": 0, "embedding": [[1.0, 2.0], [3.0, 4.0]]}, {"index": 1, "embedding": [1, 1]}]
    found = replies.vectors({"data": given}, 2, None)
    np.testing.assert_array_equal(found, [[2, 3], [1, 1]])


def test_no_row_is_sent_without_consent(
    server: Server, supertune: Run, reviews: Files, here: object, tmp_path_factory: object
) -> None:
    rows = ["one more text that nobody sent", "and another of these"]
    recipe = Recipe(base_url=server.url, threads=1)
    lens = Workshop(recipe).lens("openai:minilm")
    assert lens is not None
    with pytest.raises(InputError) as caught:
        lens.features(rows)
    assert caught.value.code == "remote_not_allowed"
    assert not set(rows) & set(server.charged)


def test_a_saved_model_brings_no_consent(server: Server) -> None:
    recipe = Recipe(base_url=server.url, allow_remote=True, max_cost=1.0, prices="p.json")
    kept = recipe.model_dump(mode="json")
    assert kept["base_url"] == server.url
    assert not {"allow_remote", "max_cost", "max_requests", "prices"} & set(kept)


def test_the_environment_can_consent(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not Recipe().allow_remote
    monkeypatch.setenv("SUPERTUNE_ALLOW_REMOTE", "1")
    assert Recipe().allow_remote
