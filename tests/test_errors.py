"""Errors say what was received, what is allowed and what to do next."""

from __future__ import annotations

import json

import pytest

from supertune.errors import EnvironmentFault, InputError, SupertuneError, unknown_name


def test_an_error_reads_as_message_received_allowed_next_in_that_order() -> None:
    error = InputError(
        "negative_epochs",
        "epochs must be positive.",
        received="-3",
        allowed="1 or more",
        next="--set epochs=10",
    )
    assert str(error).splitlines() == [
        "epochs must be positive.",
        "Received: -3",
        "Allowed: 1 or more",
        "Next: --set epochs=10",
    ]


def test_what_is_unknown_is_left_out_of_the_text_and_null_in_json() -> None:
    error = InputError("empty_file", "reviews.csv is empty.", next="Add rows.")
    assert str(error) == "reviews.csv is empty.\nNext: Add rows."
    assert json.loads(json.dumps(error.as_dict())) == {
        "code": "empty_file",
        "message": "reviews.csv is empty.",
        "received": None,
        "allowed": None,
        "next": "Add rows.",
    }


@pytest.mark.parametrize(
    ("kind", "exit_code"), [(InputError, 2), (EnvironmentFault, 2), (SupertuneError, 1)]
)
def test_exit_code_2_is_for_what_the_person_can_fix(
    kind: type[SupertuneError], exit_code: int
) -> None:
    assert kind("a_code", "A message.").exit_code == exit_code


def test_bad_input_is_a_value_error_too() -> None:
    with pytest.raises(ValueError, match="Not a table"):
        raise InputError("not_a_table", "Not a table.")


def test_an_unknown_name_suggests_the_nearest() -> None:
    error = unknown_name("method", "lorra", ["linear_probe", "lora", "full"])
    assert error.code == "unknown_method"
    assert error.allowed == "full, linear_probe, lora"
    assert error.next == "Did you mean 'lora'?"


def test_a_name_like_no_other_points_to_the_list() -> None:
    assert unknown_name("method", "zzz", ["lora"]).next == "`supertune methods` lists them."
    assert unknown_name("data set", "zzz", ["r8"]).next == "`supertune data` lists them."
    assert unknown_name("metric", "zzz", ["accuracy"]).next == "Choose one of them."
