"""The commands that a report ends with."""

from __future__ import annotations

from pathlib import Path

from supertune.report import steps


def test_a_task_may_name_the_command_that_uses_its_model() -> None:
    found = steps.commands({"task": "object_detection"}, Path("finder"))
    assert found["predict"] == "supertune detect finder NEW --draw drawn"
    usual = steps.commands({"task": "one that is not installed"}, Path("finder"))
    assert usual["predict"] == "supertune predict finder NEW.csv -o predictions.csv"
