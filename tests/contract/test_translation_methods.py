"""What every method that translates owes each family of translators: promises kept, weights left.

Tiny ones, taught for a moment; Bergamot's own are in tests/training.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests import tiny_translators

from supertune import registry
from supertune.config import method_options, recipe
from supertune.contracts import Columns, GradientMethod, Problem, misfit
from supertune.pipeline import Workshop
from supertune.tasks.translation import TASK
from supertune.training import fitting

# NLLB is of M2M100's class, and differs in its tokenizer alone.
ASKED: dict[str, dict[str, str]] = {
    "marian": {},
    "nllb": {"source_language": "eng_Latn", "target_language": "por_Latn"},
    "t5": {"prefix": tiny_translators.TASK},
}
METHODS = [
    name
    for name in registry.names("methods")
    if "translate" in registry.method(name).objectives and registry.method(name).needs
]
BRIEF = {"epochs": 1, "batch_size": 5}


@dataclass(eq=False)
class Case:
    """One method on one family, fitted once."""

    method: Any
    problem: Problem
    options: Any

    @cached_property
    def tuned(self) -> Any:
        return self.fit()

    def fit(self) -> Any:
        return fitting.fit(self.method, self.problem, self.options)


@pytest.fixture(scope="module")
def cases(translator_folder: Callable[[str], Path]) -> Callable[[str, str], Case]:
    made: dict[tuple[str, str], Case] = {}

    def case(family: str, name: str) -> Case:
        if (family, name) not in made:
            folder, method = str(translator_folder(family)), registry.method(name)
            keys = {"task": "translation", "backbone": folder, "method": name, "precision": "fp32"}
            brief = BRIEF if isinstance(method, GradientMethod) else {}
            shop = Workshop(recipe({**keys, **ASKED[family], **brief}))
            offer = shop.offer(folder)
            if misfit(method, "translate", offer) is not None:
                pytest.skip(str(misfit(method, "translate", offer)))
            rows = [{"source": a, "target": b.upper()} for a, b in tiny_translators.PAIRS]
            problem = shop.problem(TASK.read(rows, Columns()).train.canonical(), folder)
            made[family, name] = Case(method, problem, method_options(shop.recipe, name))
        return made[family, name]

    return case


# What tunes linear layers of Marian's blocks does so of NLLB's, which has the same.
CASES = [(family, name) for family in ("marian", "t5") for name in METHODS]
CASES += [("nllb", name) for name in ("untuned", "lora", "full")]


@pytest.fixture(params=CASES, ids="-".join)
def one(request: pytest.FixtureRequest, cases: Callable[[str, str], Case]) -> Case:
    return cases(*request.param)


def test_what_was_tuned_comes_back_to_the_letter_and_the_weights_are_left(one: Case) -> None:
    """And only the decoder is computed anew in each step, unless everything is tuned."""
    lens: Any = one.problem.lens
    before = lens.backbone.fingerprint()
    tuned = one.tuned
    if isinstance(one.method, GradientMethod):
        assert (tuned.tunable.cut >= 3) == (one.method.name != "full")
    inputs = one.problem.examples.inputs[:3]
    again = fitting.restore(one.method, tuned.state(), one.options, one.problem.head, lens)
    assert np.array_equal(tuned.logits(inputs, lens), again.logits(inputs, lens))
    assert lens.backbone.fingerprint() == before


@pytest.mark.parametrize("name", METHODS)
def test_the_same_seed_gives_the_same_bytes_and_numbers_are_counted_truly(
    cases: Callable[[str, str], Case], name: str
) -> None:
    one = cases("marian", name)
    states = [one.tuned.state(), one.fit().state()]
    arrays = [{**state.arrays, **(state.adapter or {})} for state in states]
    assert arrays[0].keys() == arrays[1].keys()
    assert all(array.tobytes() == arrays[1][name].tobytes() for name, array in arrays[0].items())
    if isinstance(one.method, GradientMethod):
        assert one.tuned.tuned_parameters == sum(array.size for array in arrays[0].values())
        losses = [loss for _, loss in one.tuned.losses]
        assert np.isfinite(losses).all()


def test_what_does_not_fit_is_refused_from_declarations(
    translator_folder: Callable[[str], Path],
) -> None:
    folder = str(translator_folder("t5"))
    keys = {"task": "translation", "backbone": folder, "method": "bitfit"}
    offer = Workshop(recipe(keys)).offer(folder)
    told = misfit(registry.method("bitfit"), "translate", offer)
    assert told == "bitfit needs biases, which T5ForConditionalGeneration lacks"
