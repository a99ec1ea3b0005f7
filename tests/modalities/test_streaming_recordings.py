"""Answers to files without end take no more memory than answers to a few."""

from __future__ import annotations

import gc
from pathlib import Path

import numpy as np
import psutil
from tests import tiny_listeners
from tests.data.sounds.conftest import encoded, melody, write

import supertune
from supertune.data.sounds.varying import Samples

FILES, WARM = 240, 90
MOST = 8_000  # bytes a file, of which the names that are written take some


def test_memory_does_not_grow_with_the_files_that_are_answered(tmp_path: Path) -> None:
    def sound(seed: int) -> Samples:
        return melody(seed, 0.2)

    rows = {f"{c}/{i}.wav": encoded(sound(50 * i + ord(c))) for c in "ab" for i in range(4)}
    backbone = tiny_listeners.hubert(tmp_path / "tiny")
    model = supertune.fit(
        write(tmp_path / "rows", rows),
        backbone=str(backbone),
        method="linear_probe",
        folds=2,
        repeats=1,
        output=tmp_path / "model",
    )
    pool = write(
        tmp_path / "pool", {f"{i:04}.wav": encoded(sound(10_000 + i)) for i in range(FILES)}
    )
    process, seen, held = psutil.Process(), 0, []
    for _, answers in model.stream(pool, window=30):
        seen += len(answers)
        gc.collect()
        if seen >= WARM:
            held.append((seen, process.memory_info().rss))
    assert seen == FILES
    files, memory = np.array(held, dtype=np.float64).T
    assert np.polyfit(files, memory, 1)[0] < MOST
