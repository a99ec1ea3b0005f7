"""What every method that the shared loop trains declares and does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from supertune.contracts import Injection
from supertune.training import fitting


@pytest.fixture
def injection(trained) -> Injection:
    return trained.method.injection(trained.lens.backbone.offer, trained.options)


def test_it_names_blocks_that_the_backbone_has_lowest_first(trained, injection):
    depth = trained.lens.backbone.offer.depth
    if injection.blocks is not None:
        assert injection.blocks or injection.criterion == "names"
        assert list(injection.blocks) == sorted(set(injection.blocks))
        assert all(0 <= block < depth for block in injection.blocks)


def test_it_names_blocks_of_backbones_of_any_depth(trained):
    for depth in (1, 2, 48):
        offer = replace(trained.lens.backbone.offer, depth=depth)
        injection = trained.method.injection(offer, trained.options)
        blocks, names = injection.blocks, injection.criterion == "names"
        assert blocks is None or ((blocks or names) and set(blocks) <= set(range(depth)))


def test_what_it_declares_is_the_same_each_time(trained, injection):
    again = trained.method.injection(trained.lens.backbone.offer, trained.options)
    assert again == injection


def test_the_cut_is_the_lowest_block(trained, injection):
    tunable = trained.lens.backbone.inject(injection, seed=0)
    depth = trained.lens.backbone.offer.depth
    assert tunable.cut == (0 if injection.blocks is None else min(injection.blocks, default=depth))
    assert tunable.from_input == (injection.blocks is None)


def test_what_it_tunes_learns_only_inside_the_with_block(trained, injection, same_weights, encoded):
    tunable = trained.lens.backbone.inject(injection, seed=0)
    with tunable:
        parameters = tunable.parameters()
        assert parameters
        assert all(parameter.requires_grad for parameter in parameters)
        count = sum(parameter.numel() for parameter in parameters)
    assert not any(p.requires_grad for p in trained.lens.backbone.model.parameters())
    kept = sum(array.size for array in tunable.kept.values())
    assert kept < count if trained.name in encoded else kept == count
    assert same_weights(trained)


def test_training_moves_what_is_tuned_and_the_loss_falls(trained):
    # A solved head leaves next to nothing that could fall.
    keys = {**trained.keys, "epochs": 2, "head_start": "softened"}
    options = trained.method.options(**keys)
    tuned = fitting.fit(trained.method, trained.problem(trained.examples), options)
    start = trained.lens.backbone.inject(
        trained.method.injection(trained.lens.backbone.offer, trained.options), seed=0
    )
    with start:
        pass
    assert set(start.kept) == set(tuned.tunable.kept)
    moved = [np.abs(tuned.tunable.kept[name] - start.kept[name]).max() for name in start.kept]
    assert max(moved) > 0
    assert len(tuned.losses) == 2
    assert tuned.losses[1] < tuned.losses[0]


def test_another_seed_is_another_model(trained, state_bytes):
    assert state_bytes(trained.fit(trained.examples, seed=1)) != state_bytes(trained.tuned())


def test_progress_is_told_step_by_step_to_the_end(trained):
    told = []
    trained.fit(
        trained.settings[trained.spare], progress=lambda done, total: told.append((done, total))
    )
    assert told == [(step + 1, len(told)) for step in range(len(told))]
    assert told


@pytest.mark.parametrize("fault", [KeyboardInterrupt, RuntimeError])
def test_training_that_breaks_off_leaves_the_weights_as_they_were(trained, same_weights, fault):
    def stop(done: int, total: int) -> None:
        raise fault

    with pytest.raises(fault):
        trained.fit(trained.examples, progress=stop)
    assert same_weights(trained)
    assert not any(p.requires_grad for p in trained.lens.backbone.model.parameters())


def test_after_training_broke_off_the_next_one_is_as_ever(trained, state_bytes):
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained.fit(trained.settings[trained.spare], progress=stop)
    assert state_bytes(trained.fit(trained.examples)) == state_bytes(trained.tuned())
