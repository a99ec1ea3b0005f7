"""Labels asked of smollm2 by chat, in each of the ways that a server may allow."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.conftest import Files
from tests.openai_server import Hashes, Server

import supertune
from supertune.backbones.openai_api import replies, words
from supertune.backbones.openai_api.asking import Spoken
from supertune.backbones.openai_api.client import Unanswered
from supertune.config import Recipe
from supertune.contracts import Encoding, Prompt
from supertune.errors import InputError
from supertune.pipeline import Workshop

PROMPT = Prompt("{text} It was {answer}.", (("great",), ("terrible",)))
TEXTS = ["a wonderful film, the best of this year", "a waste of time, dull and stupid"]


def scored(server: Server, model: str, prompt: Prompt = PROMPT, **keys: Any) -> np.ndarray:
    workshop = Workshop(Recipe(base_url=server.url, allow_remote=True, threads=1, **keys))
    lens = workshop.lens(f"openai:{model}")
    assert lens is not None
    found = lens.under(Encoding(max_length=48, prompt=prompt)).scores(TEXTS)
    server.how = workshop.account.of(model, server.url[7:-3]).how  # type: ignore[attr-defined]
    return found


def test_words_are_scored_by_log_probabilities_where_the_server_gives_them(
    server: Server,
) -> None:
    found = scored(server, "smollm2")
    assert "log-probabilities" in server.how  # type: ignore[attr-defined]
    assert found.shape == (2, 2)
    assert np.isfinite(found).all()
    for text, row in zip(TEXTS, found, strict=True):
        asked = {"messages": words.messages(PROMPT, (text,)), "top_logprobs": 20, "max_tokens": 1}
        given = server.models["smollm2"].chat(asked)
        expected = words.by_tokens(replies.top(given), PROMPT.all_words)
        np.testing.assert_allclose(row, expected, atol=1e-4)


def test_a_server_that_heeds_structures_alone_is_asked_by_them(server: Server) -> None:
    found = scored(server, "structured")
    assert "structured" in server.how  # type: ignore[attr-defined]
    np.testing.assert_allclose(np.exp(found).sum(axis=1), 1.0, rtol=1e-5)


def test_a_server_that_ignores_both_is_read_by_its_words(server: Server) -> None:
    found = scored(server, "plain")
    assert "looking for the words" in server.how  # type: ignore[attr-defined]
    np.testing.assert_allclose(np.exp(found).sum(axis=1), 1.0, rtol=1e-5)


def test_the_other_route_is_asked_for_the_same_and_answers_the_same(server: Server) -> None:
    chat = scored(server, "either", api="chat")
    assert "asked by /chat/completions" in server.how  # type: ignore[attr-defined]
    asked = server.asked.copy()
    other = scored(server, "either", api="responses")
    assert "log-probabilities" in server.how  # type: ignore[attr-defined]
    assert "asked by /responses" in server.how  # type: ignore[attr-defined]
    assert (server.asked - asked)["responses"] == len(TEXTS) + 3  # and what is asked of ours
    np.testing.assert_allclose(other, chat, atol=1e-6)


def test_a_model_that_only_the_newer_route_has_is_found_there(server: Server) -> None:
    found = scored(server, "newer")
    assert np.isfinite(found).all()
    how = server.how  # type: ignore[attr-defined]
    assert "asked by /responses, at the server's own temperature" in how


def test_a_structured_answer_is_asked_for_by_either_route(server: Server) -> None:
    found = scored(server, "formed", api="responses")
    assert "structured" in server.how  # type: ignore[attr-defined]
    assert "/responses" in server.how  # type: ignore[attr-defined]
    np.testing.assert_array_equal(found, scored(server, "formed", api="chat"))


def test_a_structure_of_another_form_is_found_where_the_usual_one_fails(server: Server) -> None:
    before = server.requests
    found = scored(server, "older")
    assert "structured" in server.how  # type: ignore[attr-defined]
    np.testing.assert_allclose(np.exp(found).max(axis=1), words.SURE, rtol=1e-5)
    assert server.requests == before + 9  # two for vectors, two texts, two forms, /responses, rows


def test_a_route_that_is_named_and_missing_is_an_error_before_any_row(hashes: Server) -> None:
    hashes.models["words"] = Hashes(routes=("chat/completions",))
    with pytest.raises(InputError) as caught:
        scored(hashes, "words", api="responses")
    assert caught.value.code == "api_missing"
    assert not [told for told in hashes.charged if TEXTS[0] in told]


def test_zero_shot_over_chat_is_fitted_saved_and_says_how_it_asks(
    server: Server, reviews: Files, tmp_path: object
) -> None:
    rows = [*reviews.rows[:3], *reviews.rows[-3:]]
    keys = {"base_url": server.url, "allow_remote": True, "max_length": 32, "threads": 1}
    model = supertune.fit(
        rows,
        output=f"{tmp_path}/model",
        backbone="openai:smollm2",
        method="zero_shot_prompt",
        folds=2,
        repeats=1,
        **keys,
    )
    (sent,) = model.report.data["remote"]
    assert "log-probabilities" in sent["how"]
    assert sent["rows"] == list(range(6)) or sent["all_rows"]
    before = server.requests
    asked = [text for text, _ in rows]
    again = supertune.load(f"{tmp_path}/model")  # what is kept needs no consent
    np.testing.assert_array_equal(again.predict_proba(asked), model.predict_proba(asked))
    assert server.requests == before


def test_a_token_that_begins_two_words_is_shared_out() -> None:
    scores = words.by_tokens(
        [(" pos", -0.5), (" great", -1.5), ("x", -4.0)], ("positive", "possible")
    )
    assert scores[0] == scores[1]
    both = Spoken(top=20, form="json_schema")
    assert words.way(both, ("positive", "possible")) == "structured"
    assert words.way(both, ("positive", "negative")) == "top_logprobs"
    assert words.way(Spoken(), ("positive", "negative")) == "parsing"


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("It was great.", "great"),
        ("Not terrible but great", "terrible"),
        ("GREAT", "great"),
        ("greatness", "great"),
        ("neither", None),
    ],
)
def test_the_first_word_that_stands_in_a_text_counts(text: str, word: str | None) -> None:
    assert words.found(text, ("great", "terrible")) == word


def test_replies_of_the_other_route_are_read_behind_what_was_thought() -> None:
    thought = {"type": "reasoning", "summary": []}
    part = {"type": "output_text", "text": "great", "logprobs": []}
    message = {"type": "message", "content": [part]}
    assert replies.written({"output": [thought, message]}) == "great"
    refusal = {"type": "message", "content": [{"type": "refusal", "refusal": "no"}]}
    assert replies.written({"output": [refusal]}) == ""
    for broken in ({}, {"output": [thought]}, {"output": [{"type": "message", "content": []}]}):
        with pytest.raises(Unanswered) as caught:
            replies.written(broken)
        assert caught.value.again
    with pytest.raises(Unanswered, match="log-probabilities"):
        replies.top_written({"output": [message]})


def test_a_structured_answer_of_another_form_is_none() -> None:
    assert replies.chosen('{"answer": "great"}', ("great", "bad")) == "great"
    for text in ("great", '{"answer": "good"}', "[1]", '{"word": "great"}'):
        assert replies.chosen(text, ("great", "bad")) is None
