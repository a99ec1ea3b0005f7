"""Tuning a real translator on a few pairs: the decoder over cached states, averaged, restored."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from supertune import registry
from supertune.backbones.transformers.translation import beams
from supertune.catalogue.corpora import few_pairs
from supertune.config import method_options, recipe
from supertune.contracts import (
    Columns,
    Problem,
    Rendering,
    Translated,
    TranslationOptions,
    options_of,
    translator,
)
from supertune.errors import InputError
from supertune.pipeline import Workshop
from supertune.tasks.translation import TASK
from supertune.training import fitting, stopping, translating

BACKBONE = "bergamot-en-pt"


def shop(method: str, **options: Any) -> Workshop:
    return Workshop(recipe({"task": "translation", "backbone": BACKBONE, "method": method,
                            "precision": "fp32", **options}))  # fmt: skip


@pytest.fixture(scope="module")
def problem() -> Problem:
    rows, _ = few_pairs("gnome-help-pt", train_rows=40, test_rows=0, seed=1)
    short = [row for row in rows if len(row[0]) < 60][:10]
    found = TASK.read([{"source": a, "target": b} for a, b, _ in short], Columns())
    return shop("lora").problem(found.train.canonical(), BACKBONE)


def fitted(problem: Problem, method: str, **options: Any) -> Any:
    chosen = registry.method(method)
    settings = method_options(
        shop(method, **{"epochs": 2, "batch_size": 4, **options}).recipe, method
    )
    return fitting.fit(chosen, problem, settings), chosen, settings


@pytest.mark.parametrize(
    "method", ["lora", "bitfit", "adapter", "ia3", "top_blocks", "decoder_prompts"]
)
def test_each_method_makes_the_pairs_likelier_and_comes_back_to_the_letter(
    problem: Problem, method: str
) -> None:
    tuned, chosen, settings = fitted(problem, method)
    assert isinstance(settings, TranslationOptions)
    losses = [loss for _, loss in tuned.losses]
    assert np.mean(losses[3:]) < np.mean(losses[:3])
    assert tuned.tunable.cut >= 6  # only the decoder is tuned, over states that were kept
    inputs = problem.examples.inputs[:3]
    again = fitting.restore(chosen, tuned.state(), settings, problem.head, problem.lens)
    assert np.array_equal(tuned.logits(inputs, problem.lens), again.logits(inputs, problem.lens))


def test_prompts_stand_in_front_of_what_any_block_attends_to(problem: Problem) -> None:
    """Of the encoder too; where the decoder looks is told of the text alone."""
    tuned, *_ = fitted(problem, "decoder_prompts", blocks=(0, 7), tokens=3, epochs=1)
    assert (tuned.tunable.cut, tuned.tuned_parameters) == (0, 2 * 3 * 256)
    lens = problem.lens
    assert lens is not None
    backbone, pairs = translator(lens), translating.Pairs.of(problem, lens)
    plain = backbone.states(lens.backbone.activations(pairs.sources, 0), 0).hidden
    with tuned.entered(lens) as cut, torch.no_grad():
        states = backbone.states(lens.activations(pairs.sources, cut), cut)
        looked = backbone.looked(states, pairs.texts)  # type: ignore[attr-defined]
    assert not torch.allclose(states.hidden, plain, atol=1e-3)
    shapes = [(len(text), len(source)) for text, source in zip(pairs.texts, pairs.sources)]
    assert [one.shape for one in looked] == shapes
    again = backbone.states(lens.backbone.activations(pairs.sources, 0), 0).hidden
    assert torch.equal(again, plain)


def test_losses_over_kept_states_are_those_from_the_text_on(problem: Problem) -> None:
    """And the words that compete may be fewer than all."""
    lens = problem.lens
    assert lens is not None
    backbone = translator(lens)
    pairs = translating.Pairs.of(problem, lens)
    kept = backbone.states(lens.activations(pairs.sources, 6), 6)
    plain = backbone.states(lens.backbone.activations(pairs.sources, 0), 0)
    found = [backbone.losses(states, pairs.texts)[0].detach().numpy() for states in (kept, plain)]
    assert np.allclose(found[0], found[1], rtol=1e-5)
    among = backbone.likely(kept, pairs.texts, 16)
    assert len(among) < 4000
    fewer = backbone.losses(kept, pairs.texts, 0.0, among)[0].detach().numpy()
    assert np.all(fewer < found[0])
    assert np.allclose(fewer, found[0], rtol=0.2)


def test_tuned_numbers_are_averaged_over_the_last_steps_and_may_go_half_the_way(
    problem: Problem,
) -> None:
    whole, *_ = fitted(problem, "bitfit", interpolation=1.0)
    half, *_ = fitted(problem, "bitfit")
    last, *_ = fitted(problem, "bitfit", averaging=0.0, interpolation=1.0)
    own = dict(whole.tunable.backbone.model.named_parameters())
    name = next(iter(whole.tunable.kept))
    start = own[name].detach().numpy()
    assert np.allclose(half.tunable.kept[name] - start, (whole.tunable.kept[name] - start) / 2,
                       atol=1e-6)  # fmt: skip
    assert not np.array_equal(last.tunable.kept[name], whole.tunable.kept[name])


def test_pairs_held_out_tell_when_to_stop_and_which_numbers_are_kept(problem: Problem) -> None:
    learned, out = stopping.parted(problem.examples, 0.3, 0)
    assert len(out) == 3
    assert sorted([*learned, *out]) == list(range(len(problem.examples)))
    keys = {"held_out": 0.3, "patience": 1, "learning_rate": 0.05, "epochs": 40}
    tuned, *_ = fitted(problem, "bitfit", **keys)
    losses = [loss for _, loss in tuned.held]
    assert 2 <= len(losses) < 20  # at such a rate it soon gets worse
    assert losses[-1] >= min(losses[:-1])
    assert [one.name for one in tuned.notes().curves] == ["loss", "held-out loss"]
    lens = problem.lens
    assert lens is not None
    backbone, pairs = translator(lens), translating.Pairs.of(problem, lens)
    rows = stopping.parted(problem.examples, 0.3, problem.seed)[1].tolist()
    with tuned.entered(lens) as cut, torch.no_grad():
        states = backbone.states(lens.activations([pairs.sources[i] for i in rows], cut), cut)
        sums, counts = backbone.losses(states, [pairs.texts[i] for i in rows])
    assert float(sums.sum() / counts.sum()) == pytest.approx(min(losses), abs=1e-4)


def test_groups_are_held_out_whole_and_something_is_always_learned_from(problem: Problem) -> None:
    grouped = replace(problem.examples, groups=np.array([0, 0, 0, 0, 0, 0, 1, 1, 1, 1]))
    for seed in range(4):
        learned, out = stopping.parted(grouped, 0.2, seed)
        assert len(out) in (4, 6)
        assert len(learned) + len(out) == 10
    alone = replace(problem.examples, groups=np.zeros(10, dtype=np.int64))
    assert len(stopping.parted(alone, 0.2, 0)[1]) == 0
    assert len(stopping.parted(problem.examples, 0.0, 0)[1]) == 0


def test_a_pair_with_more_tokens_than_are_read_is_refused_with_its_row(problem: Problem) -> None:
    long = np.array([*problem.examples.targets[:-1], "palavra " * 600])  # type: ignore[index]
    with pytest.raises(InputError) as caught:
        fitted(replace(problem, examples=replace(problem.examples, targets=long)), "lora")
    assert caught.value.code == "pair_too_long"
    assert f"row {problem.examples.rows[-1]}" in str(caught.value.received)


def test_memory_of_pairs_answers_what_it_knows_and_speaks_up_near_it(problem: Problem) -> None:
    tuned, chosen, settings = _remembered(problem)
    known = problem.examples.inputs[0]
    assert problem.examples.targets is not None
    answers = registry.task("translation").decode(
        tuned.logits([known, "Good morning."], problem.lens), ("translation",), problem.head
    )
    assert answers.texts[0] == str(problem.examples.targets[0])  # type: ignore[attr-defined]
    assert 0 <= tuned.trust.share < 1
    again = chosen.restore(tuned.state(), problem.head, problem.lens)
    inputs = [known, "Open the settings."]
    assert np.array_equal(tuned.logits(inputs, problem.lens), again.logits(inputs, problem.lens))
    assert settings.neighbours == 8


def test_a_beam_over_many_texts_finds_what_it_finds_for_each_alone(problem: Problem) -> None:
    """Texts of unequal length, which end at unequal times; of these short ones none is less likely
    than what is written greedily."""
    lens = problem.lens
    assert lens is not None
    backbone = translator(lens)
    pieces = translating.Pairs.of(problem, lens).sources
    assert len(set(map(len, pieces))) > 3

    def found(some: list[Any], beams: int) -> list[Translated]:
        states = backbone.states(lens.activations(some, 6), 6)
        return backbone.translated(states, some, Rendering(beams=beams, length_penalty=0.0))

    together, alone = found(pieces, 3), [found([piece], 3)[0] for piece in pieces]
    assert [one.text for one in together] == [one.text for one in alone]
    assert np.allclose([one.surety for one in together], [one.surety for one in alone], atol=1e-4)
    for one, other in zip(together, found(pieces, 1), strict=True):
        sums = [made.surety * len(backbone.spelled(made.text)) for made in (one, other)]
        assert sums[0] >= sums[1] - 1e-3


def test_the_largest_of_a_vocabulary_are_those_of_a_plain_search() -> None:
    values = torch.randn(5, 1000 * beams.PART, generator=torch.Generator().manual_seed(0))
    for few in (values, values[:, :1000]):
        plain = few.topk(7)
        found, places = beams.largest(few, 7)
        assert torch.equal(found, plain.values)
        assert torch.equal(places, plain.indices)


def _remembered(problem: Problem) -> Any:
    chosen = registry.method("knn_memory")
    settings = options_of(chosen, "translate")()
    return fitting.fit(chosen, problem, settings), chosen, settings
