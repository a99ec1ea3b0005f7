"""Presets: each of them can be asked, tells its labels apart, and is found by name."""

from __future__ import annotations

import pytest

from supertune.errors import InputError
from supertune.prompts import presets, template, verbalizer

ALL = [
    preset
    for kind in presets.KINDS
    for language in presets.LANGUAGES
    for preset in presets.presets(kind, language)
]
LABELS = {
    "sentiment": (("neg", "pos"), ("negative", "neutral", "positive"), ("1", "2", "3", "4", "5")),
    "spam": (("ham", "spam"),),
    "yes_no": (("false", "true"), ("no", "yes")),
    "topic": (("sport", "world_news"),),
    "intent": (("card_lost", "top_up"),),
}


@pytest.mark.parametrize("preset", ALL, ids=lambda preset: preset.name)
def test_each_can_be_asked_and_tells_its_labels_apart(preset: presets.Preset) -> None:
    assert template.check(preset.template) == preset.template
    assert template.text_comes_first(preset.template), "a causal model reads nothing behind it"
    for labels in LABELS[preset.kind]:
        words = verbalizer.check(preset.verbalizer(labels), labels)
        assert not any(word != word.strip() for each in words for word in each)
    assert presets.chosen(preset.name, "en") == (preset,)


def test_each_kind_has_several_in_each_language_no_two_alike() -> None:
    for kind in presets.KINDS:
        for language in presets.LANGUAGES:
            texts = [preset.template for preset in presets.presets(kind, language)]
            assert len(set(texts)) == len(texts) >= 3, (kind, language)


@pytest.mark.parametrize(
    ("labels", "kind"),
    [
        (("negative", "positive"), "sentiment"),
        (("NEG", "Pos"), "sentiment"),
        (("消极", "积极"), "sentiment"),
        (("négatif", "positif"), "sentiment"),
        (("very_negative", "negative", "neutral", "positive", "very_positive"), "sentiment"),
        (("1", "2", "3", "4", "5"), "sentiment"),
        (("1 star", "2 stars"), "sentiment"),
        (("ham", "spam"), "spam"),
        (("non-spam", "spam"), "spam"),
        (("no", "yes"), "yes_no"),
        (("non", "oui"), "yes_no"),
        (("False", "True"), "yes_no"),
        (("0", "1"), "topic"),
        (("1", "2", "3"), "topic"),
        (("pos", "positive"), "topic"),
        (("positive",), "topic"),
        (("negative", "other", "positive"), "topic"),
        (("sport", "politics"), "topic"),
        ((), "topic"),
    ],
)
def test_the_kind_is_told_by_the_names_of_the_labels(labels: tuple[str, ...], kind: str) -> None:
    assert presets.kind_of(labels) == kind


def test_a_name_stands_for_one_or_several() -> None:
    assert presets.chosen("sentiment", "fr") == presets.presets("sentiment", "fr")
    assert presets.chosen("spam/zh", "fr") == presets.presets("spam", "zh")
    assert presets.chosen("topic/de/2", "fr") == presets.presets("topic", "de")[1:2]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("sentimant", "'sentiment'"),
        ("sentiment/xx", "sentiment/fr"),
        ("topic/en/0", "topic/en/1"),
        ("topic/en/99", "topic/en/1"),
        ("topic/en/one", "topic/en/1"),
        ("", "sentiment"),
    ],
)
def test_an_unknown_name_is_refused_with_the_names_there_are(name: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        presets.chosen(name, "en")
    assert caught.value.code == "unknown_preset"
    assert said in str(caught.value)


def test_a_label_that_is_not_known_stands_for_itself() -> None:
    preset = presets.presets("sentiment", "en")[0]
    assert preset.verbalizer(("pos", "no_idea")) == {"pos": "great", "no_idea": "no idea"}
