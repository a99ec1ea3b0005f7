"""What a fit finds out about itself: nothing where nothing is wrong, and in plain words."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from supertune import registry
from supertune.contracts import GradientMethod
from supertune.errors import InputError, SupertuneError
from supertune.training import answers, codes, fitting, loop
from supertune.training.verify import verified
from supertune.training.watch import probe_rows

SOURCE = Path(codes.__file__).parents[1]
GRADIENT = [
    m.name
    for m in registry.methods()
    if isinstance(m, GradientMethod)
    and m.objectives & {"classify", "regress"}  # others have loops of their own
]
SOLVED = ("linear_probe", "nearest_centroid", "label_names", "bag_of_words", "majority")


def options(name, **keys):
    kind = registry.method(name).options
    return kind(**{**({"epochs": 3} if "epochs" in kind.model_fields else {}), **keys})


@pytest.mark.parametrize("name", [*GRADIENT, *SOLVED])
def test_a_healthy_fit_on_minilm_gives_no_warning(problem_of, news, name):
    method = registry.method(name)
    if method.needs & {"score_text", "text_tower"}:
        pytest.skip("minilm has no language-model head, and no tower that reads beside another")
    problem = problem_of(news) if method.needs else problem_of(news, lens=None)
    tuned = fitting.fit(method, problem, options(name))
    assert verified(method, problem, options(name), tuned) == ()


@pytest.mark.parametrize("seeds", [0, 1, 2])
def test_small_batches_and_other_seeds_give_no_warning_either(problem_of, news, seeds):
    method, problem = registry.method("lora"), problem_of(news, seed=seeds)
    keys = options("lora", epochs=4, batch_size=8, learning_rate=3e-3)
    assert loop.train(method, problem, keys).findings == ()


def test_one_step_is_no_reason_to_worry(problem_of, news):
    method, problem = registry.method("lora"), problem_of(news)
    tuned = loop.train(method, problem, options("lora", epochs=1))
    assert tuned.findings == ()  # the first step gives LoRA's A no gradient


def test_watching_changes_no_number(problem_of, news, monkeypatch):
    from supertune.training.watch import Watch

    method, problem, keys = registry.method("lora"), problem_of(news), options("lora")
    watched = loop.train(method, problem, keys)
    for name in ("begin", "optimizing", "differentiated", "stepped", "end", "left"):
        monkeypatch.setattr(Watch, name, lambda *_: None)
    alone = loop.train(method, problem, keys)
    assert alone.losses == watched.losses
    one, other = (each.tunable.kept for each in (watched, alone))
    assert all(np.array_equal(one[name], other[name]) for name in one)


# --- the table --------------------------------------------------------------------------------


def test_a_warning_says_what_was_seen_and_what_to_do():
    found = codes.finding("no_gradient", codes.some([*"abcdefg"]), rows=[3])
    assert found.message == (
        "Tensors that are to be tuned never got a gradient (7: a, b, c, d, e, ...). "
        "Tune other layers."
    )
    assert (found.severity, found.rows) == ("warning", (3,))


def test_what_a_person_can_mend_ends_with_exit_code_2():
    own, ours = codes.stop("learning_rate_zero"), codes.stop("replay_differs", "by 50%")
    assert isinstance(own, InputError)
    assert (own.exit_code, type(ours), ours.exit_code) == (2, SupertuneError, 1)
    assert own.next == "Give a learning rate above zero: --set learning_rate=0.001."


def test_every_code_is_used_somewhere():
    """In the code, beside the table."""
    used = {
        node.value
        for path in SOURCE.rglob("*.py")
        if path != Path(codes.__file__)
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert set(codes.CODES) <= used


# --- scores -----------------------------------------------------------------------------------


def test_a_guess_is_as_good_as_the_labels_shares_allow(news):
    assert answers.chance(news) == pytest.approx(np.log(5))
    assert answers.chance(news.take(np.flatnonzero(news.targets == 2))) == 0


def test_values_on_a_scale_are_looked_at_too(news):
    values = replace(news, targets=np.linspace(-1.0, 1.0, len(news)), labels=("score",))
    assert answers.chance(values) == pytest.approx(np.var(values.targets))
    assert answers.check_end(values.targets[:, None], values) == []
    flat = answers.check_end(np.full((len(news), 1), 0.3), values)
    assert [finding.code for finding in flat] == ["scores_constant"]
    assert probe_rows(values, 7) == list(range(7))


def test_a_probe_takes_the_labels_in_turns(news):
    chosen = probe_rows(news, 7)
    assert len(set(chosen)) == 7
    assert sorted(np.bincount(news.targets[chosen])) == [1, 1, 1, 2, 2]


def test_a_gap_is_a_share_of_the_largest_value_and_endless_where_numbers_are_none():
    assert answers.apart(np.array([1.0, -4.0]), np.array([1.0, -3.0])) == 0.25
    assert answers.apart(np.array([1.0]), np.array([np.nan])) == np.inf


@pytest.mark.parametrize(("right", "found"), [(0, ["worse_than_chance"]), (3, []), (8, [])])
def test_answers_are_worse_than_chance_only_where_a_guess_would_rarely_be(news, right, found):
    two = news.take(np.flatnonzero(news.targets < 2))
    said = np.where(np.arange(8) < right, two.targets, 1 - two.targets)
    given = answers.check_end(np.eye(5)[said] * 3.0, two)
    assert [finding.code for finding in given] == found
