"""`supertune.fit`: from rows to a model and a report, through the straight line of `pipeline`."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from supertune import __version__, artifact, baselines, choose, launched, limits, pipeline
from supertune.api import (
    before_after,
    before_speech,
    beginnings,
    continuing,
    domain_texts,
    machine,
    meant,
    painting,
    retained,
    rowless,
    setting_aside,
    spreading,
    unlabelled,
)
from supertune.artifact.backbones import noted
from supertune.choose import Decision, Entry, levers
from supertune.config import Recipe, method_options
from supertune.contracts import (
    Drawing,
    Examples,
    Finding,
    Floored,
    HeadSpec,
    Judged,
    Juxtaposing,
    Noted,
    Notes,
    Painting,
    Reading,
    Recommending,
    Tuned,
    Voicing,
)
from supertune.contracts.remote import anew
from supertune.evaluation import rated
from supertune.explaining import reported
from supertune.limits import OutOfTime
from supertune.model import Model, load
from supertune.pipeline import Workshop
from supertune.prompts import asking
from supertune.report import advice, compose, remote, steps
from supertune.report.compose import finite
from supertune.report.shown import Report
from supertune.training import processes

Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True, eq=False)
class _Run:
    """What one fit was given, and when its clock started (``time.monotonic`` seconds)."""

    data: Any
    test: Any
    reading: Reading
    examples: Examples
    workshop: Workshop
    entries: list[Entry]
    started: float
    fetched: float  # seconds spent on downloads and conversions before the clock started
    predicted: float  # seconds
    keep_rows: bool
    given: Recipe  # as the person gave it
    unlabeled: Any = None
    kept: tuple[retained.Kept, ...] = ()


def fit(
    data: Any,
    *,
    output: str | Path | None = None,
    test: Any = None,
    unlabeled: Any = None,
    overwrite: bool = False,
    keep_rows: bool = True,
    keep: Sequence[Any] = (),
    from_: str | Path | None = None,
    progress: Progress | None = None,
    began: Callable[[Reading, float], None] | None = None,
    ray: str | None = None,
    workers: int | None = None,
    **options: Any,
) -> Model:
    """Tune a pretrained model on a few labelled rows; its ``report`` says how good it is.

    Args:
        data: a table as a file, a folder with a sub-folder a class, a pandas or polars frame, a
            list of (text, label) pairs, or a ``datasets.Dataset``.
        output: where to save the model folder; None keeps the model in memory alone.
        test: rows to judge by, as ``data``; without them, repeated cross-validation judges.
        unlabeled: rows without an answer, as ``data``, of the kind that the model will be asked
            about; they are used where the labelled rows do not speak against it.
        overwrite: whether ``output`` may replace a model folder.
        keep_rows: whether texts of the rows may go into the folder (report, ``rows.jsonl``).
        keep: rows of what must not be forgotten, each as `retained.read` takes it.
        from_: a model folder to go on from: its rows and settings, and the new rows.
        progress: called with (stage, done, total or None).
        began: called before training, with what was read and the seconds that are expected.
        ray, workers: who cross-fits candidates and folds; as in `supertune.fit_many`.
        **options: keys of the recipe (``method="lora"``, ``time_limit=120``, ``seed=1`` ...) and
            of the method itself (``rank=4``).

    Raises:
        InputError: what is wrong with the rows, the options or the output, before any training.
        EnvironmentFault: the disk, the memory or the network refused.

    Example:
        >>> model = supertune.fit("reviews.csv", output="reviews-model")
        >>> model.predict(["arrived broken, twice"])
    """
    if output is not None:
        artifact.check_output(Path(output), overwrite)
    before = None if from_ is None else load(from_, **anew(options))
    earlier = {} if before is None else continuing.settings_of(before, options)
    settled, said = meant.settled(data, {**earlier, **options})
    settled = processes.join(spreading.settled(settled, ray))
    run = _keeping(_read(data, test, settled, before, keep_rows, progress, unlabeled), keep, said)
    if began is not None:
        began(run.reading, run.predicted)
    with spreading.spread(run.workshop, ray, workers):
        model = _finish(run, *_tuned(run, _decide(run)))
    retained.add(model, run.kept, run.examples)
    if output is not None and launched.first():
        model.save(output, overwrite=overwrite)
    return model


def _read(
    data: Any,
    test: Any,
    settled: Recipe,
    before: Model | None,
    keep_rows: bool,
    progress: Progress | None,
    unlabeled: Any = None,
) -> _Run:
    if progress is not None:
        progress("read rows", 0, None)
    if before is None:
        reading = pipeline.read(data, settled, test)
    else:
        reading = continuing.read(before, data, settled, test)
    settled, reading = domain_texts.apart(settled, reading)
    reading = setting_aside.judged_apart(settled, reading)
    given, settled = settled, pipeline.as_written(settled, reading)
    told = pipeline.noticed(reading.train, settled)
    reading = replace(reading, findings=(*reading.findings, *told))
    workshop = Workshop(settled, progress)
    read_at = time.monotonic()
    examples = pipeline.labelled(reading.train)
    pipeline.check_settings(workshop, examples)
    reading = unlabelled.added(workshop, reading, unlabeled)
    if not keep_rows:
        rowless.check_method(settled)
    entries = choose.candidates(workshop, examples)  # fetches what is not there yet
    if not keep_rows and workshop.unlabelled:
        rowless.check_unlabelled(entries)
    started = time.monotonic()
    return _Run(
        data,
        test,
        reading,
        examples,
        workshop,
        entries,
        started,
        started - read_at,
        0.0,
        keep_rows,
        given,
        unlabeled,
    )


def _keeping(run: _Run, keep: Sequence[Any], said: Sequence[str]) -> _Run:
    run = replace(run, reading=replace(run.reading, guesses=(*said, *run.reading.guesses)))
    kept = retained.read(keep, run.workshop, [e.candidate.backbone for e in run.entries])
    expected, test = [one.expected for one in kept], run.reading.test
    seconds = choose.expected_seconds(run.workshop, run.entries, run.examples, test, kept=expected)
    return replace(run, kept=kept, predicted=seconds)


def _decide(run: _Run) -> Decision:
    workshop = run.workshop
    deadline = run.started + workshop.recipe.time_limit
    test = run.reading.test
    decision = choose.decide(workshop, run.entries, run.examples, deadline, test=test)
    _resolve(run, decision)
    return decision


def _tuned(run: _Run, decision: Decision) -> tuple[Decision, Tuned]:
    """The model that is kept. One that was chosen and turns out too slow on all rows gives way
    to the next; one that was asked for by name is waited for."""
    workshop, limit = run.workshop, run.given.time_limit
    try:
        timed = choose.has_other(decision) and run.given.max_candidates is None
        with limits.until(run.started + limit if timed else float("inf")):
            return decision, pipeline.tune(workshop, decision.candidate, run.examples)
    except OutOfTime:
        why = f"its fit on all rows would not have ended within {limit:.0f} s"
        decision = choose.without(workshop, run.examples, decision, why)
    _resolve(run, decision)
    with limits.until(float("inf")):
        return decision, pipeline.tune(workshop, decision.candidate, run.examples)


def _resolve(run: _Run, decision: Decision) -> None:
    """From here on nothing in the recipe depends on the clock any more."""
    workshop, winner = run.workshop, decision.candidate
    offer = None if winner.backbone is None else workshop.offer(winner.backbone)
    workshop.recipe = decision.recipe.model_copy(
        update={
            "method": winner.method,
            "backbone": winner.backbone or "none",
            "metric": workshop.metric,
            "unlabeled_rows": len(workshop.unlabelled) or workshop.recipe.unlabeled_rows,
            "precision": workshop.precision(winner.backbone),
            # A later catalogue may have found a better one for its backbones.
            "resize_mode": workshop.recipe.resize_mode or (offer and offer.resize_mode),
            "options": method_options(workshop.recipe, winner.method).model_dump(mode="json"),
            **_named(run.reading),
        }
    )


def _named(reading: Reading) -> dict[str, Any]:
    """The columns as they were understood, so that the recipe guesses nothing."""
    section = compose.columns_section(reading.columns)
    lists = ("text", "slices", "numbers")
    return {**section, **{key: tuple(section.get(key, ())) for key in lists}}


def _finish(run: _Run, decision: Decision, tuned: Tuned) -> Model:
    workshop, examples = run.workshop, run.examples
    verified = pipeline.verify(workshop, decision.candidate, tuned, examples)
    calibration = pipeline.calibration(workshop, decision.candidate, examples, decision.assessed)
    judged, free = _judged(run, decision, tuned, calibration)
    report = _report(run, decision, tuned, verified, judged, free)
    report |= finite(compose.trust(workshop, decision, examples, calibration, judged))
    report |= _drawn(run, decision, tuned)
    kept = examples
    if run.reading.whole is not None:  # it was judged by rows that a model to be used may know
        kept = run.reading.whole
        tuned = pipeline.tune(workshop, decision.candidate, kept)
    if isinstance(workshop.objective, Juxtaposing):
        report |= finite(workshop.objective.side_by_side(judged, free, run.keep_rows))
    manifest = {
        "supertune": __version__,
        "created": report["created"],
        "task": workshop.task.name,
        "labels": list(kept.labels),
        "multi_label": examples.multi_label,
        **({"valued": True} if examples.valued else {}),
        **_sizes(workshop.task.head(examples)),
        "method": decision.candidate.method,
        "backbone": noted(workshop, decision.candidate.backbone),
        "recipe": workshop.recipe.model_dump(mode="json"),
        "columns": compose.columns_section(run.reading.columns),
        **_floor(workshop, examples),
        "scores": {"estimate": report["estimate"], "test": report["test"]},
    }
    return Model(
        recipe=workshop.recipe,
        labels=examples.labels,
        head=workshop.task.head(examples),
        columns=run.reading.columns,
        report=Report(report, kept if run.keep_rows else None),
        manifest=manifest,
        tuned=tuned,
        training_rows=kept if run.keep_rows else None,
        calibration=calibration,
        _workshop=workshop,
    )


def _floor(workshop: Workshop, examples: Examples) -> dict[str, Any]:
    """What a baseline needs to answer where no rows are kept."""
    judge = workshop.objective
    return judge.floor(examples) if isinstance(judge, Floored) else {}


def _drawn(run: _Run, decision: Decision, tuned: Tuned) -> dict[str, Any]:
    """What a model draws, before and after; of what draws nothing, nothing."""
    workshop, backbone = run.workshop, decision.candidate.backbone
    lens = workshop.lens(backbone)
    if isinstance(tuned, Recommending):
        told = rated.section(run.examples, run.reading.whole, workshop.recipe.seed)
        return beginnings.section(tuned, run.reading.test, lens) | told
    if lens is not None and isinstance(tuned, Painting):
        return painting.section(tuned, run.examples, lens, shown=run.keep_rows)
    if lens is not None and isinstance(tuned, Voicing):
        rows = run.examples if run.reading.test is None else run.reading.test
        return before_speech.section(tuned, rows, lens, workshop.recipe, shown=run.keep_rows)
    if backbone is None or not isinstance(tuned, Drawing):
        return {}
    (free, *_) = baselines.candidates(workshop, backbone, run.examples.modality)
    return before_after.section(
        tuned,
        pipeline.tune(workshop, free, run.examples),
        run.examples,
        workshop.lens(backbone),
        seed=workshop.recipe.seed,
        seconds=before_after.allowed(run.started, run.given.time_limit),
        shown=run.keep_rows,
        judge=partial(before_after.judge_of, workshop),
        test=() if run.reading.test is None else run.reading.test.inputs,
    )


def _sizes(head: HeadSpec) -> dict[str, int]:
    """How many boxes, draws or losses an answer has, of those that are made of such."""
    return {head.kind: int(getattr(head, head.kind))} if head.kind else {}


def _judged(
    run: _Run, decision: Decision, tuned: Tuned, calibration: Mapping[str, Any]
) -> tuple[Judged, dict[str, Judged]]:
    """The model's answers to rows that it had not seen, and those of what costs nothing."""
    workshop, test = run.workshop, run.reading.test
    backbone = decision.candidate.backbone or _any_backbone(decision)
    if test is not None:
        held = pipeline.labelled(test)
        found = pipeline.predict(workshop, decision.candidate, tuned, held, calibration)
        free = baselines.on_test(workshop, run.examples, held, backbone)
        return (
            Judged(held, found.scored, True),
            {name: Judged(held, base, True) for name, base in free.items()},
        )
    assert decision.assessed is not None
    folds = workshop.folds(run.examples)
    known = {
        str(entry.candidate): entry.assessed.answers
        for entry in decision.entries
        if entry.assessed is not None
    }
    free = baselines.out_of_fold(workshop, run.examples, folds, backbone, known)
    count = len(folds[0])
    return (
        Judged(run.examples, decision.assessed.answers, False, count),
        {name: Judged(run.examples, found, False, count) for name, found in free.items()},
    )


def _any_backbone(decision: Decision) -> str | None:
    """A backbone that is open anyway, for the label names."""
    return next(
        (e.candidate.backbone for e in decision.entries if e.assessed and e.candidate.backbone),
        None,
    )


def _report(
    run: _Run,
    decision: Decision,
    tuned: Tuned,
    verified: tuple[Finding, ...],
    judged: Judged,
    free: Mapping[str, Judged],
) -> dict[str, Any]:
    workshop, examples, metric = run.workshop, run.examples, run.workshop.metric
    names = compose.available(workshop, judged.examples)
    found = compose.scores(workshop, judged, names)
    folded = None if decision.choice is None else decision.choice.estimate
    on_test = found[metric] if judged.on_test else None
    verdict = compose.judgement(workshop, judged, free, decision)
    rows, doubts = compose.rows_to_look_at(workshop, examples, decision, run.keep_rows)
    notes = tuned.notes() if isinstance(tuned, Noted) else Notes()
    # A fit that did nothing makes everything else beside the point, so that stands first.
    noticed = [*verified, *_noticed(run, decision, tuned), *doubts, *notes.findings]
    report: dict[str, Any] = {
        "schema": 1,
        "supertune": __version__,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "task": workshop.task.name,
        "method": decision.candidate.method,
        "metric": metric,
        "larger_is_better": workshop.task.metrics[metric],
        "seed": workshop.recipe.seed,
        "data": compose.data_section(workshop, run.reading, examples, shown=run.keep_rows),
        "estimate": (folded or found[metric]).as_dict(),
        "test": None if on_test is None else on_test.as_dict(),
        "baselines": {
            name: compose.scores(workshop, base, [metric])[metric].as_dict()
            for name, base in free.items()
        },
        "verdict": verdict.as_dict(),
        "metrics": {name: one.as_dict() for name, one in found.items()},
        "judged_on": "test rows" if judged.on_test else "cross-validation",
        **compose.breakdown(workshop, judged, shown=run.keep_rows),
        **compose.terms(workshop, judged, free),
        **compose.notes_section(notes),
        "rows": rows,
        "findings": [finding.as_dict() for finding in noticed],
        "candidates": compose.candidates(decision),
        "choice": None if decision.choice is None else decision.choice.why,
        **compose.recipe_section(workshop.recipe),
        **compose.tuning(workshop, decision.candidate.backbone, tuned),
        "versions": machine.versions(backbone=decision.candidate.backbone is not None),
        **_explanations(run, decision, tuned, rows),
        **_advice(run, decision),
    }
    report["cost"] = _cost(run, decision)
    report |= remote.section(workshop.account, examples)
    report["sources"] = _sources(run)
    report["commands"] = steps.commands(report, None)
    report["next"] = steps.following(report, None)
    return dict(finite(report))


def _noticed(run: _Run, decision: Decision, tuned: Tuned) -> list[Finding]:
    """What the steps up to the fit have to say."""
    return [
        *asking.unused(run.given, tuned),
        *run.reading.findings,
        *run.workshop.store.findings,
        *remote.findings(run.workshop.account, run.examples),
        *_notes(decision),
    ]


def _explanations(
    run: _Run, decision: Decision, tuned: Tuned, rows: list[dict[str, Any]]
) -> dict[str, Any]:
    """The wrong answers that a model was surest of, word by word, where time is left for it."""
    left = run.started + run.given.time_limit - time.monotonic()
    workshop, candidate = run.workshop, decision.candidate
    listed = reported.for_report(workshop, candidate, tuned, run.examples, rows, left)
    return {"explanations": listed} if listed else {}


def _advice(run: _Run, decision: Decision) -> dict[str, Any]:
    """What would help, as far as the time that is left allows; nothing where it is not wanted."""
    if not run.given.advice:
        return {}
    stop = run.started + run.given.time_limit
    found = levers.advise(run.workshop, run.examples, decision, stop)
    return {"advice": advice.section(found, run.workshop.metric)}


def _sources(run: _Run) -> dict[str, Any]:
    found: dict[str, Any] = {"data": steps.spoken(run.data), "test": steps.spoken(run.test)}
    if run.unlabeled is not None:
        found["unlabeled"] = steps.spoken(run.unlabeled)
    if run.kept:
        found["keep"] = [one.source for one in run.kept if one.source is not None]
    return found


def _notes(decision: Decision) -> list[Finding]:
    return [Finding(code, message) for code, message in decision.notes]


def _cost(run: _Run, decision: Decision) -> dict[str, Any]:
    ran = [entry for entry in decision.entries if entry.assessed is not None]
    ran = ran or [e for e in decision.entries if e.candidate == decision.candidate]
    return {
        "seconds": time.monotonic() - run.started,
        "predicted_seconds": run.predicted,
        "fetch_seconds": run.fetched,
        "peak_memory_bytes": machine.peak_memory_bytes(),
        "predicted_memory_bytes": max(entry.memory_bytes for entry in ran),
        "time_limit": run.given.time_limit,
        "memory_limit": run.given.memory_limit,
    }
