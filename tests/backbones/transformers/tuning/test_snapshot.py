"""A model is set back to what was written down of it, whatever was done in between."""

from __future__ import annotations

import pytest

from supertune.backbones.transformers.tuning.snapshot import Snapshot


@pytest.fixture
def model():
    import torch

    torch.manual_seed(0)
    made = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.LayerNorm(4), torch.nn.ReLU())
    return made.requires_grad_(False).eval()


def test_swapped_layers_hooks_attributes_and_marks_are_taken_back(model):
    import torch

    x = torch.randn(5, 3)
    before, keys = model(x), [sorted(module.__dict__) for module in model.modules()]
    first = model[0]
    snapshot = Snapshot(model)
    model[0] = torch.nn.Linear(3, 4)
    model[1].register_forward_hook(lambda _m, _i, out: out * 2)
    first.weight.requires_grad_(True)
    first.weight.grad = torch.ones_like(first.weight)
    model.extra = "something"
    model.add_module("more", torch.nn.Tanh())
    model.train()
    assert not torch.equal(model(x), before)
    snapshot.restore()
    assert torch.equal(model(x), before)
    assert model[0] is first
    assert first.weight.grad is None
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert [sorted(module.__dict__) for module in model.modules()] == keys
    assert not any(module.training for module in model.modules())


def test_weights_written_into_come_back_where_copies_were_made(model):
    import torch

    own = model[0].weight.detach().clone()
    snapshot = Snapshot(model, copy_weights=True)
    with torch.no_grad():
        model[0].weight.mul_(3)
    snapshot.restore()
    assert torch.equal(model[0].weight, own)


def test_a_hook_from_before_stays_and_can_still_be_removed(model):
    import torch

    handle = model[0].register_forward_hook(lambda _m, _i, out: out + 1)
    x = torch.randn(2, 3)
    before = model(x)
    snapshot = Snapshot(model)
    model[0].register_forward_hook(lambda _m, _i, out: out * 0)
    snapshot.restore()
    assert torch.equal(model(x), before)
    handle.remove()
    assert len(model[0]._forward_hooks) == 0


def test_modules_that_were_added_are_known(model):
    import torch

    snapshot = Snapshot(model)
    added = torch.nn.Tanh()
    model.add_module("more", added)
    assert snapshot.new_modules(model) == [added]
