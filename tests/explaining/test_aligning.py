"""Which word was written from which, on a real translator."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from supertune import registry
from supertune.catalogue.corpora import few_pairs
from supertune.config import method_options, recipe
from supertune.contracts import Columns, Rendering, Translated, translator
from supertune.errors import InputError
from supertune.explaining import Alignment, Subject, aligned
from supertune.explaining.near_pairs import near_pairs
from supertune.pipeline import Workshop
from supertune.tasks.translation import TASK
from supertune.training import fitting

BACKBONE = "bergamot-en-pt"
SENTENCE = "Click the wallpaper to open the settings."
SENTENCE_SAID = "Clique no papel de parede para abrir as configurações."


def shop(method: str, **options: Any) -> Workshop:
    keys = {"task": "translation", "backbone": BACKBONE, "method": method, "precision": "fp32"}
    return Workshop(recipe({**keys, "threads": 1, **options}))


def subject(method: str, beside: Subject | None = None, **options: Any) -> Subject:
    """A fitted model; ``beside`` another, whose backbone it shares."""
    own = shop(method, **options)
    place = own if beside is None else beside.workshop
    pairs, _ = few_pairs("gnome-help-pt", train_rows=60, test_rows=0, seed=3)
    short = [row for row in pairs if 20 < len(row[0]) < 70][:10]
    read = TASK.read([{"source": a, "target": b} for a, b, _ in short], Columns())
    problem = place.problem(read.train.canonical(), BACKBONE)
    tuned = fitting.fit(registry.method(method), problem, method_options(own.recipe, method))
    return Subject(place, tuned, ("translation",), problem.head, BACKBONE, problem.examples)


@pytest.fixture(scope="module")
def plain() -> Subject:
    return subject("untuned")


def from_words(found: Alignment) -> dict[str, str]:
    return {one.word.text: one.sources[0][0].text for one in found.words}


def likelihood(found: Alignment) -> float:
    return sum(one.likely for one in found.words)


def test_words_are_written_from_those_that_a_dictionary_names(plain: Subject) -> None:
    found = aligned(plain, SENTENCE)
    assert found.translation == SENTENCE_SAID
    pairs = from_words(found)
    assert pairs["papel"] == pairs["parede"] == "wallpaper"
    assert pairs["abrir"] == "open"
    assert pairs["configurações"] == "settings"
    for one in found.words:
        assert found.translation[one.word.start : one.word.end] == one.word.text
        assert sum(share for _, share in one.sources) <= 1 + 1e-6
        for word, _ in one.sources:
            assert SENTENCE[word.start : word.end] == word.text
    signs = [one for one in found.words if one.word.text == "."]
    assert signs[0].holds is None


def test_a_word_needs_what_was_looked_at_more_than_other_words(plain: Subject) -> None:
    assert plain.rows is not None
    found = [aligned(plain, text, context=False) for text in plain.rows.inputs[:3]]
    tested = [one for each in found for one in each.words if one.holds is not None]
    assert len(tested) == sum(one.tested for one in found) > 12
    falls = np.mean([one.falls for one in tested])
    assert falls > 4 * np.mean([one.other for one in tested])
    assert np.mean([one.holds for one in tested]) > 0.8


def test_likelihoods_are_those_of_the_translation_as_it_was_written(plain: Subject) -> None:
    found = aligned(plain, SENTENCE)
    lens: Any = plain.lens
    pair = translator(lens)
    (piece,) = pair.read([SENTENCE])
    text = pair.spelled(found.translation)
    states = pair.states(lens.backbone.activations([piece], 6), 6)
    ((_, chances),) = pair.contexts(states, [text])
    assert likelihood(found) == pytest.approx(chances[:-1].sum(), abs=1e-3)
    assert found.surety == pytest.approx(chances.mean(), abs=1e-3)


def test_lines_and_placeholders_are_told_as_they_stand_in_the_text(plain: Subject) -> None:
    text = "  Open the %s file.\n\nClose the {name} window.\n42\nPress {key}."
    found = aligned(plain, text)
    (made,) = plain.tuned.translate([text], plain.lens, Rendering())  # type: ignore[attr-defined]
    assert found.translation == made.text
    pairs = from_words(found)
    assert pairs["%s"] == "%s"
    assert pairs["{name}"] == "{name}"
    assert pairs["janela"] == "window"
    for one in found.words:
        assert sum(share for _, share in one.sources) <= 1 + 1e-6
        assert made.text[one.word.start : one.word.end] == one.word.text
        for word, _ in one.sources:
            assert text[word.start : word.end] == word.text
    assert aligned(plain, "42\n").words == []
    assert "Nothing in it" in str(aligned(plain, "42\n"))


@pytest.mark.parametrize("method", ["lora", "knn_memory"])
def test_what_was_tuned_is_told_as_tuned(method: str, plain: Subject) -> None:
    options = {"epochs": 1, "batch_size": 6} if method == "lora" else {}
    own = subject(method, plain, **options)
    assert own.rows is not None
    assert own.rows.targets is not None
    known, wanted = str(own.rows.inputs[0]), str(own.rows.targets[0])
    found = aligned(own, known)
    (made,) = own.tuned.translate([known], own.lens, Rendering())  # type: ignore[attr-defined]
    assert found.translation == made.text
    if method == "knn_memory":
        assert found.translation == wanted
    assert found.tested > 1
    assert found.nearest[0].source == known
    assert found.nearest[0].translation == wanted
    assert found.nearest[0].likeness == pytest.approx(1)
    told = Translated(SENTENCE_SAID)
    both = []
    for one in (own, replace(own, tuned=plain.tuned)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(type(one.tuned), "translate", lambda *_, **__: iter([told]))
            both.append(likelihood(aligned(one, SENTENCE)))
    assert (abs(both[0] - both[1]) > 1e-3) == (method == "lora")
    # Afterwards the backbone is as it was.
    assert both[1] == pytest.approx(likelihood(aligned(plain, SENTENCE)), abs=1e-4)


def test_pairs_that_share_rare_words_come_first(plain: Subject) -> None:
    assert plain.rows is not None
    rows = replace(
        plain.rows.take([0, 1, 2]),
        inputs=("Open the garden of the house.", "Open the settings.", "the the the"),
        targets=np.array(["a", "b", "c"]),
    )
    found = near_pairs(rows, "Is there a garden?", 3)
    assert [one.translation for one in found] == ["a"]
    assert found[0].shared == ("garden",)
    assert "settings" in near_pairs(rows, "The settings", 3)[0].shared
    assert near_pairs(None, "garden", 3) == []
    assert aligned(plain, "Open the file.", context=False).nearest == []


def test_it_is_json_and_text_and_other_ways_are_refused(plain: Subject) -> None:
    found = aligned(plain, SENTENCE)
    read = json.loads(json.dumps(found.as_dict()))
    assert read["way"] == "attention"
    assert read["faithfulness"]["words"] == found.tested
    assert read["answer"]["translation"] == found.translation
    assert "wallpaper" in str(found)
    assert "Measured: " in str(found)
    wrong = [replace(one, falls=one.other, other=one.falls) for one in found.words]
    told = str(replace(found, words=wrong))
    assert "Do not rely on this" in told
    assert told.count("  ?") > 5
    with pytest.raises(InputError) as caught:
        aligned(plain, SENTENCE, way="occlusion")
    assert caught.value.code == "unknown_way"
    assert caught.value.next
