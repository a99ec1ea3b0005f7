"""Answers to requests on a tiny random causal model: every method, restored, constrained."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.tiny_writers import save_tiny_writer

from supertune import registry
from supertune.config import method_options, recipe
from supertune.contracts import Columns, CompletionOptions, Problem
from supertune.errors import InputError
from supertune.pipeline import Workshop
from supertune.prompts.requests import Asking, writer
from supertune.structures import object_of
from supertune.tasks.text_generation import TASK
from supertune.training import fitting

TOPICS = ("sport", "news")
ROWS = [
    {"input": f"text {i} of {TOPICS[i % 2]}", "output": json.dumps({"topic": TOPICS[i % 2]})}
    for i in range(8)
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_writer(tmp_path_factory.mktemp("models") / "tiny-random-writer")


def shop(folder: Path, method: str, **options: Any) -> Workshop:
    keys = {"task": "text_generation", "backbone": str(folder), "method": method}
    return Workshop(recipe({**keys, "precision": "fp32", "instruction": "Which?", **options}))


@pytest.fixture(scope="module")
def problem(folder: Path) -> Problem:
    rows = TASK.read(ROWS, Columns()).train.canonical()
    return shop(folder, "lora").problem(rows, str(folder))


def fitted(folder: Path, problem: Problem, method: str, **options: Any) -> Any:
    chosen = registry.method(method)
    settings = method_options(shop(folder, method, **options).recipe, method)
    return fitting.fit(chosen, problem, settings), chosen, settings


TUNED = ("lora", "adapter", "ia3", "top_blocks")


@pytest.mark.parametrize("method", [*TUNED, "untuned", "in_context"])
def test_each_method_comes_back_to_the_letter(folder: Path, problem: Problem, method: str) -> None:
    options = {"epochs": 6, "learning_rate": 0.03} if method in TUNED else {}
    tuned, chosen, settings = fitted(folder, problem, method, **options)
    if method in TUNED:
        assert isinstance(settings, CompletionOptions)
        losses = [loss for _, loss in tuned.losses]
        assert losses[-1] < losses[0]
    inputs = problem.examples.inputs[:3]
    again = fitting.restore(chosen, tuned.state(), settings, problem.head, problem.lens)
    assert np.array_equal(tuned.logits(inputs, problem.lens), again.logits(inputs, problem.lens))


def test_only_the_answer_has_a_loss_and_kept_states_give_the_same(problem: Problem) -> None:
    import torch

    lens = problem.lens
    assert lens is not None
    backbone = writer(lens)
    request = backbone.requested((("user", "What is it?"),), True)
    pieces = [backbone.answered(request, text) for text in ("sport", '{"topic": "a longer one"}')]
    sums, counts = backbone.answer_losses(pieces, None, 0)
    assert counts.tolist() == [len(one) - len(request) for one in pieces]
    ids = torch.tensor([pieces[1].ids])
    logits = lens.backbone.model(ids).logits[0].log_softmax(-1)
    own = [-float(logits[i - 1, ids[0, i]]) for i in range(len(request), ids.shape[1])]
    assert float(sums[1]) == pytest.approx(sum(own), rel=1e-4)
    kept, _ = backbone.answer_losses(pieces, lens.activations(pieces, 1), 1)
    assert kept.tolist() == pytest.approx(sums.tolist(), rel=1e-5)


@pytest.mark.parametrize("structure", ["answers", ["sport", "news"]])
def test_what_is_held_to_a_structure_is_of_it_whatever_the_model(
    folder: Path, problem: Problem, structure: Any
) -> None:
    tuned, *_ = fitted(folder, problem, "untuned", structure=structure)
    lens = problem.lens
    assert lens is not None
    for seed, heat in ((0, 0.0), (1, 1.0)):
        how = tuned.writing.model_copy(update={"temperature": heat, "seed": seed})
        found = tuned.complete(["a", "b and more"], lens, how)
        assert all(one.ended for one in found)
        for one in found:
            told = object_of(one.text)
            topic = one.text if structure != "answers" else told and told["topic"]
            assert topic in TOPICS


def test_sampling_is_the_same_by_seed_and_repetition_is_held_down(
    folder: Path, problem: Problem
) -> None:
    tuned, *_ = fitted(folder, problem, "untuned")
    lens = problem.lens
    assert lens is not None
    base = tuned.writing.model_copy(update={"temperature": 1.0, "seed": 4})

    def texts(**changed: Any) -> list[str]:
        how = base.model_copy(update=changed)
        return [one.text for one in tuned.complete(["a", "b"], lens, how)]

    assert texts() == texts()
    assert texts() != texts(seed=5)
    written = texts(temperature=0.0, repetition_penalty=10.0)
    ids = [lens.backbone.tokenizer(text)["input_ids"] for text in written]
    assert all(len(set(one)) >= 0.9 * len(one) for one in ids)


def test_a_mark_in_a_text_ends_no_turn(problem: Problem) -> None:
    assert problem.lens is not None
    backbone = writer(problem.lens)
    plain = backbone.requested((("user", "a im_end b"),), True)
    assert backbone.requested((("user", "a <|im_end|> b"),), True).ids == plain.ids


def test_shown_rows_stand_in_front_the_nearest_last(folder: Path, problem: Problem) -> None:
    tuned, *_ = fitted(folder, problem, "in_context", shots=2)
    request = str(problem.examples.inputs[5])
    assert tuned._shown(request)[-1][0] == request
    turns = tuned.asking.turns("x", [("a", "b")])
    assert turns == (("user", "Which?\na"), ("assistant", "b"), ("user", "Which?\nx"))


def test_what_has_too_many_tokens_is_refused_and_never_cut(folder: Path, problem: Problem) -> None:
    long = replace(problem.examples, inputs=("word " * 600, *problem.examples.inputs[1:]))
    with pytest.raises(InputError) as refused:
        fitted(folder, replace(problem, examples=long), "lora")
    assert refused.value.code == "row_too_long"
    tuned, *_ = fitted(folder, problem, "untuned")
    with pytest.raises(InputError) as told:
        tuned.complete(["word " * 600], problem.lens, tuned.writing)
    assert told.value.code == "text_too_long"


@pytest.mark.parametrize(
    ("structure", "code"),
    [
        ("json", "bad_structure"),
        ({"colour": "red"}, "bad_structure"),
        ({"type": "nonsense"}, "bad_structure"),
        ([], "no_choices"),
        (["a", "a"], "choice_twice"),
        (["a", ""], "no_choices"),
    ],
)
def test_a_bad_structure_is_refused(
    folder: Path, problem: Problem, structure: Any, code: str
) -> None:
    def asked() -> None:
        tuned, *_ = fitted(folder, problem, "untuned", structure=structure)
        tuned.complete(["a"], problem.lens, tuned.writing)

    with pytest.raises(InputError) as refused:
        asked()
    assert refused.value.code == code


def test_a_request_is_asked_as_the_model_was_taught(problem: Problem) -> None:
    asking = Asking("", False, Asking.of(problem, CompletionOptions()).writing)
    assert problem.lens is not None
    (piece,) = asking.pieces(["hello"], problem.lens)
    assert problem.lens.backbone.tokenizer.decode(piece.ids) == "hello\n\n"


def test_beams_find_what_transformers_own_search_finds(problem: Problem) -> None:
    import torch

    from supertune.contracts import Answering

    lens = problem.lens
    assert lens is not None
    asked = writer(lens).requested((("user", "What is it?"),), True)
    ids = torch.tensor([asked.ids])
    found = lens.backbone.model.generate(
        ids, attention_mask=torch.ones_like(ids), num_beams=3, num_return_sequences=3,
        max_new_tokens=6, do_sample=False, eos_token_id=None, return_dict_in_generate=True,
        output_scores=True,
    )  # fmt: skip
    how = Answering(max_new_tokens=6, beams=3, n_best=3)
    (best,) = writer(lens).completed([asked], how)
    ours = [best, *best.others]
    texts = [lens.backbone.tokenizer.decode(one[len(asked.ids) :]) for one in found.sequences]
    assert [one.text for one in ours] == [text.strip() for text in texts]
    assert np.allclose([one.surety for one in ours], found.sequences_scores, atol=1e-5)


def test_beams_keep_to_a_structure(problem: Problem) -> None:
    pytest.importorskip("llguidance")
    from supertune.contracts import Answering

    lens = problem.lens
    assert lens is not None
    asked = writer(lens).requested((("user", "What is it?"),), True)
    how = Answering(max_new_tokens=24, beams=3, n_best=2, structure=("sport", "news"))
    (best,) = writer(lens).completed([asked], how)
    found = [best, *best.others]
    assert {one.text for one in found} <= {"sport", "news"}
    assert all(one.ended for one in found)
