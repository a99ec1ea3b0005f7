"""Recipe keys of gradient methods where their objective is trained by a loop of its own."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from functools import cache
from typing import Any, cast

from pydantic import create_model

from supertune.contracts.completion_keys import CompletionOptions
from supertune.contracts.detection_keys import DetectionOptions
from supertune.contracts.method import GradientOptions, Method, Options
from supertune.contracts.ranking_keys import RankingOptions
from supertune.contracts.transcription_keys import TranscriptionOptions
from supertune.contracts.translation_keys import TranslationOptions

_OF: Mapping[str, tuple[type[Options], str]] = {
    "detect": (DetectionOptions, "Detectors"),
    "transcribe": (TranscriptionOptions, "Transcripts"),
    "rank": (RankingOptions, "Rankings"),
    "generate": (CompletionOptions, "Completions"),
    "translate": (TranslationOptions, "Translations"),
}


def options_of(method: Method, objective: str) -> type[Options]:
    """The keys that a method has where it serves an objective (`Method`): its own for it, where it
    names some. Those of `GradientOptions` speak of a loop that detectors, for one, are not trained
    by, and give way to those of their own."""
    named: Mapping[str, type[Options]] = getattr(method, "options_for", {})
    if objective in named:
        return named[objective]
    if objective not in _OF or not issubclass(method.options, GradientOptions):
        return method.options
    return _for(method.options, objective)


@cache
def _for(given: type[GradientOptions], objective: str) -> type[Options]:
    base, name = _OF[objective]
    fields, usual = given.model_fields, GradientOptions.model_fields
    own: dict[str, Any] = {
        key: (field.annotation, field) for key, field in fields.items() if key not in usual
    }
    rate = copy(fields["learning_rate"])
    rate.default = given.rates.get(objective, rate.default)
    if rate.default != usual["learning_rate"].default:
        own["learning_rate"] = (rate.annotation, rate)
    instead: Mapping[str, Any] = getattr(base, "instead", {})
    for key in own.keys() & instead.keys():  # another default of a key of the method's own
        field = copy(own[key][1])
        field.default = instead[key]
        own[key] = (field.annotation, field)
    made = cast(Any, create_model(f"{given.__name__}Of{name}", __base__=base, **own))
    searched = {key: factor for key, factor in given.ranges.items() if key in own}
    made.ranges = {**base.ranges, **searched}
    found: type[Options] = made
    return found
