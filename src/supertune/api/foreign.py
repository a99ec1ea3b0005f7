"""Models out of folders that peft or SetFit wrote: what they lack is given by the caller."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from supertune import opening, pipeline
from supertune.artifact import foreign as folders
from supertune.artifact.foreign import PeftFolder
from supertune.artifact.tensors import Arrays
from supertune.catalogue.entries import models as catalogue_models
from supertune.config import Recipe
from supertune.contracts import (
    Backbone,
    Columns,
    HeadSpec,
    Injection,
    Lens,
    Prompt,
    State,
)
from supertune.errors import InputError, SupertuneError
from supertune.methods.linear_probe import LinearProbeOptions, one_hot, solve
from supertune.model import Model
from supertune.report import unscored
from supertune.report.shown import Report
from supertune.training import fitting
from supertune.training.adopted import Adopted


@dataclass(frozen=True)
class Given:
    """What the caller says about a folder that is not supertune's; see `supertune.load`."""

    task: str = "text_classification"
    labels: tuple[str, ...] = ()
    template: str | None = None
    words: Mapping[str, Sequence[str]] | None = None
    rows: Any = None

    @property
    def nothing(self) -> bool:
        return self == Given() and self.rows is None


@runtime_checkable
class Adopting(Protocol):
    """An engine that can take up adapters which plain peft wrote."""

    def adopt(
        self, backbone: Backbone, config: Mapping[str, Any], arrays: Arrays
    ) -> tuple[Injection, Arrays, Arrays]: ...


@dataclass(frozen=True, eq=False)
class Taken:
    """An adapter of peft as it goes into its backbone; ``rest`` is what is no part of it."""

    read: PeftFolder
    recipe: Recipe
    workshop: pipeline.Workshop
    lens: Lens
    injection: Injection
    arrays: Arrays
    rest: Arrays


def taken(folder: Path, given: Given, backbone: str | None, place: dict[str, Any]) -> Taken:
    """Read a bare PEFT folder and open its backbone.

    Raises:
        InputError: ``backbone_needed``, ``backbone_changed``, ``engine_without_adapters``, or what
            is wrong with the folder.
    """
    read = folders.read_peft(folder)
    name = _backbone(read, backbone)
    recipe = _recipe(read, name, given.task, place)
    workshop = pipeline.Workshop(recipe)
    engine = opening.engine_of(name)
    if not isinstance(engine, Adopting):
        raise InputError(
            "engine_without_adapters",
            f"Backbones of the engine {engine.name} take no adapters of peft.",
            received=name,
            allowed="backbones of the engine transformers",
            next='Name the backbone as a folder or a hub id: backbone="..."',
        )
    lens = workshop.lens(name)
    assert lens is not None
    _check_weights(read.about, lens, folder)
    injection, arrays, rest = engine.adopt(lens.backbone, read.config, read.arrays)
    return Taken(read, recipe, workshop, lens, injection, arrays, rest)


def load_peft(folder: Path, given: Given, backbone: str | None, place: dict[str, Any]) -> Model:
    """A model out of a bare PEFT folder.

    Raises:
        InputError: ``labels_needed``, ``head_needed``, ``head_mismatch``, or as `taken`.
    """
    found = taken(folder, given, backbone, place)
    read, recipe, lens, arrays = found.read, found.recipe, found.lens, found.arrays
    method = Adopted(recipe.method, found.injection)
    answers = _answers(read, given, found.rest, _Fitting(method, arrays, lens, recipe))
    settings = {} if answers.prompt is None else {"prompt": answers.prompt.as_dict()}
    state = State(answers.arrays, settings, adapter=arrays, adapter_config=read.config)
    head = HeadSpec(len(answers.labels), bool(read.about.get("multi_label", False)))
    tuned = fitting.restore(method, state, None, head, lens)
    report = unscored.report(found.workshop, answers.labels, answers.columns, tuned)
    return Model(
        recipe=recipe,
        labels=answers.labels,
        head=head,
        columns=answers.columns,
        report=Report(report),
        manifest={**unscored.manifest(report, head), "injection": method.as_dict()},
        tuned=tuned,
        folder=folder,
        _workshop=found.workshop,
    )


def _recipe(read: PeftFolder, backbone: str, task: str, place: dict[str, Any]) -> Recipe:
    about = read.about
    keys = ("max_length", "long_text", "pooling", "prefix")
    return Recipe(
        task=str(about.get("task", task)),
        backbone=backbone,
        method=f"peft:{read.config['peft_type']}",
        **{key: about[key] for key in keys if key in about},
        **place,
    )


# --- the backbone -----------------------------------------------------------------------------


def _backbone(read: PeftFolder, asked: str | None) -> str:
    if asked is not None:
        return asked
    named = [read.about.get("backbone"), read.config.get("base_model_name_or_path")]
    twins = {entry.hub: entry.name for entry in catalogue_models() if entry.hub is not None}
    wanted = [twins.get(name, name) for name in named if isinstance(name, str) and name]
    for name in wanted:
        try:
            opening.reference(name)
        except SupertuneError:
            continue
        return name
    raise InputError(
        "backbone_needed",
        f"{read.folder} is an adapter, and its backbone is not to be found from here.",
        received=", ".join(dict.fromkeys(wanted)) or "no name of a backbone in it",
        allowed="a name from `supertune models`, a folder or a hub id",
        next='supertune.load(folder, backbone="..."), or --backbone on the command line.',
    )


def _check_weights(about: Mapping[str, Any], lens: Lens, folder: Path) -> None:
    wanted = about.get("backbone_sha256")
    if wanted not in (None, lens.backbone.sha256):
        raise InputError(
            "backbone_changed",
            f"{lens.backbone.ref.name} is not the backbone that {folder} was tuned on.",
            received=f"weights sha256 {lens.backbone.sha256[:16]}…",
            allowed=f"weights sha256 {str(wanted)[:16]}…",
            next="Name the original backbone, or fit again.",
        )


# --- from vectors to labels -------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Fitting:
    """An adapter in its backbone, before anything turns its vectors into labels."""

    method: Adopted
    arrays: Arrays
    lens: Lens
    recipe: Recipe


@dataclass(frozen=True, eq=False)
class _Answers:
    """How labels are read: a linear head, or label words in a prompt."""

    labels: tuple[str, ...]
    arrays: Arrays
    prompt: Prompt | None = None
    columns: Columns = field(default_factory=Columns)


def _answers(read: PeftFolder, given: Given, rest: Arrays, fit: _Fitting) -> _Answers:
    if given.rows is not None:
        return _from_rows(given, fit)
    labels = given.labels or tuple(given.words or ()) or tuple(read.about.get("labels", ()))
    if not labels:
        raise InputError(
            "labels_needed",
            f"{read.folder} is an adapter, and does not say which labels it tells apart.",
            received="no head.json beside it",
            allowed="the labels, in the order of the head's outputs",
            next='supertune.load(folder, labels=["negative", "positive"]), or labelled rows: '
            'supertune.load(folder, rows="rows.csv"). '
            'One that writes text: supertune.load(folder, task="generation").',
        )
    if given.template is not None or given.words is not None:
        return _in_words(labels, given, fit)
    if read.about.get("prompt") is not None:
        return _Answers(labels, read.head, Prompt.from_dict(read.about["prompt"]))
    return _Answers(labels, _linear(read, labels, rest, fit))


def _linear(read: PeftFolder, labels: tuple[str, ...], rest: Arrays, fit: _Fitting) -> Arrays:
    """The head beside the adapter, or the one that a causal classifier keeps in it."""
    weight, bias = read.head.get("weight"), read.head.get("bias")
    if weight is None:
        scores = [name for name in rest if name.endswith(".score.weight")]
        weight = rest[scores[0]] if scores and fit.lens.backbone.offer.family == "causal" else None
    if weight is None:
        others = sorted({name.rsplit(".", 1)[0] for name in rest})
        raise InputError(
            "head_needed",
            f"{read.folder} is an adapter without a head, so its vectors give no labels yet.",
            received=f"a head that is read in another way: {', '.join(others[:3])}"
            if others
            else "no head.safetensors beside it",
            allowed="labelled rows to fit a head, label words in a prompt, or head.safetensors "
            "with weight (labels, width) and bias (labels,)",
            next='supertune.load(folder, rows="rows.csv"), or supertune.load(folder, '
            'template="{text} It was {answer}", words={"positive": ["good"], ...}).',
        )
    bias = np.zeros(len(weight), dtype=np.float32) if bias is None else bias
    wanted = (len(labels), fit.lens.backbone.offer.width)
    if weight.shape != wanted or bias.shape != wanted[:1]:
        raise InputError(
            "head_mismatch",
            "The head does not fit the labels and the backbone.",
            received=f"weight {weight.shape}, bias {bias.shape}",
            allowed=f"weight {wanted}, bias {wanted[:1]} for the labels {', '.join(labels)}",
            next="Give as many labels as the head has outputs, in their order.",
        )
    return {"head.weight": np.ascontiguousarray(weight.T), "head.bias": bias}


def _in_words(labels: tuple[str, ...], given: Given, fit: _Fitting) -> _Answers:
    if "score_text" not in fit.lens.backbone.offer.capabilities:
        raise InputError(
            "verbalizer_impossible",
            "The labels cannot be asked for in words here.",
            received=f"{fit.lens.backbone.ref.name}, which has no language-model head",
            allowed="a backbone that gives the likelihood of words",
            next='Fit a head instead: supertune.load(folder, rows="rows.csv").',
        )
    words = given.words or {}
    if given.template is None or set(words) != set(labels):
        raise InputError(
            "prompt_incomplete",
            "Asking in words needs a template and the words of every label.",
            received=f"template {given.template!r}, words for {', '.join(words) or 'no label'}",
            allowed=f"words for {', '.join(labels)}",
            next='template="{text} It was {answer}", words={"positive": ["good"], ...}',
        )
    prompt = Prompt(given.template, tuple(tuple(words[label]) for label in labels))
    arrays = {"words.scale": np.ones(1, np.float32)}
    return _Answers(labels, {**arrays, "words.bias": np.zeros(len(labels), np.float32)}, prompt)


def _from_rows(given: Given, fit: _Fitting) -> _Answers:
    """A head in closed form on the adapter's vectors of labelled rows."""
    reading = pipeline.read(given.rows, fit.recipe)
    examples = pipeline.labelled(reading.train)
    backbone, encoding = fit.lens.backbone, fit.lens.encoding
    tunable = backbone.inject(fit.method.made, seed=0)
    tunable.keep(fit.arrays)
    with tunable:
        tokens = backbone.tokens(examples.inputs, encoding)
        vectors = backbone.features(tokens, encoding, exact=False)
    weights = np.ones(len(examples)) if examples.weights is None else examples.weights
    assert examples.targets is not None
    head = solve(
        vectors,
        one_hot(examples.targets, len(examples.labels)),
        weights,
        LinearProbeOptions().penalties,
        examples.multi_label,
    )
    return _Answers(examples.labels, dict(head.state().arrays), columns=reading.columns)
