"""Recordings to be shown: a short copy that a browser plays, and a picture of the waveform."""

from __future__ import annotations

import io
from itertools import pairwise

import numpy as np

from supertune.contracts import Recording
from supertune.data.sounds import decoding, formats, tone
from supertune.data.sounds.varying import Samples

SECONDS = 6.0  # of a copy that is played
WIDTH, HEIGHT = 128, 32  # pixels of a waveform
SPECTRAL, DEPTH = 64, 60.0  # bands of a spectrogram, and dB from its loudest to white
_INK, _GROUND = 70, 245  # grey values


def flac(samples: Samples, rate: int = decoding.RATE) -> bytes:
    """(t,) samples as FLAC of 16 bits."""
    return _written(samples, rate, "FLAC", "PCM_16")


def clip(recording: Recording) -> bytes:
    """The first `SECONDS` of it as OGG Vorbis, which browsers play, of some kilobytes."""
    return sound(decoding.waveform(recording), decoding.RATE)


def sound(samples: Samples, rate: int) -> bytes:
    """The first `SECONDS` of samples (t,) as OGG Vorbis."""
    return _written(samples[: int(SECONDS * rate)], rate, "OGG", "VORBIS")


def spectrogram(samples: Samples, rate: int) -> bytes:
    """A PNG of the first `SECONDS`: time to the right, mel bands up to 4 kHz upwards, dark where it
    is loud."""
    heard = tone.bands(samples[: int(SECONDS * rate)], rate, SPECTRAL, 4000.0).T[::-1]
    share = np.clip((heard - heard.max()) / DEPTH + 1, 0, 1)
    return _png((_GROUND - (_GROUND - 20) * share).astype(np.uint8))


def drawn(recording: Recording) -> bytes:
    """A PNG of the waveform, `WIDTH` x `HEIGHT` pixels: the largest sample of each column."""
    heard = np.abs(decoding.waveform(recording))
    ends = np.linspace(0, len(heard), WIDTH + 1).astype(int)
    peaks = np.array([heard[a : max(a + 1, b)].max(initial=0.0) for a, b in pairwise(ends)])
    half = np.ceil(peaks / max(1e-6, float(peaks.max())) * (HEIGHT / 2)).astype(int)
    rows = np.abs(np.arange(HEIGHT) - (HEIGHT - 1) / 2)
    pixels = np.where(rows[:, None] < half, _INK, _GROUND).astype(np.uint8)
    return _png(pixels)


def _written(samples: Samples, rate: int, kind: str, subtype: str) -> bytes:
    try:
        import soundfile
    except (ImportError, OSError):
        raise formats.soundfile_missing() from None
    stream = io.BytesIO()
    soundfile.write(stream, samples, rate, format=kind, subtype=subtype)
    return stream.getvalue()


def _png(pixels: np.ndarray) -> bytes:
    """(height, width) grey values as a PNG, which needs no more than zlib."""
    import struct
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    height, width = pixels.shape
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    lines = b"".join(b"\0" + row.tobytes() for row in pixels)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body
