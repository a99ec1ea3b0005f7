"""Metrics of translations: sacrebleu's own, from counts that are summed over rows."""

from __future__ import annotations

import numpy as np
import pytest
import sacrebleu

from supertune import translations
from supertune.contracts.speech import numbered

SAID = [
    "Abra as configurações do seu computador.",
    "Feche a janela.",
    "Salve %s agora.",
    "Sim",
    "a b",
]
WRITTEN = ["Abra a configuração do computador.", "Feche a janela.", "Salve agora.", "", "c d e f"]


def answers(texts: list[str]) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.asarray(numbered(texts, 80))


@pytest.mark.parametrize("rows", [range(5), range(2), [0, 0, 2], [1], [3], [4], [3, 4]])
def test_sums_over_rows_give_what_sacrebleu_gives_of_the_corpus(rows: list[int]) -> None:
    said, written = [SAID[i] for i in rows], [WRITTEN[i] for i in rows]
    found = translations.scores(answers(written), np.array(said))
    chrf = sacrebleu.corpus_chrf(written, [said], word_order=2).score
    assert found["chrf"][0] == pytest.approx(chrf)
    assert found["bleu"][0] == pytest.approx(sacrebleu.corpus_bleu(written, [said]).score)
    assert found["ter"][0] == pytest.approx(sacrebleu.corpus_ter(written, [said]).score)


def test_a_bootstrap_weighs_rows_as_if_they_stood_there_so_often() -> None:
    weights = np.array([[2.0, 1, 0, 0, 0], [1, 1, 1, 1, 1]])
    found = translations.scores(answers(WRITTEN), np.array(SAID), weights)
    twice = translations.scores(
        answers([WRITTEN[0], WRITTEN[0], WRITTEN[1]]), np.array([SAID[0], SAID[0], SAID[1]])
    )
    for name in translations.METRICS:
        assert found[name][0] == pytest.approx(twice[name][0])
    assert found["exact"][1] == pytest.approx(0.2)
    assert found["placeholders"][1] == pytest.approx(0.8)


def test_terms_count_by_their_mentions_in_sources() -> None:
    glossary = {"desktop": "área de trabalho"}
    sources = ["The desktop and the Desktop", "Nothing"]
    assert translations.term_accuracy(sources, ["a Área de trabalho", ""], glossary) == 0.5
    assert np.isnan(translations.term_accuracy(["x"], ["y"], glossary))
