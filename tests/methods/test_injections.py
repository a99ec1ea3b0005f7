"""What each method that the loop trains asks of the engine."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pydantic import ValidationError

from supertune import registry
from supertune.contracts import Injection, misfit

UPPER = (3, 4, 5)


def injection(lens, name, **options):
    method = registry.method(name)
    return method.injection(lens.backbone.offer, method.options(**options))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ia3", Injection("IA3", UPPER, {})),
        ("bitfit", Injection("unfreeze", UPPER, {"only": "biases"})),
        ("layernorm", Injection("unfreeze", UPPER, {"only": "norms"})),
        ("top_blocks", Injection("unfreeze", (5,), {"only": "all"})),
        ("full", Injection("unfreeze", None, {"only": "all"})),
        (
            "contrastive",
            Injection("unfreeze", UPPER, {"only": "all", "temperature": 0.1}, "contrastive"),
        ),
        (
            "adapter",
            Injection(
                "adapter",
                UPPER,
                {"placement": "pfeiffer", "reduction": 16, "activation": "gelu"},
            ),
        ),
        (
            "prompt_tuning",
            Injection(
                "PROMPT_TUNING",
                None,
                {"num_virtual_tokens": 8, "init": "labels", "init_text": None},
            ),
        ),
        (
            "prefix_tuning",
            Injection(
                "PREFIX_TUNING",
                None,
                {"num_virtual_tokens": 8, "init": "labels", "init_text": None},
            ),
        ),
        (
            "deep_prompts",
            Injection("deep_prompts", UPPER, {"tokens": 8, "init": "labels", "init_text": None}),
        ),
    ],
)
def test_by_default(lens, name, expected):
    assert injection(lens, name) == expected


WITH_BLOCKS = [
    name
    for name in registry.names("methods")
    if "blocks" in registry.method(name).options.model_fields
    and "classify" in registry.method(name).objectives  # a detector's are counted from the top
]


@pytest.mark.parametrize("name", WITH_BLOCKS)
def test_blocks_are_the_upper_half_all_or_those_named_lowest_first(lens, name):
    for blocks, expected in (("upper", UPPER), ("all", tuple(range(6))), ((5, 1, 5), (1, 5))):
        assert injection(lens, name, blocks=blocks).blocks == expected


def test_top_blocks_stop_at_the_lowest(lens):
    assert injection(lens, "top_blocks", count=2).blocks == (4, 5)
    assert injection(lens, "top_blocks", count=99).blocks == tuple(range(6))


@pytest.mark.parametrize("name", ["prompt_tuning", "prefix_tuning", "deep_prompts"])
def test_a_text_to_start_at_goes_with_that_choice_alone(lens, name):
    settings = injection(lens, name, init="text", init_text="good or bad", tokens=5).settings
    assert (settings["init"], settings["init_text"]) == ("text", "good or bad")
    assert 5 in settings.values()
    for wrong in ({"init": "text"}, {"init_text": "good"}, {"init": "random", "init_text": "good"}):
        with pytest.raises(ValidationError, match="init_text goes with init=text"):
            injection(lens, name, **wrong)


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("prefix_tuning", "past_keys"),
        ("peft:PREFIX_TUNING", "past_keys"),
        ("deep_prompts", "block_prompts"),
    ],
)
def test_prompts_that_a_backbone_has_no_place_for_are_refused_by_name(lens, name, missing):
    method, offer = registry.method(name), lens.backbone.offer
    assert misfit(method, "classify", offer) is None
    bare = replace(offer, capabilities=offer.capabilities - {missing}, architecture="T5Model")
    assert misfit(method, "classify", bare) == f"{name} needs {missing}, which T5Model lacks"


def test_bitfit_needs_biases_which_some_models_lack(lens):
    offer = lens.backbone.offer
    assert misfit(registry.method("bitfit"), "classify", offer) is None
    bare = replace(offer, capabilities=offer.capabilities - {"biases"}, architecture="Llama")
    why = misfit(registry.method("bitfit"), "classify", bare)
    assert why == "bitfit needs biases, which Llama lacks"
