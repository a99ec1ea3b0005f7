"""From labels and what a person gave to one prompt, or to all worth a try."""

from __future__ import annotations

from typing import Any

import pytest

from supertune.contracts import Prompt
from supertune.errors import InputError
from supertune.prompts import presets
from supertune.prompts.resolving import candidates, resolve

LABELS = ("neg", "pos")


def test_known_labels_get_words_and_a_template_in_the_rows_language() -> None:
    assert resolve(LABELS) == Prompt(
        "{text} All in all, it was {answer}.", (("terrible",), ("great",))
    )
    french = resolve(LABELS, language="fr")
    assert french.template.startswith("{text} En somme")
    assert french.words == (("nul",), ("génial",))
    assert resolve(("消极", "积极"), language="zh").words == (("差",), ("好",))
    assert resolve(LABELS, language="ja") == resolve(LABELS)


def test_other_labels_stand_for_themselves() -> None:
    found = resolve(("world_news", "sport"))
    assert found.words == (("world news",), ("sport",))
    assert found.template == presets.presets("topic", "en")[0].template


def test_a_persons_template_takes_words_that_fit_into_it() -> None:
    assert resolve(LABELS, template="{text} A {answer} film.").words == (("terrible",), ("great",))
    named = resolve(LABELS, template="输入：{text} 输出：{answer}", language="zh")
    assert named.words == (("消极",), ("积极",))


def test_a_persons_words_take_a_template() -> None:
    found = resolve(LABELS, verbalizer={"pos": ["fun", "fine"], "neg": "dull"})
    assert found.template == "{text} All in all, it was {answer}."
    assert found.all_words == ("dull", "fun", "fine")


def test_a_space_belongs_to_the_word_once() -> None:
    words = {"pos": " great", "neg": " terrible"}
    assert resolve(LABELS, template="{text} It was{answer}", verbalizer=words).words == (
        (" terrible",),
        (" great",),
    )
    assert resolve(LABELS, template="{text} It was {answer}", verbalizer=words).words == (
        ("terrible",),
        ("great",),
    )


def test_an_instruction_stands_in_front_on_a_line_of_its_own() -> None:
    found = resolve(LABELS, instruction="Judge the film.", chat=True)
    assert (found.shown, found.chat, found.rule) == ("Judge the film.\n", True, "mean")
    assert resolve(LABELS, instruction=" ").shown == ""


def test_rows_of_several_texts_show_all_of_them() -> None:
    found = resolve(("no", "yes"), fields=2)
    assert "{text1}\n{text2}" in found.template
    assert resolve(("no", "yes"), template="{text2}? {answer}", fields=2).template == (
        "{text2}? {answer}"
    )


def test_a_preset_can_be_named() -> None:
    assert resolve(LABELS, preset="sentiment/de").words == (("schlecht",), ("großartig",))
    second = presets.presets("sentiment", "en")[1]
    assert resolve(LABELS, preset="sentiment/en/2").template == second.template
    intent = resolve(("top_up", "card_lost"), preset="intent")
    assert intent.template == presets.presets("intent", "en")[0].template


def test_candidates_begin_with_the_default_and_go_on_in_english() -> None:
    found = candidates(LABELS, language="fr")
    assert found[0] == resolve(LABELS, language="fr")
    assert len(set(found)) == len(found)
    own = len(presets.presets("sentiment", "fr"))
    assert found[own:] == candidates(LABELS)


def test_candidates_keep_what_the_person_gave() -> None:
    given = {"pos": "fun", "neg": "dull"}
    assert {each.words for each in candidates(LABELS, verbalizer=given)} == {(("dull",), ("fun",))}
    assert len(candidates(LABELS, verbalizer=given)) > 3
    own = candidates(LABELS, template="{text} So {answer}")
    assert {each.template for each in own} == {"{text} So {answer}"}
    assert len({each.words for each in own}) == len(own) > 1
    assert len(candidates(LABELS, template="{text} So {answer}", verbalizer=given)) == 1


def test_unknown_labels_are_asked_as_topics_and_as_intents() -> None:
    templates = {each.template for each in candidates(("a", "b"))}
    assert templates == {
        each.template for kind in ("topic", "intent") for each in presets.presets(kind, "en")
    }


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"template": "It was {answer}."}, "template_hides_text"),
        ({"template": "{text}"}, "template_without_answer"),
        ({"template": "{text} {answer}", "fields": 2}, "unknown_template_field"),
        ({"verbalizer": {"pos": "x", "neg": "X"}}, "verbalizer_collides"),
        ({"verbalizer": {"pos": "x"}}, "label_without_words"),
        ({"preset": "mood"}, "unknown_preset"),
        ({"instruction": "Is {text} good?"}, "instruction_shows_text"),
    ],
)
def test_what_a_person_gave_wrong_is_refused(given: dict[str, Any], code: str) -> None:
    with pytest.raises(InputError) as caught:
        resolve(LABELS, **given)
    assert caught.value.code == code


def test_labels_that_differ_by_case_alone_need_words() -> None:
    with pytest.raises(InputError) as caught:
        resolve(("Apple", "apple"))
    assert caught.value.code == "verbalizer_collides"
    assert resolve(("Apple", "apple"), verbalizer={"Apple": "firm", "apple": "fruit"})


def test_a_prompt_survives_its_json() -> None:
    found = resolve(LABELS, instruction="Judge.")
    assert Prompt.from_dict(found.as_dict()) == found
