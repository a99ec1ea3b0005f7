"""Answers in writing by chat: fitted, planned, held to structures, and refused where it cannot."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Run
from tests.openai_server import Echo, Server

import supertune as api
from supertune.backbones.openai_api import writing
from supertune.errors import InputError

ROWS = [(f"Say the colour of thing {i}", ("red", "green")[i % 2]) for i in range(8)]


@pytest.fixture(scope="module")
def echo(own_activations: object) -> Iterator[Server]:
    both = ("chat/completions", "responses")
    deaf = Echo(heeds=(), routes=both)
    with Server(echo=Echo(routes=both), deaf=deaf) as one:
        yield one


def fitted(server: Server, method: str, model: str = "echo", **keys: Any) -> Any:
    return api.fit(
        ROWS,
        task="text_generation",
        backbone=f"openai:{model}",
        method=method,
        base_url=server.url,
        allow_remote=True,
        folds=2,
        repeats=1,
        threads=1,
        **keys,
    )


def test_shown_rows_are_asked_with_planned_and_kept(echo: Server, tmp_path: Path) -> None:
    keys = {"task": "text_generation", "backbone": "openai:echo", "method": "in_context"}
    keys |= {"base_url": echo.url}
    some = {"folds": 2, "repeats": 1, "threads": 1, "shots": 2}
    (planned,) = api.plan(ROWS, **keys, **some).data["remote"]
    before = echo.requests
    model = fitted(echo, "in_context", shots=2, output=tmp_path / "m")
    (sent,) = model.report.data["remote"]
    assert planned["requests"] == sent["requests"] == echo.requests - before
    assert sent["all_rows"]
    assert "answers in writing" in sent["how"]
    assert "untuned" in model.report.data["baselines"]
    assert list(model.predict([ROWS[0][0]])) == [ROWS[0][0]]
    again = api.load(tmp_path / "m")  # what is kept needs no consent
    assert list(again.predict([ROWS[0][0]])) == [ROWS[0][0]]
    with pytest.raises(InputError, match="would leave this machine"):
        again.predict(["something else"])


@pytest.mark.parametrize("route", ["chat", "responses"])
def test_an_answer_says_how_sure_it_is_and_whether_it_ended(echo: Server, route: str) -> None:
    model = fitted(echo, "untuned", instruction="Be short.", api=route)
    long = "one two three four five six seven eight"
    whole, cut = (api.write(model, [long], max_new_tokens=most)[0] for most in (40, 20))
    assert whole["completion"] == long
    assert whole["surety"] == -0.5
    assert whole["ended"]
    stopped = api.write(model, [long], stop=[" four"], max_new_tokens=40)[0]
    assert stopped["completion"] == "one two three"
    assert cut["completion"].startswith("one two")


def test_a_file_of_answers_is_written_with_consent_alone(
    echo: Server, supertune: Run, tmp_path: Path, here: Path
) -> None:
    fitted(echo, "untuned", output=tmp_path / "w")
    asked = ("write", tmp_path / "w", "a request of its own", "--json")
    refused = supertune(*asked)
    assert (refused.code, refused.error["code"]) == (2, "remote_not_allowed")
    done = supertune(*asked, "--allow-remote", "--max-requests", "1")
    assert done.code == 0, done.out
    (row,) = done.answer["answers"]
    assert (row["completion"], row["surety"]) == ("a request of its own", -0.5)
    assert "1 request" in done.err.replace("\N{NO-BREAK SPACE}", " ")


def test_choices_are_held_to_where_the_server_holds_to_them(echo: Server) -> None:
    model = fitted(echo, "untuned", structure=["red", "green"])
    assert list(model.predict(["Which?"])) == ["green"]
    objects = {"type": "object", "properties": {"colour": {"enum": ["red", "violet"]}}}
    objects |= {"required": ["colour"], "additionalProperties": False}
    model = fitted(echo, "untuned", structure=objects)
    assert list(model.predict(["Which?"])) == ['{"colour": "violet"}']


def test_lists_of_texts_are_sent_with_their_type_and_the_rest_as_it_is() -> None:
    given = {"type": "object", "properties": {"a": {"enum": ["x"]}, "n": {"enum": [1, 2]}}}
    made = writing._schema(given)
    assert made["properties"] == {"a": {"type": "string", "enum": ["x"]}, "n": {"enum": [1, 2]}}
    assert writing._schema({"type": "array"})["properties"] == {"answer": {"type": "array"}}
    assert writing._schema(("x", "y"))["properties"]["answer"]["enum"] == ["x", "y"]


def test_what_a_server_cannot_do_is_refused_before_a_row_is_sent(echo: Server) -> None:
    before = echo.asked.copy()
    with pytest.raises(InputError) as caught:
        fitted(echo, "untuned", model="deaf", structure=["red", "green"])
    assert caught.value.code == "structure_not_held"
    model = fitted(echo, "untuned", model="deaf")
    assert "does not tell how sure" in model.report.data["remote"][0]["how"]
    assert api.write(model, ["a b"])[0]["surety"] is None
    assert echo.asked != before
    with pytest.raises(InputError) as caught:
        api.write(model, ["a b"], beams=2)
    assert caught.value.code == "not_by_server"
