"""Every method that learns a voice, held to the promises of the others: a tiny random voice, real
prompts and the real judge."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests import tiny_voices

from supertune import registry
from supertune.artifact import tensor_bytes
from supertune.artifact.tensors import read_tensors
from supertune.catalogue.corpora import few_clips
from supertune.config import Recipe
from supertune.contracts import (
    FIGURES,
    Examples,
    HeadSpec,
    Lens,
    Problem,
    Speaking,
    State,
    Voicing,
)
from supertune.contracts.voices import HEARD, VOICE, Spoken
from supertune.data.sounds import decoding
from supertune.pipeline import Workshop
from supertune.training import fitting
from supertune.training.verify import verified

METHODS = [n for n in registry.names("methods") if "synthesise" in registry.method(n).objectives]
QUICK: dict[str, dict[str, Any]] = {"voice_map": {"tract": 1.1}}
HEAD = HeadSpec(1, figures=len(FIGURES))


@pytest.fixture(scope="module")
def rows() -> Examples:
    (*clips,) = few_clips("prompts-en", train_rows=3, test_rows=0, seed=5, words=2)[0]
    made = tuple(replace(one, said=text) for one, text in clips)
    return Examples(made, np.zeros(3, np.int64), ("similarity",), np.arange(1, 4))


@pytest.fixture(scope="module")
def lens(own_activations: Path, tmp_path_factory: pytest.TempPathFactory) -> Lens:
    folder = tiny_voices.vits(tmp_path_factory.mktemp("contract") / "tiny-random-vits")
    recipe = Recipe(task="text_to_speech", language="en", precision="fp32")
    found = Workshop(recipe).lens(str(folder))
    assert found is not None
    return found


class Case:
    def __init__(self, name: str, rows: Examples, lens: Lens) -> None:
        self.method = registry.method(name)
        self.options = self.method.options(**QUICK.get(name, {}))
        self.rows, self.lens = rows, lens
        self.tuned = cache(self.fit)

    def problem(self, rows: Examples | None = None) -> Problem:
        return Problem(rows or self.rows, HEAD, self.lens, seed=3)

    def fit(self, rows: Examples | None = None) -> Any:
        return fitting.fit(self.method, self.problem(rows), self.options)


@pytest.fixture(scope="module", params=METHODS)
def case(request: pytest.FixtureRequest, rows: Examples, lens: Lens) -> Case:
    return Case(request.param, rows, lens)


def test_what_tells_voices_apart_is_the_same_with_and_without_words(
    rows: Examples, lens: Lens
) -> None:
    judge: Any = lens.backbone
    samples, rate = decoding.mono(rows.inputs[0])
    texts, vectors = judge.listener.heard([samples], rate, "en")
    assert texts[0].strip()
    np.testing.assert_array_equal(judge.listener.voices([samples], rate), vectors)
    piece = Spoken(rows.inputs[0].said, "en", rows.inputs[0])
    (voice,), (both,) = (judge.activations([piece], place) for place in (VOICE, HEARD))
    np.testing.assert_array_equal(voice, both[2:])


def test_an_untuned_one_and_others_are_there() -> None:
    assert {"untuned", "pitch_shift", "voice_map"} <= set(METHODS)


def test_answers_are_figures_of_all_three_sides(case: Case) -> None:
    found = dict(zip(FIGURES, case.tuned().logits(case.rows.inputs, case.lens).T, strict=True))
    assert (found["words"] >= 2).all()
    for side in ("", "untuned_", "own_"):
        assert (found[f"{side}errors"] <= found["words"]).all()
        assert (np.abs(found[f"{side}similarity"]) <= 1).all()
    assert found["own_similarity"].mean() > 0 > found["untuned_similarity"].mean()
    if case.method.name == "untuned":
        np.testing.assert_array_equal(found["similarity"], found["untuned_similarity"])


def test_a_row_is_answered_alike_alone_and_among_others(case: Case) -> None:
    whole = case.tuned().logits(case.rows.inputs[:2], case.lens)
    alone = case.tuned().logits(case.rows.inputs[1:2], case.lens)
    np.testing.assert_array_equal(whole[1:], alone)


def test_no_rows_have_no_answers(case: Case) -> None:
    assert case.tuned().logits((), case.lens).shape == (0, len(FIGURES))


def test_what_is_kept_answers_as_it_does(case: Case) -> None:
    tuned = case.tuned()
    data = tensor_bytes(dict(tuned.state().arrays))
    state = State(read_tensors(data, "state"), tuned.state().settings)
    again = fitting.restore(case.method, state, case.options, HEAD, case.lens)
    assert tensor_bytes(dict(again.state().arrays)) == data
    assert again.tuned_parameters == tuned.tuned_parameters
    how = Speaking(seed=4, speed=1.3)
    np.testing.assert_array_equal(
        tuned.spoken("please hold", how, case.lens), again.spoken("please hold", how, case.lens)
    )


def test_the_same_rows_give_the_same_numbers(case: Case) -> None:
    again = case.fit()
    assert tensor_bytes(dict(again.state().arrays)) == tensor_bytes(
        dict(case.tuned().state().arrays)
    )


def test_it_speaks_and_obeys_speed(case: Case) -> None:
    tuned = case.tuned()
    assert isinstance(tuned, Voicing)
    slow, fast = (
        len(tuned.spoken("please hold the line", Speaking(speed=speed, rhythm=0.0), case.lens))
        for speed in (0.5, 2.0)
    )
    assert slow > 1.2 * fast


def test_what_was_fitted_is_verified(case: Case) -> None:
    found = verified(case.method, case.problem(), case.options, case.tuned())
    assert {one.code for one in found} <= {"not_understood"}
