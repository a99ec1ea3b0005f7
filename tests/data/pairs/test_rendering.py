"""Texts of any length and shape, translated by a real model and put together again."""

from __future__ import annotations

from typing import Any

import pytest

from supertune.config import recipe
from supertune.contracts import Rendering
from supertune.data.pairs import rendering
from supertune.pipeline import Workshop

BACKBONE = "bergamot-en-pt"


@pytest.fixture(scope="module")
def lens() -> Any:
    keys = {"task": "translation", "backbone": BACKBONE, "method": "untuned", "threads": 1}
    return Workshop(recipe(keys)).lens(BACKBONE)


def made(lens: Any, *texts: str, **how: Any) -> list[Any]:
    return list(rendering.translated(texts, lens, Rendering(**how)))


def test_lines_blanks_and_what_has_no_letters_stay(lens: Any) -> None:
    text = "  Open the file.\r\n\r\n\tClose it.\n---\n42\n"
    (found,) = made(lens, text)
    assert found.text.split("\n")[0].endswith("\r")
    assert found.text.startswith("  A")
    assert found.text.endswith("\n---\n42\n")
    assert found.text.count("\n") == text.count("\n")
    assert "\n\t" in found.text
    assert made(lens, "", " \n", "%s")[2].text == "%s"


def test_a_line_longer_than_any_sentence_is_cut_between_sentences(lens: Any) -> None:
    sentence = "The children were playing happily in the garden."
    (short, long) = made(lens, sentence, " ".join([sentence] * 30))
    assert long.text.count("jardim") == 30
    assert short.text in long.text
    words = " ".join(f"garden {number}" for number in range(150))  # without any sentence's end
    (found,) = made(lens, words)
    assert "149" in found.text


def test_the_same_text_is_translated_alike_whatever_is_beside_it(lens: Any) -> None:
    texts = ["Open the settings.", "Close the window and save your work.", "Open the settings."]
    together = [one.text for one in made(lens, *texts)]
    assert together == [made(lens, text)[0].text for text in texts]
    assert made(lens, *texts, beams=3)[0].text == together[0]


@pytest.mark.parametrize(
    ("source", "text", "doubts"),
    [
        ("Open the file now.", "Open the file now.", ["copied"]),
        ("Open the file now.", " ", ["empty"]),
        ("Open the file.", "Abra o arquivo o arquivo o arquivo o arquivo o arquivo agora",
         ["repeats", "length"]),
        ("Open %s now, please.", "Abra agora, por favor.", ["placeholders"]),
        ("Open the file now.", "Abra o arquivo agora.", []),
        ("42", "", []),
    ],
)  # fmt: skip
def test_doubts_are_told_by_looks(source: str, text: str, doubts: list[str]) -> None:
    assert rendering.doubts_of(source, text) == doubts


def test_a_term_is_put_where_its_source_is_translated(lens: Any) -> None:
    glossary = {"wallpaper": "plano de fundo", "dash": "painel"}
    found = made(lens, "Choose the wallpaper.", "Open the garden.", glossary=glossary)
    assert "plano de fundo" in found[0].text
    assert "plano" not in found[1].text
    assert made(lens, "Choose the wallpaper.", glossary=glossary, bias=0)[0].text == (
        made(lens, "Choose the wallpaper.")[0].text
    )
