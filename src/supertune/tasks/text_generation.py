"""Texts that answer a request, after a few examples of one's own."""

from __future__ import annotations

from supertune import completions
from supertune.contracts import Completions
from supertune.data.requests.reading import REQUESTS
from supertune.tasks._paired import Paired

TASK = Paired(
    name="text_generation",
    summary="texts that answer a request, after a few examples of one's own",
    objective="generate",
    metrics=completions.METRICS,
    default_metric="rouge_l",
    improved_by=(
        "Give more examples, say with --instruction what is wanted, or hold answers to a structure."
    ),
    kind=REQUESTS,
    answer="completion",
    decoded=Completions.of,
    scored=completions.scores,
)
