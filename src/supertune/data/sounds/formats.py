"""Which files are recordings, and what a file says of itself before anything of it is decoded."""

from __future__ import annotations

import hashlib
import io
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from supertune.contracts import Recording
from supertune.data.signatures import kind
from supertune.errors import EnvironmentFault, InputError, SupertuneError

if TYPE_CHECKING:
    import soundfile

MOST_SECONDS = 3600.0  # of what is heard of one recording
MOST_BYTES = 2_000_000_000
RATES = (1_000, 768_000)  # samples a second that a file may declare
MOST_CHANNELS = 64
SUFFIXES = frozenset(
    {".wav", ".wave", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".au", ".caf"}
    | {".w64", ".rf64"}
)
READABLE = "WAV, FLAC, OGG, Opus, MP3 or AIFF"
_REPAIR = "Save or download it again, or take it out."
_BEGINNINGS = (b"RIFF", b"RIFX", b"RF64", b"riff", b"fLaC", b"OggS", b"ID3", b"FORM", b".snd")


@dataclass(frozen=True)
class Header:
    """What a file declares, and what of it is heard.

    Attributes:
        rate: samples a second.
        channels: how many.
        first, count: the frames that are heard.
    """

    rate: int
    channels: int
    first: int
    count: int

    @property
    def seconds(self) -> float:
        return self.count / self.rate


def is_named_so(name: str | Path) -> bool:
    """Whether a file is called like a recording."""
    return Path(name).suffix.lower() in SUFFIXES


def recording(path: Path, name: str) -> Recording:
    """A whole file as a recording; its bytes are read once, to be told by, and not kept.

    Raises:
        InputError: ``recording_missing``, ``recording_unreadable``, ``recording_too_large``.
    """
    try:
        known = path.stat()
        if known.st_size > MOST_BYTES:
            raise InputError(
                "recording_too_large",
                f"{name} is too large a file for a recording.",
                received=f"{name}: {known.st_size:,} bytes",
                allowed=f"at most {MOST_BYTES:,} bytes",
                next="Cut it into shorter recordings, or take it out.",
            )
        return Recording(_sha256(path, known.st_size, known.st_mtime_ns), name, path)
    except FileNotFoundError:
        raise missing(name) from None
    except (OSError, ValueError) as error:
        raise _unreadable(name, error) from error


@lru_cache(maxsize=1024)
def _sha256(path: Path, _size: int, _changed: int) -> str:
    """Of a file as it was when it was last changed: many rows may be parts of one."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def opened(recording: Recording) -> Iterator[tuple[soundfile.SoundFile, Header]]:
    """The file with its header read and not a sample decoded.

    Raises:
        InputError: ``recording_missing``, ``recording_unreadable``, ``recording_too_long``,
            ``not_a_recording``, ``recording_broken``, ``bad_sample_rate``, ``bad_part``.
        EnvironmentFault: ``extra_missing`` without soundfile.
    """
    sound = _soundfile()
    stream = _stream(recording)
    try:
        with sound.SoundFile(stream) as found:
            yield found, _checked(recording, found)
    except (SupertuneError, MemoryError):
        raise
    except Exception as error:  # whatever a decoder stumbles over, the file is to blame
        stream.seek(0)
        head = stream.read(4096)
        if not known(head):
            raise _not_a_recording(recording, head) from error
        raise broken(recording, error) from error
    finally:
        stream.close()


def header(recording: Recording) -> Header:
    """What the file declares; raises as `opened`."""
    with opened(recording) as (_, found):
        return found


def missing(name: str, where: str = "", step: str = "") -> InputError:
    return InputError(
        "recording_missing",
        f"There is no recording '{name}'.",
        received=f"{where}{name}",
        allowed="files that are there",
        next=step or "Put it back, or take its row out.",
    )


def broken(recording: Recording, reason: BaseException) -> InputError:
    said = " ".join(str(reason).split())[:200] or type(reason).__name__
    return InputError(
        "recording_broken",
        f"{recording} cannot be decoded.",
        received=f"{recording}: {said}",
        allowed=f"a whole {READABLE} file",
        next=_REPAIR,
    )


def soundfile_missing() -> EnvironmentFault:
    return EnvironmentFault(
        "extra_missing",
        "Reading recordings needs the packages soundfile and soxr.",
        received="recordings",
        allowed="texts and numbers without them",
        next="pip install 'supertune[speech]'",
    )


def _soundfile() -> Any:
    try:
        import soundfile
    except (ImportError, OSError):  # the latter where libsndfile itself is missing
        raise soundfile_missing() from None
    return soundfile


def _stream(recording: Recording) -> BinaryIO:
    """A stream without a name: what a file is, its content says and not its ending."""
    if recording.data is not None:
        return io.BytesIO(recording.data)
    assert recording.path is not None
    try:
        return cast(BinaryIO, recording.path.open("rb"))
    except FileNotFoundError:
        raise missing(recording.name) from None
    except OSError as error:
        raise _unreadable(recording.name, error) from error


def _checked(recording: Recording, found: soundfile.SoundFile) -> Header:
    rate, channels, frames = int(found.samplerate), int(found.channels), int(found.frames)
    if not RATES[0] <= rate <= RATES[1] or not 1 <= channels <= MOST_CHANNELS:
        raise InputError(
            "bad_sample_rate",
            f"{recording} declares a sampling rate or channels that no recording has.",
            received=f"{recording}: {rate:,} Hz, {channels} channels",
            allowed=f"{RATES[0]:,} to {RATES[1]:,} Hz, at most {MOST_CHANNELS} channels",
            next=_REPAIR,
        )
    if frames < 1:
        raise broken(recording, ValueError("it holds no sample"))
    first, last = _part(recording, rate, frames)
    if (last - first) / rate > MOST_SECONDS:
        raise InputError(
            "recording_too_long",
            f"{recording} says that it is longer than is read of one recording.",
            received=f"{recording}: {_duration((last - first) / rate)}",
            allowed=f"at most {_duration(MOST_SECONDS)}",
            next="Cut it into shorter ones, or name parts by the columns start and end.",
        )
    return Header(rate, channels, first, last - first)


def _part(recording: Recording, rate: int, frames: int) -> tuple[int, int]:
    """The first frame that is heard, and the one behind the last."""
    start, end = recording.start or 0.0, recording.end
    whole = frames / rate
    ends = end is None or start < end <= whole + 0.1  # what was measured may be rounded
    if not math.isfinite(start) or not 0 <= start < whole or not ends:
        raise InputError(
            "bad_part",
            f"{recording.name} has no such part.",
            received=f"start {start:g}, end {'' if end is None else f'{end:g}'} of {whole:.2f} s",
            allowed="0 <= start < end, in seconds, within the recording",
            next="Correct the row's start and end.",
        )
    first = min(frames - 1, round(start * rate))
    return first, frames if end is None else max(first + 1, min(frames, round(end * rate)))


def _duration(seconds: float) -> str:
    hours, minutes = divmod(round(seconds) // 60, 60)
    return f"{hours:,} h {minutes} min" if hours else f"{minutes} min"


def known(head: bytes) -> bool:
    """Whether a file begins as one that libsndfile reads, or with nothing at all."""
    mpeg = len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0
    return not head or head.startswith((*_BEGINNINGS, b"caff")) or mpeg


def _not_a_recording(recording: Recording, head: bytes) -> InputError:
    looks = "an MP4 or M4A file" if head[4:8] == b"ftyp" else kind(head) or "text"
    return InputError(
        "not_a_recording",
        f"{recording} is no recording that can be read.",
        received=f"{recording}: {looks}; it begins with {head[:8].hex(' ')}",
        allowed=READABLE,
        next="Save it as WAV or FLAC, or take it out.",
    )


def _unreadable(name: str, error: Exception) -> InputError:
    return InputError(
        "recording_unreadable",
        f"{name} cannot be opened.",
        received=f"{name}: {getattr(error, 'strerror', None) or error}",
        allowed="a file that this user may read",
        next="Check what it is and who may read it, or take it out.",
    )
