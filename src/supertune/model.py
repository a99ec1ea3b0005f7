"""A tuned model: it predicts, is evaluated, reported on, saved, and loaded again bit for bit."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from supertune import artifact, baselines, registry
from supertune.artifact import rows
from supertune.config import Recipe, method_options, recipe_text
from supertune.contracts import (
    Columns,
    Examples,
    FloatArray,
    HeadSpec,
    Input,
    Lens,
    Predictions,
    State,
    Tuned,
)
from supertune.errors import InputError
from supertune.pipeline import Workshop, labelled, open_backbone, reference
from supertune.report import card, compose, render, steps, text
from supertune.report.compose import Judged, finite
from supertune.training import fitting

WINDOW = 4096  # inputs predicted at a time, so that memory does not grow with their number


@dataclass(frozen=True, eq=False)
class Report:
    """What a fit found out; ``data`` is report.json. Shows itself in a notebook."""

    data: dict[str, Any]

    def html(self) -> str:
        """One self-contained page."""
        return render.html(self.data)

    def __str__(self) -> str:
        return text.summary(self.data)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return render.notebook(self.data)


@dataclass(eq=False)
class Model:
    """Returned by `supertune.fit` and `supertune.load`.

    Attributes:
        labels: the label names, in the order of the columns of `predict_proba`.
        task, method, backbone: their names; ``backbone`` is None when none takes part.
        report: scores with intervals, findings, and what was tuned.
        folder: where the model was saved or loaded from, if it was.
    """

    recipe: Recipe
    labels: tuple[str, ...]
    head: HeadSpec
    columns: Columns
    report: Report
    manifest: dict[str, Any]
    tuned: Tuned
    folder: Path | None = None
    training_rows: Examples | None = None
    _workshop: Workshop | None = field(default=None, repr=False)

    @property
    def task(self) -> str:
        return self.recipe.task

    @property
    def method(self) -> str:
        return self.recipe.method

    @property
    def backbone(self) -> str | None:
        return None if self.recipe.backbone == "none" else self.recipe.backbone

    @property
    def workshop(self) -> Workshop:
        if self._workshop is None:
            self._workshop = Workshop(self.recipe)
        return self._workshop

    def predictions(self, inputs: Sequence[Input]) -> Predictions:
        """Labels, confidence (n,) and probabilities (n, C) for n texts (or tuples of texts).

        Raises:
            InputError: when ``inputs`` is not a sequence of texts.
        """
        checked = _texts(inputs)
        lens = self.workshop.lens(self.backbone)
        parts = [
            self.tuned.logits(checked[start : start + WINDOW], lens)
            for start in range(0, len(checked), WINDOW)
        ]
        logits = np.concatenate(parts) if parts else np.zeros((0, self.head.outputs))
        costs = self.workshop.costs(self.labels)
        return registry.task(self.task).decode(logits, self.labels, self.head, costs)

    def predict(self, inputs: Sequence[Input]) -> npt.NDArray[Any]:
        """The predicted label of each text: (n,) strings, or (n,) tuples for several labels."""
        found = self.predictions(inputs).labels
        if not self.head.multi_label:
            return np.asarray(found, dtype=np.str_)
        answers = np.empty(len(found), dtype=object)
        answers[:] = list(found)
        return answers

    def predict_proba(self, inputs: Sequence[Input]) -> FloatArray:
        """(n, C) probabilities, columns in the order of ``labels``."""
        return self.predictions(inputs).probabilities

    def stream(
        self, source: Any, window: int = WINDOW, *, text: Sequence[str] = ()
    ) -> Iterator[tuple[Any, Predictions]]:
        """Rows of a source of any size with their predictions, ``window`` rows at a time.

        ``text`` names the text columns where they are called otherwise than in the fitted rows.
        """
        task = registry.task(self.task)
        columns = replace(self.columns, text=tuple(text)) if text else self.columns
        for table, inputs in task.stream(source, columns, window):
            yield table, self.predictions(inputs)

    def evaluate(
        self,
        data: Any,
        *,
        text: Sequence[str] = (),
        label: str | None = None,
        slices: Sequence[str] = (),
    ) -> dict[str, Any]:
        """Scores on labelled rows that the model has not seen, each with its interval.

        Args:
            data: labelled rows, as `supertune.fit` takes them.
            text, label: columns that are called otherwise than in the fitted rows.
            slices: columns by which the score is broken down.

        Returns:
            ``metric``, ``estimate``, ``metrics``, ``baselines``, ``per_class``, ``confusion``,
            ``reliability``, ``slices``, ``rows``, ``findings``.
        """
        columns = _renamed(self.columns, text, label, slices)
        judged, findings = self.judge(data, columns)
        names = compose.available(self.workshop, judged.examples)
        found = compose.scores(self.workshop, judged, names)
        metric = self.workshop.metric
        free = {
            name: compose.scores(self.workshop, Judged(judged.examples, answers, True), [metric])
            for name, answers in self._baselines(judged.examples).items()
        }
        answer: dict[str, Any] = finite(
            {
                "metric": metric,
                "estimate": found[metric].as_dict(),
                "baselines": {name: one[metric].as_dict() for name, one in free.items()},
                "metrics": {name: estimate.as_dict() for name, estimate in found.items()},
                **compose.breakdown(self.workshop, judged),
                "rows": len(judged.examples),
                "findings": findings,
            }
        )
        return answer

    def _baselines(self, examples: Examples) -> dict[str, FloatArray]:
        """(n, C) answers of what costs nothing; all of them where the training rows are kept."""
        if self.training_rows is not None:
            return baselines.on_test(self.workshop, self.training_rows, examples, self.backbone)
        if "class_shares" not in self.manifest:  # fitted elsewhere
            return {}
        shares = np.asarray(self.manifest["class_shares"], dtype=np.float64)
        return {"majority": np.tile(shares, (len(examples), 1))}

    def judge(
        self, data: Any, columns: Columns | None = None
    ) -> tuple[Judged, list[dict[str, Any]]]:
        """Answers to the labelled rows of ``data``, and what was noticed about the rows."""
        reading = registry.task(self.task).read(data, columns or self.columns, labels=self.labels)
        examples = labelled(reading.train)
        findings = [finding.as_dict() for finding in reading.findings]
        answers = self.predictions(examples.inputs)
        return Judged(examples, answers.probabilities, True), findings

    def save(self, folder: str | Path, *, overwrite: bool = False) -> Path:
        """Write the model folder, whole or not at all.

        Raises:
            InputError: ``output_exists`` unless ``overwrite``; ``fitted_elsewhere``.
        """
        if "scores" not in self.manifest:
            raise InputError(
                "fitted_elsewhere",
                "A model that was not fitted here has no scores, so no report can be written.",
                received=f"{self.method} from {self.folder}",
                allowed="models that supertune.fit made",
                next="Write it with its head: supertune.export(model, FOLDER).",
            )
        target = Path(folder)
        self.report.data["commands"] = steps.commands(self.report.data, target)
        self.report.data["next"] = steps.following(self.report.data, target)
        artifact.save(target, self.manifest, self._files(), overwrite=overwrite)
        self.folder = target
        return target

    def _files(self) -> dict[str, bytes]:
        state = self.tuned.state()
        files = {"tuned.safetensors": artifact.tensor_bytes(dict(state.arrays))}
        if state.adapter_config is not None:
            files["adapter_model.safetensors"] = artifact.tensor_bytes(dict(state.adapter))
            files["adapter_config.json"] = json_bytes(state.adapter_config)
        if state.settings:
            files["settings.json"] = json_bytes(state.settings)
        if self.training_rows is not None:
            files["rows.jsonl"] = rows.to_lines(self.training_rows)
        files["recipe.yaml"] = recipe_text(self.recipe)
        files["report.json"] = json_bytes(self.report.data)
        files["report.html"] = self.report.html().encode("utf-8")
        files["README.md"] = card.markdown(self.report.data).encode("utf-8")
        return files

    def _repr_html_(self) -> str:
        return self.report._repr_html_()

    def __repr__(self) -> str:
        on = f" on {self.backbone}" if self.backbone else ""
        return f"<supertune.Model {self.method}{on}, {len(self.labels)} labels>"


def load(
    folder: str | Path,
    *,
    device: str = "auto",
    threads: int | None = None,
    backbone: str | Path | None = None,
) -> Model:
    """A model folder as a `Model`; every file is verified before it is used.

    Args:
        device, threads: where to run; see ``supertune doctor``.
        backbone: where the backbone is now, if it was a folder that has moved since.

    Raises:
        InputError: when the folder is missing, damaged, of a newer schema, or holds a pickle;
            or when its backbone is not the one it was tuned on.
    """
    read = artifact.read(Path(folder))
    manifest = read.manifest
    place: dict[str, Any] = {"device": device, "threads": threads}
    if backbone is not None and manifest["backbone"] is not None:
        place["backbone"] = str(backbone)
    recipe = Recipe(**{**manifest["recipe"], **place})
    workshop = Workshop(recipe)
    state = State(
        read.arrays("tuned.safetensors"),
        read.json("settings.json") if "settings.json" in read.files else {},
        read.arrays("adapter_model.safetensors") if "adapter_config.json" in read.files else {},
        read.json("adapter_config.json") if "adapter_config.json" in read.files else None,
    )
    head = HeadSpec(len(manifest["labels"]), bool(manifest["multi_label"]))
    method = registry.method(recipe.method)
    lens = _same_backbone(workshop, manifest) if method.needs else None
    tuned = fitting.restore(method, state, method_options(recipe), head, lens)
    columns = manifest["columns"]
    lists = {"text": tuple(columns["text"]), "slices": tuple(columns["slices"])}
    kept = rows.from_lines(read.text("rows.jsonl")) if "rows.jsonl" in read.files else None
    return Model(
        recipe=recipe,
        labels=tuple(manifest["labels"]),
        head=head,
        columns=Columns(**{**columns, **lists}),
        report=Report(read.json("report.json")),
        manifest={k: v for k, v in manifest.items() if k not in ("files", "manifest_sha256")},
        tuned=tuned,
        folder=Path(folder),
        training_rows=kept,
        _workshop=workshop,
    )


def _same_backbone(workshop: Workshop, manifest: dict[str, Any]) -> Lens:
    backbone = workshop.recipe.backbone
    opened = open_backbone(reference(backbone), workshop.recipe.device, workshop.recipe.threads)
    if opened.sha256 != manifest["backbone"]["sha256"]:
        raise InputError(
            "backbone_changed",
            f"{backbone} is not the backbone that this model was tuned on.",
            received=f"weights sha256 {opened.sha256[:16]}…",
            allowed=f"weights sha256 {manifest['backbone']['sha256'][:16]}…",
            next="Put the original backbone back, or fit the model again.",
        )
    lens = workshop.lens(backbone)
    assert lens is not None
    return lens


def _texts(inputs: Any) -> list[Input]:
    if isinstance(inputs, (str, bytes)):
        raise InputError(
            "one_text_given",
            "predict takes several texts, not one string.",
            received=repr(inputs)[:80],
            allowed='a list of texts, e.g. ["first", "second"]',
            next="Put the text into a list.",
        )
    try:
        listed = list(inputs)
    except TypeError as error:
        raise InputError(
            "not_texts",
            "predict takes a list of texts.",
            received=type(inputs).__name__,
            allowed='e.g. ["first", "second"]',
            next="Pass a list, an array or a column of texts.",
        ) from error
    for number, value in enumerate(listed, start=1):
        pair = isinstance(value, tuple) and value and all(isinstance(v, str) for v in value)
        if not isinstance(value, str) and not pair:
            raise InputError(
                "not_a_text",
                f"Input {number} is not a text.",
                received=f"{type(value).__name__}: {value!r}"[:100],
                allowed="texts, or tuples of texts for pairs",
                next="Leave empty cells out, or turn values into text with str().",
            )
    # A row of an array is a NumPy text, which others would write down as one.
    return [tuple(map(str, value)) if isinstance(value, tuple) else str(value) for value in listed]


def _renamed(
    columns: Columns, text: Sequence[str], label: str | None, slices: Sequence[str]
) -> Columns:
    changed = replace(columns, slices=tuple(slices) or columns.slices)
    if text:
        changed = replace(changed, text=tuple(text))
    return changed if label is None else replace(changed, label=label)


def json_bytes(value: Any) -> bytes:
    """JSON as it lies in a model folder: indented, keys in order, any script as it is."""
    return (json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode("utf-8")
