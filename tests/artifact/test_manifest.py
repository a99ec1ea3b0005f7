"""Schemas and their conversions."""

from __future__ import annotations

import json

import pytest

from supertune.artifact.manifest import SCHEMA, compose, migrate, parse
from supertune.errors import InputError


def test_a_manifest_survives_writing_and_reading() -> None:
    manifest = {"labels": ["日本", "half \ud800 pair"], "x": [1, 2.5, None, {"a": True}]}
    parsed = parse(compose(manifest, {"a.json": b"{}"}), "m")
    assert {key: parsed[key] for key in manifest} == manifest
    assert parsed["files"]["a.json"]["bytes"] == 2


def test_the_same_manifest_gives_the_same_bytes_whatever_the_order_of_files() -> None:
    files = {"a.json": b"1", "b.json": b"2"}
    assert compose({"x": 1}, files) == compose({"x": 1}, dict(reversed(files.items())))


def test_readable_text_stays_readable() -> None:
    assert "日本" in compose({"labels": ["日本"]}, {}).decode("utf-8")


@pytest.mark.parametrize("name", ["../a.json", "a.pkl", "supertune.json", "con.json"])
def test_what_could_not_be_read_is_not_written(name: str) -> None:
    with pytest.raises(ValueError, match="cannot hold"):
        compose({}, {name: b""})


def test_a_nan_is_not_written() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        compose({"x": float("nan")}, {})


def test_an_older_manifest_goes_through_every_conversion_in_turn() -> None:
    old = {"schema": SCHEMA - 2, "classes": ["a"]}
    steps = {
        SCHEMA - 2: lambda m: {**m, "labels": m["classes"]},
        SCHEMA - 1: lambda m: {key: value for key, value in m.items() if key != "classes"},
    }
    assert migrate(old, "m", steps) == {"schema": SCHEMA, "labels": ["a"]}
    assert old == {"schema": SCHEMA - 2, "classes": ["a"]}


def test_a_manifest_from_before_seals_is_converted_by_its_step() -> None:
    data = json.dumps({"schema": 0, "weights": {}}).encode()
    assert parse(data, "m", {0: lambda m: {"files": m["weights"]}}) == {"schema": 1, "files": {}}


def test_a_gap_between_conversions_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        migrate({"schema": SCHEMA - 2}, "m", {SCHEMA - 2: lambda m: m})
    assert caught.value.code == "schema_older"
