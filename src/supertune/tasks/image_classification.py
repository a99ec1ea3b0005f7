"""One label a picture, or several, learned from labelled pictures."""

from __future__ import annotations

from supertune.data.pictures import reading, recognising, sources
from supertune.tasks._media import MediaClassification

TASK = MediaClassification(
    name="image_classification",
    summary="one label a picture, or several, from a few labelled pictures",
    modalities=("image",),
    recognised=recognising.recognised,
    learned=reading.learned,
    judged=reading.judged,
    streamed=reading.stream,
    count=sources.count,
)
