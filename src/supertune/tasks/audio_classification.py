"""One label a recording, or several, learned from labelled recordings."""

from __future__ import annotations

from supertune.data.sounds import reading, recognising, sources
from supertune.tasks._media import MediaClassification

TASK = MediaClassification(
    name="audio_classification",
    summary="one label a recording, or several, from a few labelled recordings",
    modalities=("audio",),
    recognised=recognising.recognised,
    learned=reading.learned,
    judged=reading.judged,
    streamed=reading.stream,
    count=sources.count,
)
