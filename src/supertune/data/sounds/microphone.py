"""A recording made here and now, by a microphone of this machine, through sounddevice."""

from __future__ import annotations

from typing import Any

import numpy as np

from supertune.contracts import Recording
from supertune.data.sounds import decoding, playing
from supertune.errors import EnvironmentFault, InputError

SECONDS = 0.2, 600.0  # that may be recorded at once
SILENT = 10 ** (-60 / 20)  # largest sample below which nothing was heard


def recorded(seconds: float, *, rate: int = decoding.RATE) -> Recording:
    """So many seconds of the input that the system chooses, of one channel; returns when they are
    over. Its bytes are FLAC, and stay in memory.

    Args:
        rate: samples a second.

    Raises:
        InputError: ``bad_seconds``, ``nothing_heard``.
        EnvironmentFault: ``microphone_extra_missing`` without sounddevice or PortAudio,
            ``no_microphone`` where no input is found or it cannot be opened.
    """
    least, most = SECONDS
    if not least <= seconds <= most:
        raise InputError(
            "bad_seconds",
            "So much is not recorded at once.",
            received=f"{seconds:g} seconds",
            allowed=f"{least:g} to {most:g} seconds",
            next="For example --mic 5.",
        )
    sounddevice = _library()
    try:
        sounddevice.query_devices(kind="input")
        found = sounddevice.rec(
            round(seconds * rate), samplerate=rate, channels=1, dtype="float32", blocking=True
        )
    except (sounddevice.PortAudioError, ValueError) as error:
        raise EnvironmentFault(
            "no_microphone",
            "No microphone of this machine could be opened.",
            received=" ".join(str(error).split())[:200] or type(error).__name__,
            allowed="an input that `python -m sounddevice` lists",
            next="Connect one, allow its use in the system's settings, or name a file instead.",
        ) from error
    samples = np.asarray(found, dtype=np.float32).reshape(-1)
    if float(np.abs(samples).max(initial=0.0)) < SILENT:
        raise InputError(
            "nothing_heard",
            "The microphone heard nothing.",
            received=f"{seconds:g} seconds of silence",
            allowed="a sound louder than -60 dB of the loudest that can be recorded",
            next="Switch it on, or choose another input in the system's settings.",
        )
    return Recording.of(playing.flac(samples, rate), "microphone")


def _library() -> Any:
    try:
        import sounddevice
    except (ImportError, OSError) as error:  # the latter where PortAudio itself is missing
        raise EnvironmentFault(
            "microphone_extra_missing",
            "Recording needs the package sounddevice, and on Linux the library PortAudio.",
            received=type(error).__name__,
            allowed="files of recordings without them",
            next="pip install 'supertune[speech,microphone]', on Linux also "
            "sudo apt-get install libportaudio2",
        ) from error
    return sounddevice
