"""``peft:NAME``: what is registered is known without importing peft, and told with reasons."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from supertune import registry
from supertune.config import Recipe, method_options, recipe
from supertune.contracts import GradientMethod, misfit
from supertune.errors import InputError
from supertune.methods import _peft_source as source

FAMILY = registry.families()[0]

SEEN = """
import json, sys
from supertune import registry
family = registry.families()[0]
for each in family.table():
    if each["families"]:
        registry.method(each["name"]).options()
heavy = {"peft", "torch", "transformers"} & set(sys.modules)
print(json.dumps([sorted(heavy), list(family.names())]))
"""


def test_every_type_that_peft_registers_is_known_without_importing_it(python):
    heavy, names = json.loads(python(SEEN).stdout)
    assert heavy == []
    import peft  # noqa: F401
    from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING

    assert names == sorted(kind.value for kind in PEFT_TYPE_TO_CONFIG_MAPPING)
    assert len(names) > 40


@pytest.mark.parametrize("kind", FAMILY.names())
def test_its_arguments_and_their_defaults_are_peft_s(kind):
    from dataclasses import MISSING, fields

    import peft  # noqa: F401
    from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING

    made = {field.name: field for field in fields(PEFT_TYPE_TO_CONFIG_MAPPING[kind])}
    read = source.arguments(kind)
    assert set(read) <= set(made)
    assert set(made) - set(read) <= source._BOOKKEEPING
    for name, argument in read.items():
        own = made[name].default
        if argument.default is not None and own is not MISSING:
            assert argument.default == getattr(own, "value", own)


@pytest.mark.parametrize("kind", FAMILY.names())
def test_it_is_a_gradient_method_or_refused_with_the_reason(kind):
    (row,) = [each for each in FAMILY.table() if each["name"] == f"peft:{kind}"]
    if not row["families"]:
        with pytest.raises(InputError) as caught:
            registry.method(row["name"])
        assert caught.value.code == "method_refused"
        assert row["why"] in caught.value.message
        return
    method = registry.method(row["name"])
    assert isinstance(method, GradientMethod)
    assert method is registry.method(row["name"])
    assert method.name == row["name"]
    assert 10 <= len(method.summary) <= 120
    assert any(sign.isdigit() for sign in method.reference)
    options = method.options()
    assert not set(type(options).model_fields) & set(Recipe.model_fields)
    assert method.options.model_validate(json.loads(options.model_dump_json())) == options
    with pytest.raises(ValidationError):
        method.options(no_such_key=1)


def test_arguments_pass_through_by_their_own_names():
    checked = recipe({"method": "peft:LOHA", "r": 4, "alpha": 2, "learning_rate": 0.01})
    options = method_options(checked)
    from supertune.catalogue import entries

    offer = next(e.offer for e in entries.models() if e.name == "minilm")
    injection = registry.method("peft:LOHA").injection(offer, options)
    assert injection.kind == "LOHA"
    assert injection.settings == {"r": 4, "alpha": 2}
    assert injection.blocks == (3, 4, 5)
    assert options.learning_rate == 0.01
    own = registry.method("peft:LORA").options(target_modules=r".*layer\.5\..*query")
    assert registry.method("peft:LORA").injection(offer, own).blocks is None, "it may be anywhere"


@pytest.mark.parametrize("kind", ["LOHA", "VBLORA", "PREFIX_TUNING"])
def test_a_recipe_that_spells_all_keys_out_asks_for_the_same(kind):
    from supertune.catalogue import entries

    offer = next(e.offer for e in entries.models() if e.name == "minilm")
    method = registry.method(f"peft:{kind}")
    short = method.options()
    spelled = method.options(**short.model_dump())
    assert method.injection(offer, spelled) == method.injection(offer, short)


def test_a_wrong_argument_is_refused_with_those_there_are():
    with pytest.raises(InputError) as caught:
        recipe({"method": "peft:LOHA", "rank": 4})
    assert "rank" in str(caught.value.received)
    assert "rank_dropout" in str(caught.value.allowed)


@pytest.mark.parametrize(
    ("name", "hint"), [("peft:loha", "peft:LOHA"), ("peft:LOHAA", "LOHA"), ("peft:", None)]
)
def test_an_unknown_type_is_refused_with_the_nearest(name, hint):
    assert not registry.known("methods", name)
    with pytest.raises(InputError) as caught:
        registry.method(name)
    assert caught.value.code == "unknown_peft_type"
    assert "LOKR" in str(caught.value.allowed)
    assert hint is None or hint in str(caught.value.next)


def test_what_needs_a_causal_model_says_so_in_its_needs():
    from supertune.catalogue import entries

    offers = {e.name: e.offer for e in entries.models()}
    why = misfit(registry.method("peft:CPT"), "classify", offers["minilm"])
    assert why is not None
    assert "next_token_logits" in why
    assert misfit(registry.method("peft:CPT"), "classify", offers["smollm2"]) is None


def test_members_are_no_keys_of_their_own_but_known():
    assert not any(":" in name or name == "peft" for name in registry.names("methods"))
    assert registry.known("methods", "peft:LOHA")
    assert registry.known("methods", "peft:XLORA"), "known, and refused"
    assert registry.known("methods", "lora")
    assert not registry.known("methods", "peft")
    assert not registry.known("tasks", "peft:LOHA")


def test_a_model_folder_of_a_member_is_read_again(tmp_path, own_activations):
    import supertune
    from supertune.catalogue.corpora import few_shot

    rows, _ = few_shot("bbc-news", per_class=2, test_rows=1, seed=0)
    settings = {"folds": 2, "repeats": 1, "max_length": 16, "threads": 1, "epochs": 1, "r": 2}
    model = supertune.fit(
        rows, output=tmp_path / "model", method="peft:LOHA", backbone="minilm", **settings
    )
    assert json.loads((tmp_path / "model" / "supertune.json").read_text())["method"] == "peft:LOHA"
    config = json.loads((tmp_path / "model" / "adapter_config.json").read_text("utf-8"))
    assert (config["peft_type"], config["r"]) == ("LOHA", 2)
    texts = [text for text, _ in rows]
    expected = model.predict_proba(texts).tobytes()
    assert supertune.load(tmp_path / "model").predict_proba(texts).tobytes() == expected
