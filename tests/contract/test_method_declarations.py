"""What every method says about itself, before anything is loaded."""

from __future__ import annotations

import json
from typing import get_args

import pytest
from pydantic import ValidationError

from supertune import registry
from supertune.contracts import (
    OFFERED_BY,
    Capability,
    FoldSolver,
    GradientMethod,
    GradientOptions,
    Objective,
    Offer,
    Options,
    Solver,
    misfit,
)


def offering(*capabilities: str) -> Offer:
    return Offer(
        capabilities=frozenset(capabilities),
        family="encoder",
        architecture="SomeModel",
        width=8,
        depth=6,
        parameters=1,
        max_length=8,
        pooling="mean",
    )


def test_its_name_is_its_key(case):
    assert registry.method(case.name) is case.method
    assert case.name in registry.names("methods")
    assert case.name.isidentifier()
    assert case.name == case.name.lower()


def test_its_summary_is_one_line_for_a_table(case):
    assert 10 <= len(case.method.summary) <= 120
    assert case.method.summary == " ".join(case.method.summary.split())


def test_it_says_where_it_comes_from(case):
    assert any(sign.isdigit() for sign in case.method.reference), "an author and a year"


def test_it_needs_capabilities_that_exist(case):
    assert isinstance(case.method.needs, frozenset)
    assert case.method.needs <= set(get_args(Capability))


def test_it_serves_objectives_that_exist(case):
    assert isinstance(case.method.objectives, frozenset)
    assert case.method.objectives
    assert case.method.objectives <= set(get_args(Objective))


def test_its_place_among_candidates_is_a_number_that_no_rival_has(case):
    rivals = [one for one in registry.methods() if one.objectives & case.method.objectives]
    places = [method.simplicity for method in rivals]
    assert type(case.method.simplicity) is int
    assert case.method.simplicity >= 0
    assert case.name == "majority" or case.method.simplicity > 0, "nothing is simpler"
    assert places.count(case.method.simplicity) == 1


def test_it_is_solved_or_trained_and_not_both(case):
    assert isinstance(case.method, Solver) != isinstance(case.method, GradientMethod)
    if isinstance(case.method, GradientMethod):
        assert issubclass(case.method.options, GradientOptions)
        assert not isinstance(case.method, FoldSolver)
        assert "torch" in case.method.needs


def test_its_options_are_frozen(case):
    options = case.method.options()
    for key in (*type(options).model_fields, "anything"):
        with pytest.raises(ValidationError):
            setattr(options, key, 1)


def test_an_option_that_it_does_not_have_is_refused(case):
    assert issubclass(case.method.options, Options)
    with pytest.raises(ValidationError, match="extra_forbidden"):
        case.method.options(no_such_key=1)


def test_its_defaults_are_values_that_it_would_accept(case):
    defaults = case.method.options().model_dump(mode="json")
    again = case.method.options.model_validate(json.loads(json.dumps(defaults)))
    assert again == case.method.options()


def test_its_options_have_a_json_schema_and_each_a_default(case):
    schema = json.loads(json.dumps(case.method.options.model_json_schema()))
    assert schema["additionalProperties"] is False
    assert set(schema["properties"]) == set(case.method.options.model_fields)
    assert not schema.get("required")


def test_an_objective_that_it_does_not_serve_is_refused_in_words(case):
    for objective in set(get_args(Objective)) - case.method.objectives:
        why = misfit(case.method, objective, offering(*case.method.needs))
        assert why == f"{case.name} serves {', '.join(sorted(case.method.objectives))}, not " + (
            objective
        )


def test_a_backbone_that_lacks_something_is_refused_by_what_it_lacks(case):
    objective = min(case.method.objectives)
    if not case.method.needs:
        assert misfit(case.method, objective, None) is None
        assert misfit(case.method, objective, offering("features")) == (
            f"{case.name} takes no backbone"
        )
        return
    assert misfit(case.method, objective, offering(*case.method.needs)) is None
    for one in case.method.needs - OFFERED_BY["text"]:
        why = misfit(case.method, objective, offering(*case.method.needs - {one}))
        assert why == f"{case.name} needs {one}, which SomeModel lacks"
    nothing = misfit(case.method, objective, None)
    assert nothing == f"{case.name} needs a backbone with {', '.join(sorted(case.method.needs))}"


def test_whether_it_fits_is_known_without_loading_anything(case, judged):
    why, _, _, heavy = judged[case.name]
    assert why.startswith(f"{case.name} serves ")
    assert heavy == []


def test_fit_refuses_what_does_not_fit_by_name_before_loading(case, judged):
    _, code, message, heavy = judged[case.name]
    assert code == ("nothing_fits" if case.method.needs else "method_does_not_fit")
    assert case.name in message
    assert ("none" if case.method.needs else "minilm") in message
    assert heavy == []
