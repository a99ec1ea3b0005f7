"""Texts put into another language, after a few pairs of one's own."""

from __future__ import annotations

from typing import Any

from supertune import translations
from supertune.contracts import translation as answers_of
from supertune.data.pairs import reading
from supertune.tasks._paired import Paired


class Translation(Paired):
    """See `supertune.contracts.Task`."""

    def recognised(self, source: Any) -> str | None:
        """See `supertune.contracts.Recognising`."""
        return reading.recognised(source)


TASK = Translation(
    name="translation",
    summary="texts put into another language, after a few pairs of one's own",
    objective="translate",
    metrics=translations.METRICS,
    default_metric="chrf",
    improved_by=(
        "Give more pairs of the same kind of text, correct those that the report lists as furthest "
        "off, or name terms with a glossary."
    ),
    kind=reading.TRANSLATIONS,
    answer="translation",
    decoded=answers_of.translations,
    scored=translations.scores,
)
