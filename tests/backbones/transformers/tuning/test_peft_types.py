"""Every method that the installed peft registers, with its defaults: it trains, or is refused."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from supertune import registry
from supertune.errors import InputError

FAMILY = registry.families()[0]
TABLE = {each["name"]: each for each in FAMILY.table()}
RUN = [name for name, each in TABLE.items() if each["families"]]
BACKBONES = {"bert": "encoder", "llama": "causal"}

# Defaults that are too large for blocks of 32 numbers.
SMALL = {"peft:FOURIERFT": {"n_frequency": 64}, "peft:PSOFT": {"r": 8}}
# Tensors that no gradient reaches on a random model, and why.
UNREACHED = {
    ("peft:GLORA", "bert"): "glora_D",  # it scales biases, and those of a new BERT are zero
}


# peft's FROD makes sparse tensors without saying whether torch is to check them.
@pytest.mark.filterwarnings("ignore:Sparse invariant checks are implicitly disabled")
@pytest.mark.parametrize("name", RUN)
def test_it_trains_is_kept_and_leaves_nothing_or_is_refused_before_loading(
    tiny, name, unchanged, stepped, vectors
):
    method = registry.method(name)
    for family, kind in BACKBONES.items():
        backbone = tiny(family)
        options = method.options(**SMALL.get(name, {}))
        if kind not in TABLE[name]["families"]:
            with pytest.raises(InputError) as caught:
                method.injection(backbone.offer, options)
            assert caught.value.code == "method_does_not_fit"
            assert TABLE[name]["why"] in caught.value.message
            continue
        injection = method.injection(backbone.offer, options)
        with unchanged(backbone):
            tunable = backbone.inject(injection, seed=0)
            with tunable:
                start = vectors(backbone)
            fresh = backbone.inject(injection, seed=0)
            largest = stepped(fresh, 3)
            with fresh:
                tuned = vectors(backbone)
            again = backbone.inject(injection, seed=7)
            again.keep({name: array.copy() for name, array in fresh.kept.items()})
            with again:
                np.testing.assert_array_equal(vectors(backbone), tuned)
        dead = [n for n, seen in largest.items() if not seen > 0]
        expected = UNREACHED.get((name, family))
        assert [n for n in dead if expected is None or expected not in n] == []
        assert np.abs(tuned - start).max() > 1e-6
        assert fresh.tuned_parameters == again.tuned_parameters > 0
        json.dumps(fresh.config(), allow_nan=False)
        assert str(backbone.ref.folder) not in json.dumps(fresh.config())


@pytest.mark.parametrize("name", ["peft:LOHA", "peft:BOFT", "peft:ROAD"])
def test_what_has_no_form_for_the_layers_of_gpt2_is_refused_before_loading(tiny, name):
    method = registry.method(name)
    with pytest.raises(InputError) as caught:
        method.injection(tiny("gpt2").offer, method.options())
    assert caught.value.code == "method_does_not_fit"
    assert "GPT-2" in caught.value.message


def test_an_adaption_prompt_is_refused_for_models_that_peft_has_no_place_for(tiny):
    method = registry.method("peft:ADAPTION_PROMPT")
    for family, fits in (("llama", True), ("opt", False), ("bert", False)):
        offer = tiny(family).offer
        if fits:
            assert method.injection(offer, method.options()).settings["adapter_layers"] == 2
            deep = replace(offer, depth=12)
            assert method.injection(deep, method.options()).settings["adapter_layers"] == 6
            continue
        with pytest.raises(InputError) as caught:
            method.injection(offer, method.options())
        assert caught.value.code == "method_does_not_fit"


def test_tokens_around_the_text_are_those_tuned_where_none_are_named(tiny):
    method = registry.method("peft:TRAINABLE_TOKENS")
    tunable = tiny("bert").inject(method.injection(tiny("bert").offer, method.options()), seed=0)
    with tunable:
        pass
    assert tunable.tuned_parameters == 2 * 32, "one at the beginning, one at the end"
    named = method.options(token_indices=[5, 6, 7])
    tunable = tiny("gpt2").inject(method.injection(tiny("gpt2").offer, named), seed=0)
    with tunable:
        pass
    assert tunable.tuned_parameters == 3 * 32
    with pytest.raises(InputError) as caught:
        tiny("gpt2").inject(method.injection(tiny("gpt2").offer, method.options()), seed=0)
    assert caught.value.code == "tokens_missing"
