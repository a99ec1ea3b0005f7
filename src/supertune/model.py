"""A tuned model: it predicts, is evaluated, reported on, saved, and loaded again bit for bit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from supertune import artifact, baselines, recommending, registry
from supertune.artifact import rows
from supertune.artifact.backbones import same_backbone
from supertune.artifact.states import json_bytes
from supertune.config import Recipe, method_options, recipe_text
from supertune.contracts import (
    NOTHING_ASKED,
    UNLIKE,
    Aligning,
    Answers,
    Asked,
    Columns,
    Examples,
    FloatArray,
    Floored,
    HeadSpec,
    Input,
    Judged,
    Method,
    Shifting,
    Tuned,
    bounded,
)
from supertune.errors import InputError
from supertune.evaluation import abstaining, novelty
from supertune.evaluation.intervals import Estimate
from supertune.evaluation.selective import Threshold
from supertune.explaining import Alignment, Explanation, Subject, aligned, explained
from supertune.pipeline import (
    Candidate,
    Workshop,
    as_calibrated,
    labelled,
    tune,
    viewed,
)
from supertune.report import card, compose, shifted, steps
from supertune.report.compose import finite
from supertune.report.shown import Report
from supertune.training import drawing, fitting, painting
from supertune.training.adopted import Adopted

UNLABELLED = {"label_column_missing", "no_label_column", "no_labels", "no_targets"}
BOUNDS = "calibration.safetensors"
WINDOW = 4096  # inputs predicted at a time, so that memory does not grow with their number


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
    calibration: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict, repr=False)
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
        self._workshop = self._workshop or Workshop(self.recipe)
        return self._workshop

    def predictions(
        self,
        inputs: Sequence[Any],
        *,
        coverage: float | None = None,
        max_error: float | None = None,
    ) -> Answers:
        """Answers to n texts, tuples of texts, or rows of numbers. Where the model learned from
        rows like ``Text: ... Label: ...``, a text may be written so too.

        Labels with confidence (n,) and probabilities (n, C); of a regression, values (n,) with
        the ends of intervals that hold a share ``coverage`` of new rows (0.9 by default). Rows
        unlike those learned from have a ``likeness`` of .05 or less.

        Args:
            max_error: of labels, the share of the answers given that may be wrong, with 95 %
                confidence: the model abstains from rows that it is not sure enough of. As it was
                fitted by default, else no limit.

        Raises:
            InputError: when ``inputs`` is not a sequence of such rows, or ``coverage`` or
                ``max_error`` fits not.
        """
        return self.answered(self.read(inputs), coverage, max_error)

    def answered(
        self, inputs: Sequence[Input], coverage: float | None = None, max_error: float | None = None
    ) -> Answers:
        """`predictions` of inputs that were read and checked."""
        answers = self._answers(inputs, self._asked(coverage, max_error))
        found = self._likeness(inputs)
        return answers if found is None else answers.compared(found)

    def read(self, values: Any) -> list[Input]:
        """What Python code hands over, as inputs of this model; raises as `predictions`."""
        return registry.modality(self.columns.modality).given(values, self.columns)

    def _asked(self, coverage: float | None = None, max_error: float | None = None) -> Asked:
        """What is asked of answers, the recipe's own limit by default."""
        return Asked(coverage, self.recipe.max_error if max_error is None else max_error)

    def abstains(self, max_error: float | None) -> Threshold | None:
        """From which confidence on it answers under a limit of errors; None without a limit.

        Raises:
            InputError: ``no_max_error``, ``bad_max_error``, ``no_calibration``.
        """
        if max_error is None:
            return None
        self.workshop.objective.check(Asked(max_error=max_error))
        return abstaining.limit(self.calibration, max_error)

    def _likeness(self, inputs: Sequence[Input]) -> FloatArray | None:
        if not novelty.known(self.calibration):
            return None
        found = np.zeros(len(inputs))
        for start in range(0, len(inputs), WINDOW):
            views = viewed(self.workshop, self.backbone, inputs[start : start + WINDOW])
            found[start : start + WINDOW] = novelty.likeness(self.calibration, views)
        return found

    def _answers(self, inputs: Sequence[Input], asked: Asked = NOTHING_ASKED) -> Answers:
        """Answers to inputs that were read and checked."""
        lens = self.workshop.lens(self.backbone)
        parts = [
            self.tuned.logits(inputs[start : start + WINDOW], lens)
            for start in range(0, len(inputs), WINDOW)
        ]
        logits = np.concatenate(parts) if parts else np.zeros((0, self.head.width))
        return self.decoded(logits, asked)

    def decoded(self, logits: FloatArray, asked: Asked | None = None) -> Answers:
        """What `predictions` makes of (n, C) outputs of ``tuned``; as the model was fitted, unless
        something else is asked."""
        costs = self.workshop.costs(self.labels)
        scores = as_calibrated(logits, self.calibration)
        answers = self.workshop.task.decode(scores, self.labels, self.head, costs)
        wanted = self._asked() if asked is None else asked
        return bounded(self.workshop.objective, answers, self.calibration, wanted)

    def predict(self, inputs: Sequence[Any]) -> npt.NDArray[Any]:
        """The answer to each row: (n,) strings, (n,) tuples for several labels, or values; None
        where a model that was fitted under a largest error abstains."""
        answers = self._answers(self.read(inputs), self._asked())
        return self.workshop.objective.array(answers, self.head)

    def generate(
        self, prompts: str | Sequence[str] | None = None, *, pictures: Any = None, **settings: Any
    ) -> drawing.Pictures:
        """Pictures (h, w, 3) of each prompt, or photographs painted in a style; ``settings`` as
        `supertune.generate` has them."""
        blend: Mapping[str, float] = settings.pop("blend", None) or {}
        others = [(load(folder).tuned, weight) for folder, weight in blend.items()]
        lens = self.workshop.lens(self.backbone)
        if pictures is not None:
            by = painting.painter(self.tuned, settings.pop("strength", 1.0), others)
            assert lens is not None
            given = painting.given(pictures)
            return [array for _, _, array in painting.painted(by, lens, given, **settings)]
        return drawing.drawn(self.tuned, lens, prompts, others=others, **settings)

    def recommend(self, liked: Sequence[str] = (), **asked: Any) -> list[dict[str, Any]]:
        """Items for somebody who likes these, or for a person who is known (``user``); ``asked``
        as `supertune.recommending.recommend` has it."""
        return recommending.recommend(self.tuned, self.training_rows, liked, **asked)

    def similar(self, item: str, **asked: Any) -> list[dict[str, Any]]:
        """Items like this one; see `supertune.recommending.similar`."""
        return recommending.similar(self.tuned, item, **asked)

    def with_user(self, history: Sequence[str], user: str) -> Model:
        """A model that knows this person too, whose items these are; nothing is tuned again."""
        rows = recommending.added(self.tuned, self.training_rows, history, user)
        return replace(self, training_rows=rows, folder=None)

    def forget_user(self, user: str) -> Model:
        """A model of everybody else, tuned again without this person, of whom nothing is left."""
        rows = recommending.without(self.tuned, self.training_rows, user)
        tuned = tune(self.workshop, Candidate(self.backbone, self.method), rows)
        data = recommending.nameless(self.report.data)
        return replace(
            self, training_rows=rows, tuned=tuned, report=Report(data, rows), folder=None
        )

    def predict_proba(self, inputs: Sequence[Any]) -> FloatArray:
        """(n, C) probabilities, columns in the order of ``labels``.

        Raises:
            InputError: ``no_probabilities`` where the answers are values.
        """
        answers = self._answers(self.read(inputs))
        return self.workshop.objective.table(answers)

    def stream(
        self,
        source: Any,
        window: int | None = None,
        *,
        text: Sequence[str] = (),
        coverage: float | None = None,
        max_error: float | None = None,
    ) -> Iterator[tuple[Any, Answers]]:
        """Rows of a source of any size with their predictions, ``window`` rows at a time.

        ``text`` names the text columns where they are called otherwise than in the fitted rows;
        ``coverage`` and ``max_error`` as in `predictions`.
        """
        columns = self.columns.called(text)
        window = window or registry.modality(columns.modality).window
        for table, inputs in registry.task(self.task).stream(source, columns, window):
            yield table, self.answered(inputs, coverage, max_error)

    def evaluate(
        self,
        data: Any = None,
        *,
        text: Sequence[str] = (),
        label: str | None = None,
        slices: Sequence[str] = (),
        shift: Any = None,
    ) -> dict[str, Any]:
        """Scores on labelled rows that the model has not seen, each with its interval.

        Args:
            data: labelled rows, as `supertune.fit` takes them. May be left out with ``shift``:
                then what the fit found out about its own rows stands for them.
            shift: rows from elsewhere, labelled or not, to compare with ``data``.
            text, label: columns that are called otherwise than in the fitted rows.
            slices: columns by which the score is broken down.

        Returns:
            ``metric``, ``estimate``, ``metrics``, ``baselines``, ``slices``, ``rows``, ``unlike``
            (how many of them are unlike those learned from), ``findings``; of labels
            ``per_class``, ``confusion``, ``reliability``, ``abstaining``, of values ``residuals``.
            With ``shift`` also ``shift``: scores, answers and features compared; it is all there
            is without ``data``, beside metric and estimate.

        Raises:
            InputError: ``nothing_to_judge`` without any rows; ``fitted_elsewhere``.
        """
        columns = _renamed(self.columns, text, label, slices)
        if data is None:
            return self._against_fit(shift, columns)
        judged, findings = self.judge(data, columns)
        names = compose.available(self.workshop, judged.examples)
        found = compose.scores(self.workshop, judged, names)
        metric, likeness = self.workshop.metric, self._likeness(judged.examples.inputs)
        beside = {
            name: Judged(judged.examples, answers, True)
            for name, answers in self._baselines(judged.examples).items()
        }
        free = {name: compose.scores(self.workshop, one, [metric]) for name, one in beside.items()}
        answer: dict[str, Any] = finite(
            {
                "metric": metric,
                "estimate": found[metric].as_dict(),
                "baselines": {name: one[metric].as_dict() for name, one in free.items()},
                "metrics": {name: estimate.as_dict() for name, estimate in found.items()},
                **compose.breakdown(self.workshop, judged, shown=True),
                **compose.terms(self.workshop, judged, beside),
                **compose.bounds(self.workshop, self.calibration, judged, self._asked()),
                "rows": len(judged.examples),
                "unlike": None if likeness is None else int((likeness <= UNLIKE).sum()),
                "findings": findings,
            }
        )
        if shift is not None:
            here = self._known(data, judged.examples, found)
            answer["shift"] = self._shifted(here, shift, columns)
        return answer

    def _against_fit(self, other: Any, columns: Columns) -> dict[str, Any]:
        """Rows from elsewhere beside what the fit found out about its own."""
        report = self.report.data
        if other is None or "estimate" not in report:
            raise InputError(
                "nothing_to_judge",
                "There are no rows to judge the model on.",
                received="neither data nor shift" if other is None else "a model fitted elsewhere",
                allowed="labelled rows, or rows from elsewhere for a model with a report",
                next="Name a file of labelled rows.",
            )
        metric = self.workshop.metric
        estimate = Estimate(**(report["test"] or report["estimate"]))
        here = self._known("its own rows", self.training_rows, {metric: estimate})
        return {
            "metric": metric,
            "estimate": estimate.as_dict(),
            "shift": self._shifted(here, other, columns),
        }

    def _known(
        self, data: Any, examples: Examples | None, scores: Mapping[str, Estimate]
    ) -> shifted.Known:
        inputs = () if examples is None else examples.inputs
        judge = self.workshop.objective
        profile = {}
        if examples is not None and isinstance(judge, Shifting):
            profile = judge.profile(examples)
        return shifted.Known(steps.spoken(data) or "the rows given", dict(scores), inputs, profile)

    def _shifted(self, here: shifted.Known, other: Any, columns: Columns) -> dict[str, Any]:
        """``other``, labelled or not, beside what is known."""
        lens = self.workshop.lens(self.backbone)
        try:
            judged, _ = self.judge(other, columns)
        except InputError as error:
            if error.code not in UNLABELLED:
                raise
            parts = list(registry.task(self.task).stream(other, columns, WINDOW))
            inputs = [value for _, part in parts for value in part]
            there = shifted.Known(steps.spoken(other) or "the other rows", {}, inputs, {})
            answers = self._answers(inputs).scored
        else:
            names = compose.available(self.workshop, judged.examples)
            scores = compose.scores(self.workshop, judged, names)
            there, answers = self._known(other, judged.examples, scores), judged.answers
        found = shifted.section(self.workshop, lens, here, there, answers=answers)
        return dict(finite(found))

    def explain(
        self, value: Any, *, way: str | None = None, rows: bool = True
    ) -> Explanation | Alignment:
        """Why the model answers one text (a tuple of texts, a row of numbers) as it does.

        Which words carried the answer, the fewest without which it would be another, the
        labelled rows behind it where they are kept, and how faithful all of that is: what the
        answer loses without the words named, against words at random. Of a translation, which word
        was written from which, as faithfully measured, and the pairs most like it.

        Args:
            way: ``"terms"``, ``"token_states"``, ``"integrated_gradients"`` (needs the extra
                ``explain``) or ``"occlusion"``; None takes the most faithful of those there are. Of
                a translation ``"attention"``.
            rows: whether labelled rows may be named.

        Raises:
            InputError: ``unknown_way``, or as `predictions`.
            EnvironmentFault: ``extra_missing``.
        """
        asked = self.read([value])[0]
        kept = self.training_rows
        subject = Subject(
            self.workshop, self.tuned, self.labels, self.head, self.backbone, kept,
            self.columns.numbers,
        )  # fmt: skip
        explaining = aligned if isinstance(self.tuned, Aligning) else explained
        return explaining(subject, asked, way=way, context=rows)

    def _baselines(self, examples: Examples) -> dict[str, FloatArray]:
        """(n, C) answers of what costs nothing; all of them where the training rows are kept."""
        if self.training_rows is not None:
            return baselines.on_test(self.workshop, self.training_rows, examples, self.backbone)
        judge = self.workshop.objective
        return judge.from_floor(self.manifest, len(examples)) if isinstance(judge, Floored) else {}

    def judge(
        self, data: Any, columns: Columns | None = None
    ) -> tuple[Judged, list[dict[str, Any]]]:
        """Answers to the labelled rows of ``data``, and what was noticed about the rows."""
        reading = registry.task(self.task).read(data, columns or self.columns, labels=self.labels)
        examples = labelled(reading.train)
        findings = [finding.as_dict() for finding in reading.findings]
        answers = self._answers(examples.inputs)
        return Judged(examples, answers.scored, True, whole=reading.whole), findings

    def save(self, folder: str | Path, *, overwrite: bool = False) -> Path:
        """Write the model folder, whole or not at all.

        Raises:
            InputError: ``output_exists`` unless ``overwrite``.
        """
        target = Path(folder)
        self.report.data["commands"] = steps.commands(self.report.data, target)
        self.report.data["next"] = steps.following(self.report.data, target)
        artifact.save(target, self.manifest, self._files(), overwrite=overwrite)
        self.folder = target
        return target

    def _files(self) -> dict[str, bytes]:
        files = artifact.states.files(self.tuned.state())
        if self.calibration:
            files[BOUNDS] = artifact.tensor_bytes(self.calibration)
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
        what = self.labels[0] if self.head.valued else f"{len(self.labels)} labels"
        return f"<supertune.Model {self.method}{on}, {what}>"


def load(
    folder: str | Path,
    *,
    device: str = "auto",
    threads: int | None = None,
    backbone: str | Path | None = None,
    **remote: Any,
) -> Model:
    """A model folder as a `Model`; every file is verified before it is used.

    Args:
        device, threads: where to run; see ``supertune doctor``.
        backbone: where the backbone is now, if it was a folder that has moved since.
        **remote: of one at a server ``allow_remote``, ``max_cost``, ``max_requests``, ``prices``.

    Raises:
        InputError: when the folder is missing, damaged, of a newer schema, or holds a pickle;
            or when its backbone is not the one it was tuned on.
    """
    read = artifact.read(Path(folder))
    manifest = read.manifest
    place: dict[str, Any] = {"device": device, "threads": threads, **remote}
    if backbone is not None and manifest["backbone"] is not None:
        place["backbone"] = str(backbone)
    recipe = Recipe(**{"precision": "fp32", **manifest["recipe"], **place})
    workshop = Workshop(recipe)
    state = artifact.states.of(read)
    kinds = bool(manifest["multi_label"]), bool(manifest.get("valued"))
    sizes = [int(manifest.get(name, 0)) for name in HeadSpec.SIZES]
    head = HeadSpec(len(manifest["labels"]), *kinds, *sizes)
    made = manifest.get("injection")  # of an adapter that was trained elsewhere
    method: Method
    method = Adopted.from_dict(recipe.method, made) if made else registry.method(recipe.method)
    lens = same_backbone(workshop, manifest) if manifest["backbone"] is not None else None
    tuned = fitting.restore(method, state, None if made else method_options(recipe), head, lens)
    said = manifest["columns"]
    lists = {key: tuple(said.get(key, ())) for key in ("text", "slices", "numbers")}
    columns = Columns(**{**said, **lists})
    labels, known = tuple(manifest["labels"]), "rows.jsonl" in read.files
    kept = rows.from_lines(read.text("rows.jsonl"), columns, labels) if known else None
    return Model(
        recipe=recipe,
        labels=labels,
        head=head,
        columns=columns,
        report=Report(read.json("report.json"), kept),
        manifest={k: v for k, v in manifest.items() if k not in ("files", "manifest_sha256")},
        tuned=tuned,
        folder=Path(folder),
        training_rows=kept,
        calibration=read.arrays(BOUNDS) if BOUNDS in read.files else {},
        _workshop=workshop,
    )


def _renamed(
    columns: Columns, text: Sequence[str], label: str | None, slices: Sequence[str]
) -> Columns:
    changed = replace(columns, slices=tuple(slices) or columns.slices).called(text)
    return changed if label is None else replace(changed, label=label)
