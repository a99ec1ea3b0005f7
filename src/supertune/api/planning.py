"""`supertune.plan`: what a fit would read, try and cost, before anything is trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from supertune import choose, pipeline, registry
from supertune.api import domain_texts, meant, retained, setting_aside, unlabelled
from supertune.api.fitting import fit
from supertune.api.suiting import costs
from supertune.catalogue.entries import model as catalogue_model
from supertune.catalogue.resolve import fetched
from supertune.choose import Entry
from supertune.config import Recipe
from supertune.contracts import Examples, Finding, Reading, misfit
from supertune.contracts.remote import shared
from supertune.pipeline import Workshop
from supertune.report import compose, remote
from supertune.report.wording import duration, size


@dataclass(frozen=True, eq=False)
class Plan:
    """What would happen; ``data`` is the JSON form, `text` the form for people."""

    data: dict[str, Any]

    def text(self) -> str:
        """Columns, findings, candidates with predicted time, and the next step."""
        return "\n".join(_lines(self.data))

    __str__ = __repr__ = text


def plan(
    data: Any,
    *,
    test: Any = None,
    unlabeled: Any = None,
    keep: Sequence[Any] = (),
    **options: Any,
) -> Plan:
    """Read and check the rows, and say what `fit` would try. Nothing is trained or downloaded.

    Arguments as in `supertune.fit`.

    Raises:
        InputError: what `fit` would refuse.
    """
    settled, said = meant.settled(data, options)
    reading = pipeline.read(data, settled, test)
    reading = replace(reading, guesses=(*said, *reading.guesses))
    settled, reading = domain_texts.apart(settled, reading)
    reading = setting_aside.judged_apart(settled, reading)
    settled = pipeline.as_written(settled, reading)
    workshop = Workshop(settled)
    examples = pipeline.labelled(reading.train)
    pipeline.check_settings(workshop, examples)
    reading = unlabelled.added(workshop, reading, unlabeled, fetch=False)
    entries = choose.candidates(workshop, examples, fetch=False)
    findings = [*reading.findings, *pipeline.noticed(reading.train, settled)]
    missing = _missing(choose.backbones(settled, examples))
    kept = retained.read(keep, workshop, ())
    expected = [one.expected for one in kept]
    total = choose.expected_seconds(
        workshop, entries, examples, reading.test, fetch=False, kept=expected
    )
    return Plan(
        {
            "task": settled.task,
            "metric": workshop.metric,
            "rows": len(examples),
            "data": compose.data_section(workshop, reading, examples, shown=True),
            "judged_on": _judged_on(workshop, reading),
            "keep": [{"name": one.name, "rows": len(one.examples)} for one in kept],
            "findings": [f.as_dict() for f in (*findings, *_language(workshop, examples))],
            "backbones": [
                one.as_dict()
                for one in choose.suiting(workshop, examples, choose.backbones(settled, examples))
            ],
            "candidates": [_candidate(entry) for entry in entries],
            "unfit": _unfit(workshop, entries, examples.modality),
            "to_fetch": missing,
            **_remote(workshop, entries, examples, data, test, unlabeled, options),
            "seconds": total,
            "time_limit": settled.time_limit,
            "memory_bytes": max((e.memory_bytes for e in entries), default=0),
            "disk_bytes": max((e.disk_bytes for e in entries), default=0),
            "next": _next(data, missing, total, settled, kept),
        }
    )


def _remote(
    workshop: Workshop,
    entries: Sequence[Entry],
    examples: Examples,
    data: Any,
    test: Any,
    unlabeled: Any,
    options: dict[str, Any],
) -> dict[str, Any]:
    """``remote``: what a fit would send to a server, found by one that sends nothing and goes on
    with numbers drawn at random in place of answers."""
    names = {entry.candidate.backbone for entry in entries} - {None}
    offers = [workshop.offer(str(name), fetch=False) for name in names]
    if not any("remote" in offer.capabilities for offer in offers):
        return {}
    with shared(dry=True) as account:
        fit(data, test=test, unlabeled=unlabeled, **options)
    return remote.section(account, examples)


def _missing(names: Sequence[str]) -> list[dict[str, Any]]:
    """Backbones of the catalogue that a fit would fetch first, with the bytes of the download."""
    entries = [entry for name in names if (entry := catalogue_model(name)) is not None]
    return [
        {"name": entry.name, "bytes": entry.download_bytes}
        for entry in entries
        if fetched(entry) is None
    ]


def _language(workshop: Workshop, examples: Any) -> list[Finding]:
    notes = choose.language_notes(workshop, examples, fetch=False)
    return [Finding(code, message) for code, message in notes]


def _judged_on(workshop: Workshop, reading: Reading) -> str:
    if reading.test is not None:
        return f"{len(reading.test)} test rows"
    folds = workshop.folds(pipeline.labelled(reading.train), repeats=1)
    return f"{workshop.recipe.repeats} x {len(folds[0])}-fold cross-validation"


def _candidate(entry: Entry) -> dict[str, Any]:
    return {
        "backbone": entry.candidate.backbone,
        "method": entry.candidate.method,
        "seconds": entry.predicted_seconds,
        "memory_bytes": entry.memory_bytes,
    }


def _unfit(workshop: Workshop, entries: Sequence[Entry], rows: str) -> list[dict[str, str]]:
    """Methods that are no candidates, and why."""
    taken = {entry.candidate.method for entry in entries}
    names = [e.candidate.backbone for e in entries if e.candidate.backbone is not None]
    offer = workshop.offer(names[0], fetch=False) if names else None
    reasons = []
    for method in registry.methods():
        if method.name in taken:
            continue
        on = offer if method.needs else None
        why = misfit(method, workshop.task.objective, on, rows)
        if why is None and workshop.recipe.method != "auto":
            why = f"only {workshop.recipe.method} was asked for"
        reasons.append({"method": method.name, "why": why or choose.NOT_TRIED})
    return reasons


def _unfit_lines(unfit: Sequence[Mapping[str, str]]) -> list[str]:
    """Methods of other tasks in one line, those that `auto` leaves to a person in another."""
    others = [one["method"] for one in unfit if " serves " in one["why"]]
    named = [one["method"] for one in unfit if one["why"] == choose.NOT_TRIED]
    left = [one for one in unfit if one["method"] not in {*others, *named}]
    lines = [f"  not {one['method']}: {one['why']}" for one in left]
    lines += [f"  {choose.NOT_TRIED}: {', '.join(named)}"] if named else []
    return lines + ([f"  for other tasks: {', '.join(others)}"] if others else [])


def _next(
    data: Any,
    missing: list[dict[str, Any]],
    total: float,
    settled: Recipe,
    kept: Sequence[retained.Kept],
) -> list[str]:
    from supertune.report.steps import spoken

    source = spoken(data) or "ROWS.csv"
    if settled.task != Recipe.model_fields["task"].default:
        source += f" --task {settled.task}"
    source += "".join(f" --keep {one.source}" for one in kept if one.source is not None)
    steps = []
    if missing:
        steps.append(f"supertune models pull {missing[0]['name']}")
    if total > settled.time_limit:
        steps.append(f"supertune fit {source} --time-limit {int(total * 1.2) + 1}s")
    return [*steps, f"supertune fit {source} -o my-model"]


def _lines(data: dict[str, Any]) -> list[str]:
    lines = [f"{data['data']['source']}: {data['rows']} labelled rows for {data['task']}"]
    lines += [f"  {guess}" for guess in data["data"]["guesses"]]
    for label in data["data"]["labels"]:
        lines.append(f"  label {label['name']}: {label['rows']} rows")
    if target := data["data"].get("target"):
        lines.append(
            f"  {target['name']}: {target['lowest']:.6g} to {target['highest']:.6g}, "
            f"median {target['median']:.6g}"
        )
    lines += ["", f"Judged on {data['judged_on']}, by {data['metric']}."]
    for one in data["keep"]:
        lines.append(f"Not to be forgotten: {one['name']}, {one['rows']} rows, before and after.")
    lines += ["", "Backbones"] if data["backbones"] else []
    for one in data["backbones"]:
        lines.append(f"  {one['name']}: {costs(one)}" if one["suits"] else f"  {one['name']}")
        lines += [f"    {reason}" for reason in (*one["against"], *one["for"])]
    lines += ["", "Candidates"] if data["candidates"] else []
    for one in data["candidates"]:
        on = f" on {one['backbone']}" if one["backbone"] else ""
        lines.append(
            f"  {one['method']}{on}: about {duration(one['seconds'])}, {size(one['memory_bytes'])}"
        )
    lines += _unfit_lines(data["unfit"])
    for one in data["to_fetch"]:
        amount = size(one["bytes"]) if one["bytes"] else "its size is not known"
        lines.append(f"  {one['name']} is fetched first ({amount})")
    for one in data.get("remote") or []:
        count = len(one["rows"]) + one["other_texts"]
        lines.append(
            f"  {one['model']} at {one['server']} would be sent {count} texts: {remote.took(one)}"
        )
    lines += ["", *(f"! {f['message']}" for f in data["findings"])] if data["findings"] else []
    lines += [
        "",
        f"About {duration(data['seconds'])} of at most {duration(data['time_limit'])}, "
        f"{size(data['memory_bytes'])} of memory, {size(data['disk_bytes'])} of disk.",
    ]
    return [*lines, "", "Next", *(f"  {step}" for step in data["next"])]
