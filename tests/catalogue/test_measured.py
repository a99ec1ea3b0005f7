"""What was measured once is not measured again."""

from __future__ import annotations

import pytest

from supertune.catalogue import measured


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SUPERTUNE_CACHE", str(tmp_path))
    return tmp_path


def test_a_value_is_measured_once():
    values = iter([1.5, 2.5])
    assert [measured.remembered("speed", lambda: next(values)) for _ in range(3)] == [1.5] * 3
    assert measured.remembered("other", lambda: next(values)) == 2.5
    assert measured.remembered("speed", lambda: next(values)) == 1.5


@pytest.mark.parametrize("content", ["", "{", "[1]", '"text"', "\x00"])
def test_a_damaged_file_costs_one_measurement(own_cache, content):
    (own_cache / measured.FILE).write_text(content, encoding="utf-8")
    assert measured.remembered("speed", lambda: 3.0) == 3.0
    assert measured.remembered("speed", lambda: 4.0) == 3.0


def test_where_nothing_can_be_written_it_is_measured_each_time(own_cache, monkeypatch):
    blocked = own_cache / "file"
    blocked.write_text("not a folder")
    monkeypatch.setenv("SUPERTUNE_CACHE", str(blocked / "cache"))
    values = iter([1.0, 2.0])
    assert [measured.remembered("speed", lambda: next(values)) for _ in range(2)] == [1.0, 2.0]


def test_another_machine_has_values_of_its_own(monkeypatch):
    measured.remembered("speed", lambda: 1.0)
    monkeypatch.setattr(measured, "machine", lambda: "another")
    assert measured.remembered("speed", lambda: 2.0) == 2.0


def test_nothing_partial_stays_behind(own_cache):
    measured.remembered("speed", lambda: 1.0)
    assert [path.name for path in own_cache.iterdir()] == [measured.FILE]
