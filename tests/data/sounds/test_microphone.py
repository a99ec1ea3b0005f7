"""Recording by a microphone. No machine that runs this has one: the input is a fake one, and only
named so; what the library itself does is not tested."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from supertune.data.sounds import decoding, microphone
from supertune.errors import EnvironmentFault, InputError


class FakeError(Exception):
    """Stands for PortAudioError."""


def fake_input(samples: Any, *, missing: bool = False) -> Any:
    """A module with what is used of sounddevice, whose only input hears ``samples``."""

    def query_devices(kind: str) -> dict[str, Any]:
        if missing:
            raise FakeError("Error querying device -1")
        return {"name": "fake", "kind": kind}

    def rec(frames: int, **given: Any) -> Any:
        assert given == {
            "samplerate": decoding.RATE, "channels": 1, "dtype": "float32", "blocking": True
        }  # fmt: skip
        return np.resize(samples, frames).astype(np.float32)[:, None]

    return SimpleNamespace(PortAudioError=FakeError, query_devices=query_devices, rec=rec)


@pytest.fixture
def tone() -> Any:
    return 0.4 * np.sin(np.arange(decoding.RATE) * 2 * np.pi * 440 / decoding.RATE)


def test_what_is_heard_is_a_recording(monkeypatch: pytest.MonkeyPatch, tone: Any) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", fake_input(tone))
    found = microphone.recorded(0.5)
    samples, rate = decoding.mono(found)
    assert (rate, len(samples)) == (decoding.RATE, decoding.RATE // 2)
    np.testing.assert_allclose(samples, tone[: len(samples)], atol=1e-4)
    assert str(found) == "microphone"
    assert found.path is None


def test_without_the_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(EnvironmentFault) as caught:
        microphone.recorded(1.0)
    assert caught.value.code == "microphone_extra_missing"
    assert "supertune[speech,microphone]" in str(caught.value)


def test_without_an_input_it_says_so(monkeypatch: pytest.MonkeyPatch, tone: Any) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", fake_input(tone, missing=True))
    with pytest.raises(EnvironmentFault) as caught:
        microphone.recorded(1.0)
    assert caught.value.code == "no_microphone"
    assert "Error querying device -1" in str(caught.value)


@pytest.mark.parametrize("seconds", [0.0, -1.0, 601.0, float("nan")])
def test_a_length_that_cannot_be_is_refused(seconds: float) -> None:
    with pytest.raises(InputError) as caught:
        microphone.recorded(seconds)
    assert caught.value.code == "bad_seconds"


def test_silence_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", fake_input(np.zeros(9)))
    with pytest.raises(InputError) as caught:
        microphone.recorded(1.0)
    assert caught.value.code == "nothing_heard"
