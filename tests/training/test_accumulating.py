"""Steps in parts give what steps in one part give."""

from __future__ import annotations

import numpy as np
import pytest

from supertune import limits, registry
from supertune.config import Recipe
from supertune.contracts import HeadSpec, Problem
from supertune.limits import Splitting
from supertune.pipeline import Workshop
from supertune.training import descent, loop

METHODS = ("lora", "contrastive", "full")


def trained(problem, name, **keys):
    method = registry.method(name)
    return loop.train(method, problem, method.options(**{"epochs": 3, **keys}))


def arrays(tuned):
    state = tuned.state()
    return {**state.arrays, **state.adapter}


def alike(one, other):
    np.testing.assert_allclose(one.losses, other.losses, rtol=1e-5)
    first, second = arrays(one), arrays(other)
    assert first.keys() == second.keys()
    for name in first:
        largest = max(np.abs(first[name]).max(), 1e-3)
        assert np.abs(first[name] - second[name]).max() <= 2e-3 * largest, name


def codes(tuned):
    return {found.code for found in tuned.findings}


@pytest.fixture(scope="module")
def lens(own_activations):
    """In float32: in bf16 the rows of a pack decide how its products are rounded."""
    return Workshop(Recipe(max_length=24, precision="fp32")).lens("minilm")


@pytest.fixture(scope="module")
def problem_of(lens):
    def made(examples, **changes):
        head = HeadSpec(len(examples.labels), examples.multi_label)
        return Problem(examples, head, **{"lens": lens, "seed": 0, **changes})

    return made


@pytest.fixture
def in_parts(monkeypatch):
    def set_to(parts):
        monkeypatch.setattr(descent, "_splitting", lambda *_: Splitting(parts))

    return set_to


@pytest.mark.parametrize("name", METHODS)
def test_a_step_in_parts_gives_the_numbers_of_a_whole_one(problem_of, news, in_parts, name):
    whole = trained(problem_of(news), name)
    assert "step_in_parts" not in codes(whole)
    in_parts(3)
    parts = trained(problem_of(news), name)
    assert "step_in_parts" in codes(parts)
    alike(whole, parts)


def test_weights_of_rows_count_over_the_whole_step(problem_of, news, in_parts):
    from dataclasses import replace

    weighted = replace(news, weights=np.linspace(0.1, 3.0, len(news)))
    whole = trained(problem_of(weighted), "lora")
    in_parts(4)
    alike(whole, trained(problem_of(weighted), "lora"))


def test_dropout_drops_the_same_when_a_part_is_run_again(problem_of, news, in_parts):
    in_parts(3)
    one = trained(problem_of(news), "contrastive", dropout=0.2)
    other = trained(problem_of(news), "contrastive", dropout=0.2)
    assert one.losses == other.losses
    assert one.losses[-1] < one.losses[0]


def test_memory_that_runs_out_in_training_makes_smaller_parts(problem_of, news, monkeypatch, lens):
    whole = trained(problem_of(news), "lora")
    kind = type(lens.backbone.inject(registry.method("lora").injection(lens.backbone.offer,
        registry.method("lora").options()), seed=0))  # fmt: skip
    run = kind.run

    def scarce(self, batch, hidden, encoding, **keys):
        import torch

        if torch.is_grad_enabled() and len(batch.mask) > 7:
            raise RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate")
        return run(self, batch, hidden, encoding, **keys)

    monkeypatch.setattr(kind, "run", scarce)
    parts = trained(problem_of(news), "lora")
    assert "step_in_parts" in codes(parts)
    alike(whole, parts)


def test_a_limit_of_memory_makes_parts_before_anything_runs_out(problem_of, news):
    with limits.within(limits.resident() + 3_000_000):
        parts = trained(problem_of(news), "contrastive")
    assert "step_in_parts" in codes(parts)
    alike(trained(problem_of(news), "contrastive"), parts)


def test_memory_that_runs_out_while_encoding_makes_smaller_batches(lens, news, monkeypatch):
    backbone = lens.backbone
    tokens = backbone.tokens(news.inputs, lens.encoding)
    for exact in (True, False):
        expected = backbone.features(tokens, lens.encoding, exact=exact)
        tensors = backbone.tensors

        def scarce(pieces, rows, width, tensors=tensors):
            if rows > 3:
                raise MemoryError
            return tensors(pieces, rows, width)

        with monkeypatch.context() as patched:
            patched.setattr(backbone, "tensors", scarce)
            patched.setattr(backbone, "splitting", Splitting())
            found = backbone.features(tokens, lens.encoding, exact=exact)
        np.testing.assert_allclose(found, expected, atol=1e-5)
