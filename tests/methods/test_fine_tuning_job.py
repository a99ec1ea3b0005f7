"""Jobs that tune: what was learned at the server is what answers, and what was sent is said.

The server is ours (tests/openai_jobs.py): behind each job supertune fits a linear probe on minilm.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from inspect import signature
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tests.contract import test_method_declarations
from tests.openai_jobs import JobServer, Untuned

import supertune
from supertune import registry
from supertune.backbones.openai_api import tuning
from supertune.catalogue.corpora import few_shot
from supertune.errors import InputError

LABELS = ("business", "sports")
PRICES = {"input": 1.0, "output": 4.0, "training": 10.0, "tuned": {"input": 2.0, "output": 8.0}}


@pytest.fixture(scope="module")
def server(own_activations: object) -> Iterator[JobServer]:
    with JobServer(base=Untuned()) as one:
        yield one


@pytest.fixture(scope="module")
def rows() -> tuple[list[Any], list[Any]]:
    parts = few_shot("bbc-news", per_class=20, test_rows=45, seed=1)
    learned, held = ([row for row in part if row[1] in LABELS] for part in parts)
    return learned, held


@pytest.fixture(scope="module")
def keys(server: JobServer, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    path = tmp_path_factory.mktemp("prices") / "prices.json"
    path.write_text(json.dumps({"base": PRICES}), "utf-8")
    keys = {"method": "fine_tuning_job", "base_url": server.url, "allow_remote": True}
    return {**keys, "threads": 1, "prices": str(path)}


@pytest.fixture(scope="module")
def planned(rows: Any, keys: dict[str, Any]) -> supertune.api.planning.Plan:
    return supertune.plan(rows[0], backbone="openai:base", **keys)


@pytest.fixture(scope="module")
def model(
    rows: Any,
    keys: dict[str, Any],
    planned: object,
    tmp_path_factory: pytest.TempPathFactory,
) -> supertune.Model:
    """Fitted without rows to judge by, and saved."""
    said: list[tuple[Any, ...]] = []
    output = tmp_path_factory.mktemp("models") / "model"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tuning, "SOON", 0.01)
        found = supertune.fit(
            rows[0],
            output=output,
            backbone="openai:base",
            progress=lambda *one: said.append(one),
            max_cost=5.0,
            **keys,
        )
    found.said = said  # type: ignore[attr-defined]
    return found


DECLARED = {
    name: promise
    for name, promise in vars(test_method_declarations).items()
    if name.startswith("test_") and [*signature(promise).parameters] == ["case"]
}


@pytest.mark.parametrize("name", DECLARED)
def test_it_declares_what_every_method_does(name: str) -> None:
    DECLARED[name](
        SimpleNamespace(name="fine_tuning_job", method=registry.method("fine_tuning_job"))
    )


def test_what_the_server_learned_is_what_answers(
    model: supertune.Model, rows: Any, server: JobServer
) -> None:
    texts, labels = zip(*rows[1], strict=True)
    assert len(texts) > 15
    assert np.mean(model.predict(texts) == np.array(labels)) > 0.85
    assert model.tuned.checkpoint in server.models  # type: ignore[attr-defined]


def test_rows_set_aside_judge_it_and_a_fold_is_no_job(
    model: supertune.Model, server: JobServer, rows: Any
) -> None:
    report = model.report.data
    assert report["judged_on"] == "test rows"
    assert report["test"]["rows"] == 8
    assert report["data"]["rows"] == 32
    assert [one for one in report["findings"] if one["code"] == "rows_set_aside"]
    learned = next(iter(server.data.values())).decode().splitlines()
    assert len(learned) == 32
    said = [json.loads(line)["messages"] for line in learned]
    assert {chat[2]["content"] for chat in said} == set(LABELS)
    aside = [t for t, _ in rows[0] if not any(t[:40] in chat[1]["content"] for chat in said)]
    assert len(aside) == 8
    assert server.creations == 1


def test_a_plan_sends_nothing_and_foresees_tokens_and_costs(
    planned: supertune.api.planning.Plan, model: supertune.Model
) -> None:
    foreseen = planned.data["remote"]
    sent = model.report.data["remote"]
    assert [one["requests"] for one in foreseen] == [one["requests"] for one in sent]
    job, answers = foreseen
    assert "epochs of 32 rows" in job["how"]
    for now, before in zip(sent, (job, answers), strict=True):
        assert before["tokens_read"] == pytest.approx(now["tokens_read"], rel=0.05)
        assert before["cost"] == pytest.approx(now["cost"], rel=0.05)
    assert sent[0]["cost"] == pytest.approx(sent[0]["tokens_read"] * 10 / 1e6)
    assert "fine-tuning job of base" in planned.text()


def test_what_was_sent_and_tuned_is_said(model: supertune.Model, server: JobServer) -> None:
    assert sum(one["tokens_read"] for one in model.report.data["remote"][:1]) == server.trained
    assert model.folder is not None
    card = (model.folder / "README.md").read_text("utf-8")
    assert "ft:base:tests::ftjob-1" in card
    assert "ft:base:tests::ftjob-1" in (model.folder / "settings.json").read_text("utf-8")
    asked = dict(model.report.data["notes"]["asked"])
    assert asked["Model at the server"] == "ft:base:tests::ftjob-1"
    stages = [str(one[0]) for one in model.said]  # type: ignore[attr-defined]
    assert any("ftjob-1: succeeded" in stage and "tokens trained" in stage for stage in stages)
    (curve,) = model.report.data["notes"]["curves"]
    assert curve["name"] == "loss"


def test_a_model_folder_answers_the_same_without_asking_again(
    model: supertune.Model, rows: Any, server: JobServer
) -> None:
    texts = [text for text, _ in rows[1][:3]]
    expected = model.predict_proba(texts)
    before = server.requests
    assert model.folder is not None
    again = supertune.load(model.folder)  # what is kept needs no consent
    np.testing.assert_array_equal(again.predict_proba(texts), expected)
    assert server.requests == before
    with pytest.raises(InputError) as caught:
        again.predict(["a text that nobody has sent"])
    assert caught.value.code == "remote_not_allowed"


def test_rows_in_another_order_are_the_same_job(
    model: supertune.Model, rows: Any, keys: dict[str, Any], server: JobServer
) -> None:
    again = supertune.fit(rows[0][::-1], backbone="openai:base", **keys)
    assert (server.uploads, server.creations) == (1, 1)
    (job, _) = again.report.data["remote"]
    assert job["requests"] == 0
    assert job["cost"] == 0
    assert "of an earlier run" in job["how"]


@pytest.mark.parametrize(
    ("more", "code"),
    [({"search": 3}, "folds_are_paid_for"), ({"max_error": 0.1}, "max_error_needs_folds")],
)
def test_what_would_pay_for_a_job_a_fold_is_refused(
    server: JobServer, rows: Any, keys: dict[str, Any], more: dict[str, Any], code: str
) -> None:
    before = server.uploads
    with pytest.raises(InputError) as caught:
        supertune.fit(rows[0], backbone="openai:base", epochs=1, **keys, **more)
    assert caught.value.code == code
    assert server.uploads == before


def test_rows_with_several_labels_are_refused(
    server: JobServer, rows: Any, keys: dict[str, Any], tmp_path: Path
) -> None:
    several = [(text, [label, "news"] if i == 4 else [label]) for i, (text, label) in
               enumerate(rows[0])]  # fmt: skip
    before = server.uploads
    with pytest.raises(InputError) as caught:
        supertune.fit(several, backbone="openai:base", **keys)
    assert caught.value.code == "several_labels"
    assert server.uploads == before


def test_where_nobody_can_do_it_a_server_is_named(rows: Any) -> None:
    with pytest.raises(InputError) as caught:
        supertune.fit(rows[0], backbone="minilm", method="fine_tuning_job")
    assert caught.value.code == "method_does_not_fit"
    assert "--backbone openai:MODEL" in str(caught.value.next)
