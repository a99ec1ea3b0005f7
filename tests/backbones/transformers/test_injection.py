"""Tuned numbers put into a model and taken out again."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from supertune.contracts import Encoding, Injection
from supertune.errors import InputError

TEXTS = ["a good film", "the long dull story of two", "bad"]
FAMILIES = ("bert", "roberta", "distilbert", "t5", "gpt2", "llama")


def lora(blocks=(2, 3), targets=None, **settings):
    return Injection("LORA", blocks, {"r": 2, "target_modules": targets, **settings})


def vectors(backbone):
    return backbone.features(backbone.tokens(TEXTS, Encoding()), Encoding())


def inject(backbone, injection, seed=0):
    return backbone.inject(injection, seed=seed)


def shifted(tunable, by=0.05):
    """The same tunable with all of its numbers moved."""
    import torch

    with tunable, torch.no_grad():
        for parameter in tunable.parameters():
            parameter.add_(by)
    return tunable


def blocks_in(names):
    """Numbers of the blocks that parameter names lie in; None for a name outside of blocks."""
    found = (re.search(r"(?:layers?|block|h)\.(\d+)\.", name) for name in names)
    return {match and int(match[1]) for match in found}


@pytest.fixture
def unchanged():
    """``with unchanged(backbone):`` the weights, modules and gradients' marks are as before."""
    from contextlib import contextmanager

    def seen(backbone):
        model = backbone.model
        frozen = not any(parameter.requires_grad for parameter in model.parameters())
        empty = all(parameter.grad is None for parameter in model.parameters())
        kinds = [(name, type(module)) for name, module in model.named_modules()]
        hooks = sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())
        return backbone.fingerprint(), frozen, empty, kinds, hooks, hasattr(model, "peft_config")

    @contextmanager
    def watch(backbone):
        before, answers = seen(backbone), vectors(backbone)
        assert before[1:3] == (True, True)
        yield
        assert seen(backbone) == before
        np.testing.assert_array_equal(vectors(backbone), answers)

    return watch


# --- what is tuned ----------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
def test_lora_goes_into_query_and_value_of_the_chosen_blocks_alone(tiny, family, unchanged):
    queries_and_values = {
        "bert": {"query", "value"},
        "roberta": {"query", "value"},
        "distilbert": {"q_lin", "v_lin"},
        "t5": {"q", "v"},
        "gpt2": {"c_attn"},
        "llama": {"q_proj", "v_proj"},
    }
    with unchanged(tiny(family)):
        tunable = inject(tiny(family), lora((1, 3)))
    names = list(tunable.kept)
    assert blocks_in(names) == {1, 3}
    assert {name.split(".")[-3] for name in names} == queries_and_values[family]
    assert {name.split(".")[-2] for name in names} == {"lora_A", "lora_B"}
    assert tunable.cut == 1


def test_lora_goes_into_the_layers_asked_for(tiny):
    names = list(inject(tiny("bert"), lora(targets=["dense"])).kept)
    assert blocks_in(names) == {2, 3}, "the pooler has a layer of that name too"
    assert {name.split(".")[-3] for name in names} == {"dense"}
    assert len(names) == 2 * 3 * 2  # blocks, layers of that name, A and B


def test_a_layer_that_is_not_there_is_refused_with_those_that_are(tiny, unchanged):
    with unchanged(tiny("bert")), pytest.raises(InputError) as caught:
        inject(tiny("bert"), lora(targets=["querry"]))
    assert caught.value.code == "target_not_found"
    assert "querry" in str(caught.value.received)
    assert caught.value.allowed == "dense, key, query, value"
    assert "--set" in str(caught.value.next)


def test_a_kind_that_peft_does_not_have_is_refused_with_those_it_has(tiny, unchanged):
    with unchanged(tiny("bert")), pytest.raises(InputError) as caught:
        inject(tiny("bert"), Injection("magic", (3,), {}))
    assert caught.value.code == "unknown_peft_type"
    assert "LORA" in str(caught.value.allowed)


def test_tokens_before_the_text_are_refused_and_not_silently_left_out(tiny, unchanged):
    with unchanged(tiny("bert")), pytest.raises(InputError) as caught:
        inject(tiny("bert"), Injection("PREFIX_TUNING", None, {"num_virtual_tokens": 4}))
    assert caught.value.code == "prompt_learning_unsupported"


@pytest.mark.parametrize("kind", ["IA3", "LOHA", "VERA", "OFT"])
def test_other_kinds_of_peft_tune_and_leave_as_well(tiny, kind, unchanged):
    settings = {
        "IA3": {"target_modules": ["key", "value"], "feedforward_modules": []},
        "LOHA": {"target_modules": ["query"], "r": 2},
        "VERA": {"target_modules": ["query"], "r": 2},
        "OFT": {"target_modules": ["query"], "oft_block_size": 8, "r": 0},
    }
    backbone = tiny("bert")
    with unchanged(backbone):
        tunable = shifted(inject(backbone, Injection(kind, None, settings[kind])), 1.0)
        assert tunable.kept
        assert tunable.from_input
        frozen = vectors(backbone)
        with tunable:
            assert not np.allclose(vectors(backbone), frozen, atol=1e-4)


def test_everything_is_tuned_but_the_pooler_that_nothing_reads(tiny):
    backbone = tiny("bert")
    tunable = shifted(inject(backbone, Injection("unfreeze", None, {})), 0.0)
    pooler = {name for name, _ in backbone.model.named_parameters() if name.startswith("pooler.")}
    every = {name for name, _ in backbone.model.named_parameters()}
    assert pooler
    assert set(tunable.kept) == every - pooler
    assert tunable.from_input


def test_of_a_model_only_the_chosen_blocks_are_unfrozen(tiny):
    tunable = shifted(inject(tiny("bert"), Injection("unfreeze", (2,), {})), 0.0)
    assert blocks_in(tunable.kept) == {2}
    assert (tunable.cut, tunable.from_input) == (2, False)


# --- inside and outside -----------------------------------------------------------------------

KINDS = {"lora": lora(), "unfreeze": Injection("unfreeze", None, {})}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kind", KINDS)
def test_inside_the_model_is_another_and_afterwards_the_same(tiny, family, kind, unchanged):
    backbone = tiny(family)
    with unchanged(backbone):
        tunable = shifted(inject(backbone, KINDS[kind]))
        frozen = vectors(backbone)
        with tunable:
            assert not np.allclose(vectors(backbone), frozen, atol=1e-4)
            tuned = vectors(backbone)
        np.testing.assert_array_equal(vectors(backbone), frozen)
        with tunable:
            np.testing.assert_array_equal(vectors(backbone), tuned)


@pytest.mark.parametrize("kind", KINDS)
def test_a_failure_inside_leaves_the_backbone_as_it_was(tiny, kind, unchanged):
    import torch

    backbone = tiny("bert")
    for failure in (KeyboardInterrupt, ValueError, MemoryError):
        with unchanged(backbone):
            tunable = inject(backbone, KINDS[kind])
            with pytest.raises(failure), tunable, torch.no_grad():  # noqa: PT012
                for parameter in tunable.parameters():
                    parameter.mul_(3)
                raise failure


def test_an_interruption_while_numbers_are_put_in_leaves_no_trace(tiny, unchanged, monkeypatch):
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
        inject(backbone, lora())
    assert len(calls) == 2
    monkeypatch.undo()
    with unchanged(backbone):
        assert len(inject(backbone, lora()).kept) == 8


@pytest.mark.parametrize("kind", KINDS)
def test_numbers_of_another_shape_or_name_are_refused_and_leave_no_trace(tiny, kind, unchanged):
    backbone = tiny("bert")
    good = shifted(inject(backbone, KINDS[kind])).kept
    name = next(iter(good))
    # An array of one row would be spread over all rows, were it copied without looking.
    changed = [
        {**good, name: good[name][:1]},
        {n: a for n, a in good.items() if n != name},
        {**good, "something.else": good[name]},
    ]
    for numbers in changed:
        with unchanged(backbone):
            tunable = inject(backbone, KINDS[kind])
            tunable.keep(numbers)
            with pytest.raises(InputError) as caught:
                tunable.__enter__()
            assert caught.value.code == "adapter_mismatch"


@pytest.mark.parametrize("kind", KINDS)
def test_numbers_kept_are_put_in_bit_for_bit(tiny, kind):
    backbone = tiny("llama")
    first = shifted(inject(backbone, KINDS[kind]))
    with first:
        expected = vectors(backbone)
    given = {name: array.copy() for name, array in first.kept.items()}
    for array in given.values():
        array.setflags(write=False)  # as they come out of a file
    second = inject(backbone, KINDS[kind], seed=9)
    second.keep(given)
    with second:
        np.testing.assert_array_equal(vectors(backbone), expected)
    for name, array in first.kept.items():
        np.testing.assert_array_equal(second.kept[name], array)


def test_two_models_share_a_backbone_one_after_the_other(tiny, unchanged):
    backbone = tiny("bert")
    with unchanged(backbone):
        one, other = (shifted(inject(backbone, lora()), by) for by in (0.05, -0.1))
        answers = []
        for tunable in (one, other, one):
            with tunable:
                answers.append(vectors(backbone))
        np.testing.assert_array_equal(answers[0], answers[2])
        assert not np.allclose(answers[0], answers[1], atol=1e-4)


def test_a_second_model_inside_the_first_is_refused(tiny, unchanged):
    backbone = tiny("bert")
    one, other = (inject(backbone, lora()) for _ in range(2))
    with unchanged(backbone), one:
        before = vectors(backbone)
        for second in (one, other):
            with pytest.raises(RuntimeError, match="has tuned numbers in it already"):
                second.__enter__()
        np.testing.assert_array_equal(vectors(backbone), before)


def test_a_model_starts_where_the_backbone_is(tiny):
    backbone = tiny("bert")
    frozen = vectors(backbone)
    for kind in KINDS.values():
        with inject(backbone, kind):
            np.testing.assert_array_equal(vectors(backbone), frozen)


def test_the_same_seed_gives_the_same_numbers_and_another_others(tiny):
    import torch

    state = torch.random.get_rng_state()
    first, again, other = (inject(tiny("bert"), lora(), seed=s).kept for s in (1, 1, 2))
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert any(not np.array_equal(first[name], other[name]) for name in first)
    assert torch.equal(torch.random.get_rng_state(), state), "the person's own random numbers"


def test_dropout_that_an_adapter_asks_for_is_off(tiny):
    tunable = shifted(inject(tiny("bert"), lora(lora_dropout=0.5)))
    with tunable:
        np.testing.assert_array_equal(vectors(tiny("bert")), vectors(tiny("bert")))
        assert not any(module.training for module in tiny("bert").model.modules())


# --- training from the cut --------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kind", ["lora", "unfreeze"])
def test_from_the_cut_or_from_the_input_features_and_gradients_are_the_same(tiny, family, kind):
    import torch

    backbone = tiny(family)
    injection = lora((2, 3)) if kind == "lora" else Injection("unfreeze", (2, 3), {})
    tunable = shifted(inject(backbone, injection))
    pieces = [pieces[0] for pieces in backbone.tokens(TEXTS, Encoding())]
    width = max(len(piece.ids) for piece in pieces)
    assert tunable.from_input == (family == "t5")
    hidden = None
    if not tunable.from_input:
        states = [torch.from_numpy(states) for states in backbone.activations(pieces, 2)]
        hidden = torch.nn.utils.rnn.pad_sequence(states, batch_first=True)
    found = []
    for given in (None, hidden):
        with tunable:
            batch = backbone.tensors(pieces, len(pieces), width)
            pooled = tunable.run(batch, given, Encoding())
            (pooled**2).sum().backward()
            gradients = [parameter.grad.clone() for parameter in tunable.parameters()]
            found.append((pooled.detach(), *gradients))
    for one, other in zip(*found):
        assert torch.isfinite(one).all()
        assert float((one - other).abs().max()) <= 1e-5 * max(1.0, float(one.abs().max()))
    assert all(gradient.abs().max() > 0 for gradient in found[0][1:])


# --- what peft itself makes of it -------------------------------------------------------------

# peft 0.21 asks transformers 5.23 for a property by its old name.
theirs = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")


@theirs
def test_peft_reads_the_adapter_and_computes_the_same(minilm, tmp_path):
    import torch
    from peft import PeftModel
    from safetensors.numpy import save_file
    from transformers import AutoModel

    tunable = shifted(inject(minilm, lora((3, 4, 5), r=4)), 0.01)
    save_file(tunable.kept, tmp_path / "adapter_model.safetensors", {"format": "pt"})
    (tmp_path / "adapter_config.json").write_text(json.dumps(tunable.config()), "utf-8")
    with tunable:
        expected = vectors(minilm)
    assert not np.allclose(vectors(minilm), expected, atol=1e-4)
    model = AutoModel.from_pretrained(str(minilm.ref.folder), dtype=torch.float32)
    reread = PeftModel.from_pretrained(model, str(tmp_path)).eval()
    for text, vector in zip(TEXTS, expected):
        ((piece,),) = minilm.tokens([text], Encoding())
        with torch.no_grad():
            hidden = reread(input_ids=torch.tensor([piece.ids])).last_hidden_state[0].mean(0)
        unit = torch.nn.functional.normalize(hidden, dim=0).numpy()
        np.testing.assert_allclose(vector, unit, atol=1e-5)


@theirs
def test_an_adapter_of_peft_names_its_numbers_as_peft_does(minilm):
    from peft import LoraConfig, get_peft_model
    from peft.utils import get_peft_model_state_dict
    from transformers import AutoConfig, AutoModel

    ours = inject(minilm, lora((4, 5)))
    config = AutoConfig.from_pretrained(str(minilm.ref.folder))
    settings = {"r": 2, "target_modules": ["query", "value"], "layers_to_transform": [4, 5]}
    made = get_peft_model(AutoModel.from_config(config), LoraConfig(**settings))
    expected = {name: tuple(t.shape) for name, t in get_peft_model_state_dict(made).items()}
    assert {name: array.shape for name, array in ours.kept.items()} == expected
