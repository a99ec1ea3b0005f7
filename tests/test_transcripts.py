"""Texts heard against texts said: what counts as an error, and scores over rows drawn again."""

from __future__ import annotations

import jiwer
import numpy as np
import pytest

from supertune import transcripts
from supertune.contracts.speech import Transcripts, numbered, room_of, texts_of

SAID = ["Composez le numéro, puis appuyez sur dièse.", "L’agent n'est pas là", "oui"]
HEARD = ["composez le numero puis appuyer sur dièse", "L'agent n'est pas là !", ""]


def scored(heard: list[str], weights: np.ndarray | None = None) -> dict[str, np.ndarray]:
    return transcripts.scores(numbered(heard, 200), np.array(SAID), weights)


def test_wer_and_cer_are_those_of_jiwer_on_normalised_texts() -> None:
    found = scored(HEARD)
    said = [transcripts.normalised(text) for text in SAID[:2]]
    heard = [transcripts.normalised(text) for text in HEARD[:2]]
    words, signs = (sum(len(t.split()) for t in said), sum(map(len, said)))
    wrong = jiwer.wer(said, heard) * words + 1  # and "oui", which nobody heard
    assert found["wer"][0] == pytest.approx(wrong / (words + 1))
    assert found["cer"][0] == pytest.approx((jiwer.cer(said, heard) * signs + 3) / (signs + 3))
    assert found["exact"][0] == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("text", "compared"),
    [
        ("“Pour  ACTIVER…”", "pour activer"),
        ("28.8 ﬁn d'appel '", "28 8 fin d'appel"),
        ("l’été", "l'été"),
        ("हिन्दी, हाँ।", "हिन्दी हाँ"),
        ("...", ""),
    ],
)
def test_punctuation_and_case_are_no_errors(text: str, compared: str) -> None:
    assert transcripts.normalised(text) == compared
    assert transcripts.errors(text, compared)[0] == 0


def test_weights_draw_rows_as_a_bootstrap_does() -> None:
    weights = np.array([[1.0, 1.0, 1.0], [0.0, 2.0, 0.0], [0.0, 0.0, 1.0]])
    found = scored(HEARD, weights)
    assert found["wer"].shape == (3,)
    assert found["wer"][0] == scored(HEARD)["wer"][0]
    assert found["wer"].tolist()[1:] == [0.0, 1.0]


def test_what_nobody_said_and_what_nobody_heard_are_counted() -> None:
    assert transcripts.errors("", "two words") == (2, 0, 9, 0)
    assert transcripts.errors("two words", "") == (2, 2, 9, 9)
    assert transcripts.errors("?", "!") == (0, 0, 0, 0)


def test_an_alignment_holds_all_words_of_both_texts() -> None:
    pieces = transcripts.aligned(SAID[0], HEARD[0])
    assert [word for piece in pieces for word in piece.said] == (
        transcripts.normalised(SAID[0]).split()
    )
    assert [word for piece in pieces for word in piece.written] == (
        transcripts.normalised(HEARD[0]).split()
    )
    wrong = [(piece.said, piece.written) for piece in pieces if piece.kind == "substitute"]
    assert wrong == [(("numéro",), ("numero",)), (("appuyez",), ("appuyer",))]


def test_terms_are_counted_as_whole_words() -> None:
    said = ["call Asterisk now", "asterisks are signs", "Asterisk, Asterisk"]
    heard = ["call asterisk now", "asterisk are signs", "Asterisk and nothing"]
    assert transcripts.term_accuracy(said, heard, ["Asterisk"]) == pytest.approx(2 / 3)
    assert np.isnan(transcripts.term_accuracy(said, heard, ["Zoiper"]))
    assert transcripts.mentions(said, ["Asterisk", "asterisk", ""]) == 3


def test_texts_pass_through_numbers_unchanged() -> None:
    texts = ["", "é", "日本 😀", "a" * 50]
    assert texts_of(numbered(texts, 60)) == texts
    assert texts_of(numbered(texts, 3)) == ["", "é", "日本 ", "aaa"]
    assert texts_of(Transcripts(tuple(texts), 60).scored) == texts
    assert room_of(np.array(["a" * 4000])) == 8000


def test_draws_of_rows_count_the_mentions_of_terms_in_them() -> None:
    said = np.array(["call Ada", "call Ada and Ada", "no name"])
    answers = numbered(["call Ada", "call Ava and Ada", "Ada"], 40)
    found = transcripts.term_scores(["Ada"], answers, said)
    assert found["mentions"].tolist() == [3.0]
    assert found["term_accuracy"].tolist() == pytest.approx([2 / 3])
    weights = np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 2]])
    drawn = transcripts.term_scores(["Ada"], answers, said, weights)
    assert drawn["mentions"].tolist() == [1, 2, 0]
    assert drawn["term_accuracy"].tolist() == pytest.approx([1, 0.5, 2 / 3])
    none = transcripts.term_scores(["Eve"], answers, said)
    assert (none["mentions"][0], none["term_accuracy"][0]) == (0, 0)
