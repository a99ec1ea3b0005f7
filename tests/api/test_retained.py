"""What is said where a tuned model does worse at what the untuned one could do."""

from __future__ import annotations

import pytest

from supertune.api import retained
from supertune.config import recipe

GAP = {"metric": "wer", "value": 0.03, "low": 0.01, "high": 0.06, "how": "", "rows": 60}


@pytest.mark.parametrize(
    ("given", "remedy"),
    [
        ({}, " Less tuning keeps more: --set interpolation=0.5."),
        ({"options": {"interpolation": 0.5}}, " Less tuning keeps more: --set interpolation=0.25."),
        ({"method": "untuned"}, ""),
    ],
)
def test_what_is_forgotten_is_told_with_the_interval_and_a_remedy(
    given: dict[str, object], remedy: str
) -> None:
    settled = recipe({"task": "speech_to_text", "method": "lora"} | given)
    one = {
        "name": "everyday.csv",
        "language": "en",
        "metric": "wer",
        "before": GAP | {"value": 0.032},
        "after": GAP | {"value": 0.062},
        "difference": GAP,
    }
    found = retained._finding(one, settled)
    assert (found.code, found.severity) == ("forgotten", "warning")
    said = found.message.replace("\u202f", " ").replace("\xa0", " ")
    assert said == (
        "What the untuned model could do with everyday.csv (en) is partly forgotten: WER .032 "
        f"before, .062 now, +.030 [+.010, +.060].{remedy}"
    )
