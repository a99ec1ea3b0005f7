"""From what a cell holds to a recording: a path, bytes, samples with their rate."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from supertune.contracts import Recording
from supertune.data.cells import is_empty, shown
from supertune.data.media_cells import Place, exists, is_struct, near
from supertune.data.sounds import formats
from supertune.errors import InputError

ALLOWED = (
    'paths of recordings, their bytes, (samples, rate) pairs, or {"array": samples, '
    '"sampling_rate": rate}'
)
INSIDE = ("clips", "audio", "wav", "wavs")  # folders beside a table that its paths may begin in


def is_recording(cell: Any) -> bool:
    """Whether a cell is a recording by itself; a path is only a text."""
    if isinstance(cell, Recording | bytes | bytearray | memoryview):
        return True
    return is_samples(cell) or is_struct(cell)


def is_samples(cell: Any) -> bool:
    """Whether a cell is ``{"array": ..., "sampling_rate": ...}``, as the data sets of the Hugging
    Face hub hold recordings, or a pair of the two."""
    if isinstance(cell, Mapping):
        return {"array", "sampling_rate"} <= set(cell)
    pair = isinstance(cell, tuple) and len(cell) == 2
    return pair and isinstance(cell[0], np.ndarray) and isinstance(cell[1], int | np.integer)


def recording(cell: Any, place: Place) -> Recording | None:
    """The recording in a cell; None where the cell is empty.

    Raises:
        InputError: ``no_recording`` for what is none, ``bad_array``, ``remote_recording``,
            ``recording_missing``; and as `formats.recording`.
    """
    if isinstance(cell, Recording):
        return cell
    if is_samples(cell):
        found = cell
        if isinstance(cell, Mapping):
            found = cell["array"], cell["sampling_rate"]
        return Recording.of(_saved(found[0], found[1], place), str(place))
    if is_struct(cell):
        held, name = cell["bytes"], cell["path"]
        if held is None:
            return recording(name, place)
        return Recording.of(bytes(held), Path(str(name)).name if name else str(place))
    if isinstance(cell, bytes | bytearray | memoryview):
        return Recording.of(bytes(cell), str(place))
    if is_empty(cell):
        return None
    if isinstance(cell, str | os.PathLike):
        return _from_path(str(cell), place)
    raise InputError(
        "no_recording",
        "This is no recording.",
        received=f"{place}: {type(cell).__name__} {shown(cell)}",
        allowed=ALLOWED,
        next="Correct the row, or name another column with --audio NAME.",
    )


def seconds(cell: Any, place: Place) -> float | None:
    """A moment in a recording; None where the cell is empty.

    Raises:
        InputError: ``bad_part``.
    """
    if is_empty(cell):
        return None
    try:
        found = float(cell)
    except (TypeError, ValueError):
        found = math.nan
    if math.isfinite(found) and found >= 0:
        return found
    raise InputError(
        "bad_part",
        "A part of a recording is named by seconds.",
        received=f"{place}: {shown(cell)}",
        allowed="numbers from 0 on, e.g. 1.25",
        next="Correct the row.",
    )


def _from_path(name: str, place: Place) -> Recording:
    if "://" in name[:12]:
        raise InputError(
            "remote_recording",
            "Recordings are read from this machine only.",
            received=f"{place}: {name[:200]}",
            allowed="paths of files, relative to the file that names them",
            next="Download the recordings, then give their paths.",
        )
    folder = place.folder or Path()
    path = folder / name
    if place.folder is not None and not exists(path):
        path = next((one for one in (folder / i / name for i in INSIDE) if exists(one)), path)
    if not exists(path):
        raise formats.missing(name[:200], f"{place}: ", near(path, place))
    if path.is_dir():
        raise InputError(
            "no_recording",
            f"'{name}' is a folder.",
            received=f"{place}: {name}",
            allowed="paths of recordings",
            next="Name the recordings in it, or give the folder itself as the data.",
        )
    return formats.recording(path, path.name if Path(name).is_absolute() else name)


def _saved(samples: Any, rate: Any, place: Place) -> bytes:
    """As WAV of floats, which loses nothing."""
    found = np.asarray(samples)
    if found.ndim == 2 and found.shape[0] <= formats.MOST_CHANNELS < found.shape[1]:
        found = found.T  # channels first, as torch has them
    if found.dtype.kind == "i":
        found = found / float(np.iinfo(found.dtype).max)
    low, high = formats.RATES
    sane = isinstance(rate, int | np.integer) and low <= rate <= high
    whole = found.ndim in (1, 2) and bool(found.size) and found.dtype.kind == "f"
    if not sane or not whole or not np.isfinite(found).all() or np.abs(found).max() > 2**15:
        raise InputError(
            "bad_array",
            "An array is no recording.",
            received=f"{place}: shape {found.shape}, {found.dtype}, rate {rate}",
            allowed="(samples,) or (samples, channels) of finite floats from -1 to 1 or of "
            f"integers, and a rate of {low:,} to {high:,} Hz",
            next="For example (samples.astype('float32'), 16000).",
        )
    from scipy.io import wavfile  # soundfile writes the time of day into files of floats

    stream = io.BytesIO()
    wavfile.write(stream, int(rate), found.astype(np.float32))
    return stream.getvalue()
