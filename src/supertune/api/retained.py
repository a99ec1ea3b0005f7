"""What must not be forgotten: rows that a model answers before and after it was tuned.

A model that was tuned to a few rows may do worse at what it could do before, such as another
language. Its answers to such rows stand beside those of the untuned one, with the paired interval.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from supertune import pipeline, registry
from supertune.config import Recipe, method_options
from supertune.contracts import Columns, Examples, Finding, Judged, Transcribing
from supertune.errors import InputError, unknown_name
from supertune.evaluation.intervals import paired
from supertune.model import Model
from supertune.pipeline import Candidate, Workshop
from supertune.report import compose, steps, wording
from supertune.report.compose import finite

UNTUNED = "untuned"
OTHER = 1.5  # what another language takes, beside that which was learned from
_LANGUAGE = re.compile(r"(?P<source>.+):(?P<language>[a-z]{2,3})")


@dataclass(frozen=True, eq=False)
class Kept:
    """Rows, what they are called, and the language spoken in them where it is another."""

    name: str
    language: str | None
    examples: Examples
    source: str | None = None  # as a command names it, with the language

    @property
    def expected(self) -> tuple[Examples, float]:
        """For `choose.expected_seconds`: what is spoken in another language is heard in whole
        windows by the tuned model too."""
        return self.examples, 1.0 if self.language is None else OTHER


def read(
    given: Sequence[Any], workshop: Workshop, backbones: Sequence[str | None]
) -> tuple[Kept, ...]:
    """The rows of each source, before anything is trained.

    Args:
        given: sources as `supertune.fit` takes them; the name of one may have a language behind
            it, as in ``"everyday.csv:en"``.
        backbones: those that may be tuned.

    Raises:
        InputError: ``nothing_to_forget`` where the untuned model cannot answer, ``no_language``,
            ``unknown_language``, and what is wrong with the rows.
    """
    sources = [given] if isinstance(given, str | Path) else list(given)
    if sources and UNTUNED not in workshop.objective.baselines:
        raise InputError(
            "nothing_to_forget",
            "Before it is tuned, such a model cannot answer, so it has nothing to forget.",
            received=f"keep, and the task {workshop.task.name}",
            allowed="tasks that the backbone does as it is, such as speech_to_text or translation",
            next="Leave --keep out.",
        )
    return tuple(_read(one, number, workshop, backbones) for number, one in enumerate(sources, 1))


def _read(source: Any, number: int, workshop: Workshop, backbones: Sequence[str | None]) -> Kept:
    language = None
    named = isinstance(source, str | Path) and not Path(source).exists()
    if named and (match := _LANGUAGE.fullmatch(str(source))):
        source, language = match["source"], match["language"]
    for name in backbones if language is not None else ():
        lens = workshop.lens(name)
        _check(language, None if lens is None else lens.backbone)
    found = registry.task(workshop.recipe.task).read(source, Columns(), labels=())
    examples = pipeline.labelled(found.train)
    spoken = steps.spoken(source)
    named_as = spoken if spoken is None or language is None else f"{spoken}:{language}"
    return Kept(spoken or f"rows {number}", language, examples, named_as)


def _check(language: str | None, backbone: Any) -> None:
    if not isinstance(backbone, Transcribing) or not backbone.languages:
        raise InputError(
            "no_language",
            "No language can be chosen for this model.",
            received=f":{language} behind rows to be kept",
            allowed="a language behind recordings, for a model that writes down several",
            next=f"Leave :{language} out.",
        )
    if language not in backbone.languages:
        raise unknown_name("language", str(language), backbone.languages)


def add(model: Model, kept: Sequence[Kept], learned: Examples) -> None:
    """``retained`` goes into the model's report, and a finding for each set that it does worse on.

    Args:
        learned: the rows that it was tuned on.
    """
    if not kept:
        return
    report = model.report.data
    report["retained"] = [finite(_compared(model, one, learned)) for one in kept]
    told = [_finding(one, model.recipe) for one in report["retained"] if one["forgotten"]]
    report["findings"] = [*(one.as_dict() for one in told), *report["findings"]]


def _compared(model: Model, kept: Kept, learned: Examples) -> dict[str, Any]:
    recipe, backbone = model.recipe, model.backbone
    if kept.language is not None:
        # Texts of a field are of one language, that which was learned from.
        same = kept.language == getattr(model.tuned, "language", None)
        other = {} if same else {"domain_text": ()}
        recipe = recipe.model_copy(update={"language": kept.language, **other})
    shop = Workshop(recipe, store=model.workshop.store)
    before, after = Candidate(backbone, UNTUNED), Candidate(backbone, model.method)
    tuned = {"before": pipeline.tune(shop, before, learned), "after": model.tuned}
    rows, metric = kept.examples, shop.metric
    judged = {
        name: Judged(rows, pipeline.predict(shop, one, tuned[name], rows).scored, True)
        for name, one in (("before", before), ("after", after))
    }
    gap = paired(
        shop.score(rows.labels),
        judged["after"].answers,
        judged["before"].answers,
        rows.targets,  # type: ignore[arg-type]
        metric,
        seed=recipe.seed,
        groups=rows.groups,
        weights=rows.weights,
    )
    larger = shop.task.metrics[metric]
    return {
        "name": kept.name,
        "language": kept.language,
        "rows": len(rows),
        "metric": metric,
        **{
            name: compose.scores(shop, one, [metric])[metric].as_dict()
            for name, one in judged.items()
        },
        "difference": gap.as_dict(),
        "forgotten": gap.high < 0 if larger else gap.low > 0,
    }


def _finding(one: dict[str, Any], recipe: Recipe) -> Finding:
    numerals = wording.Numerals(3)
    was, now = (numerals.value(one[name]["value"], one["metric"]) for name in ("before", "after"))
    spoken = f" ({one['language']})" if one["language"] else ""
    message = (
        f"What the untuned model could do with {one['name']}{spoken} is partly forgotten: "
        f"{wording.metric_name(one['metric'])} {was} before, {now} now, "
        f"{numerals.difference(one['difference'])}."
    )
    share = getattr(method_options(recipe, recipe.method), "interpolation", None)
    if share is not None:
        message += f" Less tuning keeps more: --set interpolation={share / 2:g}."
    return Finding("forgotten", message)
