"""Every kind: inside the model is another one, afterwards nothing of it is left."""

from __future__ import annotations

import numpy as np
import pytest

from supertune.contracts import Encoding, Injection
from supertune.errors import InputError

FAMILIES = ("bert", "roberta", "distilbert", "masked-bert", "t5", "gpt2", "llama", "opt", "mpnet")
KINDS = (
    *("lora", "dora", "pissa", "ia3", "everything", "blocks", "norms"),
    *("houlsby", "pfeiffer", "parallel", "deep_prompts", "prompt", "prefix", "p_tuning"),
)
# Where a prompt has no place; test_peft_prompts and test_deep_prompts have the refusals.
IMPOSSIBLE = {
    *((f, "prefix") for f in ("distilbert", "t5", "mpnet")),
    *((f, "deep_prompts") for f in ("t5", "mpnet")),
}
DECLARED = {"prefix": "past_keys", "deep_prompts": "block_prompts"}
# What starts at something else than nothing at all.
PROMPTS = {"deep_prompts", "prompt", "prefix", "p_tuning"}


@pytest.mark.parametrize("kind", sorted(DECLARED))
@pytest.mark.parametrize("family", FAMILIES)
def test_what_a_folder_declares_of_prompts_is_what_its_model_takes(tiny, family, kinds, kind):
    backbone = tiny(family)
    declared = DECLARED[kind] in backbone.offer.capabilities
    assert declared == ((family, kind) not in IMPOSSIBLE)
    if declared:
        backbone.inject(kinds[kind], seed=0)
        return
    with pytest.raises(InputError) as caught:
        backbone.inject(kinds[kind], seed=0)
    assert caught.value.code == "prompts_unsupported"


@pytest.mark.parametrize("family", FAMILIES)
def test_inside_the_model_is_another_and_afterwards_the_same(
    tiny, family, kinds, unchanged, shifted, vectors
):
    backbone = tiny(family)
    frozen = vectors(backbone)
    for name, injection in kinds.items():
        if (family, name) in IMPOSSIBLE:
            continue
        with unchanged(backbone):
            tunable = shifted(backbone.inject(injection, seed=0), 0.2)
            with tunable:
                tuned = vectors(backbone)
            assert not np.allclose(tuned, frozen, atol=1e-5), name
            with tunable:
                np.testing.assert_array_equal(vectors(backbone), tuned, name)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("family", ["bert", "llama"])
def test_after_two_steps_a_gradient_has_reached_every_tensor(
    tiny, family, kind, kinds, unchanged, stepped
):
    backbone = tiny(family)
    with unchanged(backbone):
        largest = stepped(backbone.inject(kinds[kind], seed=0), 2)
    assert largest
    assert [name for name, seen in largest.items() if not seen > 0] == []


@pytest.mark.parametrize("kind", KINDS)
def test_kept_numbers_are_put_in_again_bit_for_bit(tiny, kind, kinds, stepped, vectors):
    backbone = tiny("llama")
    first = backbone.inject(kinds[kind], seed=0)
    stepped(first)
    with first:
        expected = vectors(backbone)
    given = {name: array.copy() for name, array in first.kept.items()}
    for array in given.values():
        array.setflags(write=False)  # as they come out of a file
    second = backbone.inject(kinds[kind], seed=9)
    second.keep(given)
    with second:
        np.testing.assert_array_equal(vectors(backbone), expected)
    assert set(second.kept) == set(given)
    for name, array in given.items():
        np.testing.assert_array_equal(second.kept[name], array)
    assert second.tuned_parameters == first.tuned_parameters == sum(a.size for a in given.values())


@pytest.mark.parametrize("kind", KINDS)
def test_numbers_of_another_shape_or_name_are_refused_and_leave_no_trace(
    tiny, kind, kinds, unchanged
):
    backbone = tiny("bert")
    tunable = backbone.inject(kinds[kind], seed=0)
    with tunable:
        pass
    good = tunable.kept
    name = next(iter(good))
    # An array of one row would be spread over all rows, were it copied without looking.
    changed = [
        {**good, name: good[name][:1]},
        {n: a for n, a in good.items() if n != name},
        {**good, "something.else": good[name]},
    ]
    for numbers in changed:
        with unchanged(backbone):
            tunable = backbone.inject(kinds[kind], seed=0)
            tunable.keep(numbers)
            with pytest.raises(InputError) as caught:
                tunable.__enter__()
            assert caught.value.code == "adapter_mismatch"


@pytest.mark.parametrize("kind", KINDS)
def test_a_failure_inside_leaves_the_backbone_as_it_was(tiny, kind, kinds, unchanged):
    import torch

    backbone = tiny("bert")
    for failure in (KeyboardInterrupt, ValueError):
        with unchanged(backbone):
            tunable = backbone.inject(kinds[kind], seed=0)
            with pytest.raises(failure), tunable, torch.no_grad():  # noqa: PT012
                for parameter in tunable.parameters():
                    parameter.mul_(3)
                raise failure


@pytest.mark.parametrize("kind", KINDS)
def test_an_entry_that_is_interrupted_at_its_end_leaves_no_trace(
    tiny, kind, kinds, unchanged, monkeypatch
):
    backbone = tiny("bert")
    tunable = backbone.inject(kinds[kind], seed=0)
    put = type(tunable)._put

    def interrupted(self):
        put(self)
        raise KeyboardInterrupt

    with unchanged(backbone), monkeypatch.context() as patch:
        patch.setattr(type(tunable), "_put", interrupted)
        with pytest.raises(KeyboardInterrupt):
            tunable.__enter__()
        patch.undo()
    with unchanged(backbone), tunable:
        assert tunable.parameters()


def test_an_entry_that_is_interrupted_half_way_leaves_no_trace(tiny, unchanged, monkeypatch):
    from peft.tuners.lora import LoraModel

    backbone, calls = tiny("bert"), []
    replace = LoraModel._replace_module

    def second_time(*arguments):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        replace(*arguments)

    monkeypatch.setattr(LoraModel, "_replace_module", second_time)
    with unchanged(backbone), pytest.raises(KeyboardInterrupt):
        backbone.inject(Injection("LORA", (2, 3), {"r": 2}), seed=0)
    assert len(calls) == 2


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in PROMPTS])
def test_a_model_starts_where_the_backbone_is(tiny, kind, kinds, vectors):
    backbone = tiny("bert")
    frozen = vectors(backbone)
    with backbone.inject(kinds[kind], seed=0):
        # DoRA and PiSSA divide the weights into parts whose sum is rounded once more.
        np.testing.assert_allclose(vectors(backbone), frozen, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_numbers_and_nobody_s_own_random_numbers_move(
    tiny, kind, kinds
):
    import torch

    state = torch.random.get_rng_state()
    kept = []
    for _ in range(2):
        tunable = tiny("bert").inject(kinds[kind], seed=1)
        with tunable:
            pass
        kept.append(tunable.kept)
    assert all(np.array_equal(kept[0][name], kept[1][name]) for name in kept[0])
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize("kind", sorted({"lora", "pfeiffer", "prompt", "prefix", "deep_prompts"}))
def test_another_seed_gives_other_numbers(tiny, kind, kinds):
    first, other = (tiny("bert").inject(kinds[kind], seed=seed) for seed in (1, 2))
    for tunable in (first, other):
        with tunable:
            pass
    assert any(not np.array_equal(first.kept[name], other.kept[name]) for name in first.kept)


def test_two_models_share_a_backbone_one_after_the_other(tiny, kinds, unchanged, shifted, vectors):
    backbone = tiny("bert")
    with unchanged(backbone):
        one = shifted(backbone.inject(kinds["prompt"], seed=0), 0.3)
        other = shifted(backbone.inject(kinds["lora"], seed=0), 0.3)
        answers = []
        for tunable in (one, other, one):
            with tunable:
                answers.append(vectors(backbone))
        np.testing.assert_array_equal(answers[0], answers[2])
        assert not np.allclose(answers[0], answers[1], atol=1e-4)


def test_a_second_model_inside_the_first_is_refused(tiny, kinds, unchanged, vectors):
    backbone = tiny("bert")
    one, other = (backbone.inject(kinds[kind], seed=0) for kind in ("prompt", "lora"))
    with unchanged(backbone), one:
        before = vectors(backbone)
        for second in (one, other):
            with pytest.raises(RuntimeError, match="has tuned numbers in it already"):
                second.__enter__()
        np.testing.assert_array_equal(vectors(backbone), before)


@pytest.mark.parametrize("family", ["bert", "roberta", "distilbert", "gpt2", "llama", "opt", "t5"])
@pytest.mark.parametrize("kind", ["lora", "ia3", "blocks", "houlsby", "parallel", "deep_prompts"])
def test_from_the_cut_or_from_the_input_features_and_gradients_are_the_same(
    tiny, family, kind, kinds, shifted, batch_of
):
    import torch

    if (family, kind) in IMPOSSIBLE:
        pytest.skip("no place for a prompt")
    backbone = tiny(family)
    tunable = shifted(backbone.inject(kinds[kind], seed=0))
    assert (tunable.cut, tunable.from_input) == (2, False)
    with torch.no_grad():
        hidden = backbone.entering(batch_of(backbone), 2)
    found = []
    for given in (None, hidden):
        with tunable:
            pooled = tunable.run(batch_of(backbone), given, Encoding())
            (pooled**2).sum().backward()
            gradients = [parameter.grad.clone() for parameter in tunable.parameters()]
            found.append((pooled.detach(), *gradients))
    scale = max(1.0, *(float(one.abs().max()) for one in found[0]))
    for one, other in zip(*found):
        assert torch.isfinite(one).all()
        assert float((one - other).abs().max()) <= 1e-5 * scale


@pytest.mark.parametrize("kind", ["lora", "p_tuning"])
def test_dropout_of_what_was_put_in_is_off_unless_it_is_asked_for(tiny, kind, vectors, batch_of):
    settings = {
        "lora": Injection("LORA", (2, 3), {"r": 2, "lora_dropout": 0.5}),
        "p_tuning": Injection("P_TUNING", None, {
            "num_virtual_tokens": 3, "encoder_hidden_size": 8,
            "encoder_reparameterization_type": "LSTM", "encoder_dropout": 0.5,
            "encoder_num_layers": 2,
        }),
    }  # fmt: skip
    import torch

    backbone = tiny("bert")
    tunable = backbone.inject(settings[kind], seed=0)
    with tunable, torch.random.fork_rng(devices=[]), torch.no_grad():
        for parameter in tunable.parameters():
            parameter.add_(0.3)
        np.testing.assert_array_equal(vectors(backbone), vectors(backbone))
        assert not any(module.training for module in backbone.model.modules())
        frozen = vectors(backbone)
        tunable.training(True)
        one, other = (tunable.run(batch_of(backbone), None, Encoding()) for _ in range(2))
        assert not torch.equal(one, other)
        tunable.training(False)
        np.testing.assert_array_equal(vectors(backbone), frozen)
