"""Texts spoken in a voice: what is asked, scored and told."""

from __future__ import annotations

import numpy as np
import pytest

from supertune import registry
from supertune.contracts import (
    FIGURES,
    NOTHING_ASKED,
    Asked,
    Consenting,
    Examples,
    HeadSpec,
    Judged,
    Recording,
    Voiced,
)
from supertune.contracts.voices import UNVOICED
from supertune.errors import InputError

JUDGE = registry.objective("synthesise")
TASK = registry.task("text_to_speech")
# words; tuned, untuned, own: errors, pitch, similarity
FOUND = np.array(
    [
        [5, 1, 11.0, 0.1, 0, -2.0, -0.4, 0, 12.0, 0.5],
        [5, 0, 10.0, -0.1, 1, -2.0, -0.4, 0, 12.0, 0.3],
        [10, 2, 10.5, 0.3, 0, -2.0, -0.4, 1, 12.0, 0.4],
    ]
)


def rows(count: int) -> Examples:
    inputs = tuple(Recording(f"{i:064}", f"{i}.wav", said=f"sentence {i}") for i in range(count))
    none = np.zeros(count, dtype=np.int64)
    return Examples(inputs, none, ("similarity",), np.arange(1, count + 1))


@pytest.mark.parametrize("consent", [None, "", "  yes ", "ok"])
def test_a_voice_is_learned_with_its_speakers_agreement_alone(consent: str | None) -> None:
    assert isinstance(JUDGE, Consenting)
    with pytest.raises(InputError) as caught:
        JUDGE.agreed(consent)
    assert caught.value.code == "consent_missing"
    assert caught.value.exit_code == 2
    JUDGE.agreed("I am the speaker, and I agree.")


def test_metrics_are_of_all_three_together() -> None:
    found = TASK.score(FOUND, np.zeros(3))
    assert found["wer"][0] == pytest.approx(3 / 20)
    assert found["similarity"][0] == pytest.approx(0.1)
    assert found["pitch_gap"][0] == pytest.approx(1.5)
    assert set(found) == set(TASK.metrics)


def test_what_is_not_voiced_has_no_part_in_the_pitch() -> None:
    mute = FOUND.copy()
    mute[0, FIGURES.index("pitch")] = UNVOICED
    assert TASK.score(mute, np.zeros(3))["pitch_gap"][0] == pytest.approx(1.75)


def test_weights_score_like_rows_written_out_as_often() -> None:
    counts = np.array([2, 0, 1])
    found = TASK.score(FOUND, np.zeros(3), counts[None].astype(float))
    alone = TASK.score(FOUND.repeat(counts, axis=0), np.zeros(3))
    for name in TASK.metrics:
        assert found[name][0] == pytest.approx(alone[name][0])


def test_the_report_tells_before_after_and_the_change_with_intervals() -> None:
    judged = Judged(rows(3), FOUND, True)
    told = JUDGE.breakdown(judged, seed=0, costs=None, shown=True)["voicing"]
    figures = told["figures"]
    assert told["sentences"] == 3
    assert figures["wer"]["untuned"]["value"] == pytest.approx(1 / 20)
    assert figures["wer"]["own"]["value"] == pytest.approx(1 / 20)
    assert figures["similarity"]["change"]["low"] > 0
    assert figures["pitch_gap"]["moved"]["value"] == pytest.approx(1 - 1.5 / 14)
    low, high = (figures["wer"]["change"][end] for end in ("low", "high"))
    assert low <= figures["wer"]["change"]["value"] <= high


def test_sentences_that_are_less_understood_are_listed_and_warned_of() -> None:
    found, findings = JUDGE.rows_to_look_at(rows(3), FOUND[None], shown=True)
    assert [row["row"] for row in found] == [3, 1]
    assert findings[0].code == "less_intelligible"
    assert JUDGE.rows_to_look_at(rows(3), FOUND[None], shown=False)[0] == []


def test_answers_are_figures_and_no_probabilities() -> None:
    answers = TASK.decode(FOUND, ("similarity",), HeadSpec(1, figures=len(FIGURES)))
    assert isinstance(answers, Voiced)
    np.testing.assert_array_equal(JUDGE.array(answers, HeadSpec(1)), FOUND[:, 3])
    assert answers.listed()[0]["untuned_pitch"] == -2.0
    assert "1 of 5 words wrong" in answers.lines()[0]
    with pytest.raises(InputError, match="no probabilities"):
        JUDGE.table(answers)


@pytest.mark.parametrize("asked", [Asked(coverage=0.9), Asked(max_error=0.1)])
def test_bounds_are_refused(asked: Asked) -> None:
    with pytest.raises(InputError):
        JUDGE.check(asked)
    JUDGE.check(NOTHING_ASKED)


def test_few_recordings_are_said_to_be_few() -> None:
    assert [one.code for one in JUDGE.noticed(rows(5), 2)] == ["few_recordings"]
    assert JUDGE.noticed(rows(40), 2) == []
