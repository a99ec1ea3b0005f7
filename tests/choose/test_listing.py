"""What a fit is expected to take, before anything is loaded."""

from __future__ import annotations

import pytest

import supertune as tune
from supertune.catalogue.corpora import few_clips


@pytest.mark.parametrize("method", ["pitch_shift", "voice_map"])
def test_a_voice_takes_seconds_a_sentence_learned_and_judged(method: str) -> None:
    train, test = few_clips("prompts-en", train_rows=12, test_rows=6, seed=4, words=3)
    asked = {"task": "text_to_speech", "method": method, "threads": 1}
    asked |= {"consent": "The speaker agreed to this."}

    def seconds(learned: int, judged: int) -> float:
        return float(tune.plan(train[:learned], test=test[:judged], **asked).data["seconds"])

    few, more, judged = seconds(6, 3), seconds(12, 3), seconds(6, 6)
    assert 20 < few < more
    assert judged - few == pytest.approx(12.0, abs=1.0)
