"""What the recipe says of prompts, for the rows of a fit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from supertune import pipeline, registry
from supertune.config import recipe
from supertune.contracts import Examples, Input, Prompt
from supertune.errors import InputError
from supertune.pipeline import Workshop
from supertune.prompts import asking

FRENCH = ("le film est très bon et les acteurs aussi", "ce n'est pas une réussite pour lui") * 2
TASK = registry.task("text_classification")


def rows(inputs: tuple[Input, ...] = FRENCH, labels: tuple[str, ...] = ("neg", "pos")) -> Examples:
    targets = np.arange(len(inputs)) % max(1, len(labels))
    return Examples(inputs, targets, labels, np.arange(1, len(inputs) + 1))


def asked(examples: Examples, **keys: Any) -> Prompt | None:
    return Workshop(recipe(keys)).problem(examples, None).prompt


def test_a_problem_brings_a_preset_in_the_rows_language() -> None:
    found = asked(rows())
    assert found is not None
    assert found.template.startswith("{text} En somme")
    assert found.words == (("nul",), ("génial",))


def test_what_the_recipe_says_is_asked() -> None:
    found = asked(
        rows(),
        template="{text} Un film {answer}.",
        verbalizer={"pos": ["bon", "beau"], "neg": "mauvais"},
        instruction="Juge.",
        chat=True,
    )
    assert found == Prompt(
        "{text} Un film {answer}.", (("mauvais",), ("bon", "beau")), "Juge.\n", chat=True
    )
    named = asked(rows(), preset="sentiment/en/2")
    assert named is not None
    assert named.template == "{text} It was {answer}."


def test_named_columns_become_the_texts_of_a_row() -> None:
    pairs = rows((("a title", "a body"),) * 4)
    found = asked(pairs, template="{title}: {body} That is {answer}.")
    assert found is not None
    assert found.template == "{text1}: {text2} That is {answer}."
    turned = asked(pairs, template="{title}: {body} {answer}", text=("body", "title"))
    assert turned is not None
    assert turned.template == "{text2}: {text1} {answer}"


def test_the_language_is_that_of_all_rows_for_every_part_of_them() -> None:
    workshop = Workshop(recipe({}))
    whole = workshop.problem(rows(), None).prompt
    english = rows(("it was not for me and that is the end of it",) * 4)
    assert workshop.problem(english, None).prompt == whole


def test_a_template_that_joins_columns_asks_nothing() -> None:
    assert asked(rows(), template="{title}. {body}") == asked(rows())


@pytest.mark.parametrize(
    "examples",
    [rows(labels=()), rows(inputs=()), rows(labels=("Apple", "apple"))],
    ids=["no labels", "no rows", "labels that differ by case alone"],
)
def test_where_nothing_can_be_asked_by_default_nothing_is(examples: Examples) -> None:
    assert asking.prompts(recipe({}), TASK, examples) == ()


def test_several_labels_a_row_have_one_group_of_words_each() -> None:
    several = replace(rows(labels=("sport", "big_money")), targets=np.eye(2)[[0, 1, 0, 1]])
    found = asked(several)
    assert found is not None
    assert found.words == (("sport",), ("big money",))


@pytest.mark.parametrize(
    ("keys", "code"),
    [
        ({"template": "It was {answer}."}, "template_hides_text"),
        ({"template": "{text1} {text2} {answer}"}, "unknown_template_field"),
        ({"template": "{text} {answer} {answer}"}, "template_answers_twice"),
        ({"verbalizer": {"pos": "x", "neg": "ｘ"}}, "verbalizer_collides"),
        ({"verbalizer": {"pos": "x", "negg": "y"}}, "unknown_label"),
        ({"preset": "moods"}, "unknown_preset"),
        ({"instruction": "Is {text} {answer}?"}, "instruction_shows_text"),
    ],
)
def test_what_the_person_said_wrong_is_refused_before_anything_is_loaded(
    keys: dict[str, Any], code: str
) -> None:
    with pytest.raises(InputError) as caught:
        pipeline.check_settings(Workshop(recipe({"backbone": "minilm", **keys})), rows())
    assert caught.value.code == code


def test_labels_whose_names_collide_are_no_fault_of_a_template() -> None:
    asking.check(recipe({"template": "{text} {answer}"}), TASK, rows(labels=("A", "a")))


def test_rows_that_are_not_asked_in_words_take_no_prompt() -> None:
    class Numbers:
        name, objective, modalities = "regression", "regress", ("numbers",)

    task: Any = Numbers()
    assert asking.prompts(recipe({}), task, rows()) == ()
    asking.check(recipe({"template": "{title}. {body}"}), task, rows())
    with pytest.raises(InputError) as caught:
        asking.check(recipe({"preset": "sentiment"}), task, rows())
    assert caught.value.code == "prompt_does_not_fit"
