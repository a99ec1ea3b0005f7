"""A few labelled rows in, a tuned model and an honest report out.

    import supertune

    model = supertune.fit("reviews.csv", output="reviews-model")
    model.predict(["arrived broken, twice"])
    model.report                             # score with interval, baseline and verdict

    supertune.load("reviews-model").predict_proba(["arrived broken, twice"])
    print(supertune.plan("reviews.csv").text())    # what would be tried, before anything is
    print(supertune.suited("reviews.csv").text())  # which pretrained models suit the rows, and why
    supertune.label_next("reviews-model", "pool.csv")    # which rows to label next, and why

Everything the command line does, these names do. They are looked up on first use, so that
``import supertune`` costs milliseconds and imports no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from supertune.api import (
        Answered,
        Generator,
        Model,
        Outcome,
        cancel_job,
        compare,
        detect,
        export,
        fit,
        fit_many,
        forget_job,
        generate,
        job,
        jobs,
        label_next,
        load,
        plan,
        predict_file,
        predict_many,
        recorded,
        similar_in,
        similar_items,
        speak,
        suited,
        transcribe,
        translate,
        write,
    )

__version__ = "0.1.0"

__all__ = [
    "Answered",
    "Generator",
    "Model",
    "Outcome",
    "__version__",
    "cancel_job",
    "compare",
    "detect",
    "export",
    "fit",
    "fit_many",
    "forget_job",
    "generate",
    "job",
    "jobs",
    "label_next",
    "load",
    "plan",
    "predict_file",
    "predict_many",
    "recorded",
    "similar_in",
    "similar_items",
    "speak",
    "suited",
    "transcribe",
    "translate",
    "write",
]

_PUBLIC = frozenset(__all__) - {"__version__"}


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'supertune' has no attribute {name!r}")
    from supertune import api

    value = getattr(api, name)
    globals()[name] = value  # the next look-up does not come here
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
