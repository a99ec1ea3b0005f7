"""A pool, what is labelled of it, and a model if there is one: which rows come next.

The features of the pool are computed once and found in the activation cache afterwards. Where
answers were given since the model was fitted, or there is no model yet, a linear head on those
features, solved on all that is labelled, says what is uncertain: it costs milliseconds, so every
batch is chosen in the light of the one before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from supertune import choose, registry
from supertune.config import Recipe
from supertune.contracts import Columns, Examples, FloatArray, HeadSpec, Input, Lens, features
from supertune.errors import InputError, unknown_name
from supertune.labelling import pool as pools
from supertune.labelling import proposing
from supertune.labelling.journal import Answer, Journal
from supertune.labelling.pool import Pool
from supertune.labelling.proposing import Known, Opinion, Proposal
from supertune.labelling.selection import Space
from supertune.methods import linear_probe
from supertune.model import Model
from supertune.pipeline import Workshop

_PENALTIES = linear_probe.LinearProbeOptions().penalties


@dataclass(eq=False)
class Labelling:
    """See the module; `begun` makes one.

    Attributes:
        labels: names that an answer may be, in the order of their keys; empty where unknown.
        column: what the label is called in the files that are written.
    """

    pool: Pool
    model: Model | None
    journal: Journal
    labels: tuple[str, ...]
    column: str
    workshop: Workshop
    lens: Lens | None
    known: tuple[Input, ...] = ()
    _place: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        self._place = {key: place for place, key in enumerate(self.pool.keys)}

    def propose(self, count: int) -> list[Proposal]:
        """At most ``count`` rows that have neither a label nor been skipped, the best first."""
        known, free = self._known, self._free
        opinion = self._opinion(known)
        return proposing.propose(self.pool, self._space, known, count, opinion=opinion, free=free)

    def answer(self, row: Proposal, label: str | None) -> None:
        """Put a label on the disk; None skips the row.

        Raises:
            InputError: ``unknown_label``.
        """
        if label is not None and self.labels and label not in self.labels:
            raise unknown_name("label", label, self.labels)
        self.journal.add(Answer(row.key, label, row.row, row.cells))

    def undo(self) -> tuple[Answer, Proposal | None] | None:
        """Take the latest answer back, and the row to be asked about again; None where there is
        no answer left. A row that is no longer in the pool is not asked about."""
        answer = self.journal.undo()
        if answer is None:
            return None
        place = self._place.get(answer.key)
        if place is None:
            return answer, None
        row = Proposal(
            self.pool.rows[place],
            self.pool.inputs[place],
            ("its answer was taken back",),
            None,
            None,
            self.pool.cells[place],
            answer.key,
        )
        return answer, row

    @property
    def left(self) -> int:
        """How many rows could still be proposed."""
        return int(self._free.sum())

    @property
    def _free(self) -> npt.NDArray[np.bool_]:
        """(n,) which rows of the pool have neither a label nor been skipped."""
        answered = {answer.key for answer in self.journal.answers}
        return np.array([key not in answered for key in self.pool.keys], dtype=bool)

    def counts(self) -> dict[str, int]:
        """How many rows carry each label, those of the model among them."""
        found = dict.fromkeys(self.labels, 0)
        for label in (*self._trained.labels, *(one.label for one in self.journal.labelled)):
            for name in label if isinstance(label, tuple) else (label,):
                if isinstance(name, str):
                    found[name] = found.get(name, 0) + 1
        return found

    @cached_property
    def _features(self) -> FloatArray:
        return self._featured(self.pool.inputs)

    @cached_property
    def _space(self) -> Space:
        return Space.of(self._features)

    def _featured(self, inputs: Sequence[Input]) -> FloatArray:
        if not inputs:
            return np.zeros((0, self._features.shape[1]))
        found = features(inputs, self.lens, prediction=False)
        return found if self.lens is not None else found / self._units

    @cached_property
    def _units(self) -> FloatArray:
        """The spread of each column of numbers, which come in units of their own."""
        spread = features(self.pool.inputs, None).std(axis=0)
        return np.asarray(np.where(spread > 0, spread, 1.0))

    @cached_property
    def _trained(self) -> Known:
        """The rows that the model was fitted on, where its folder holds them."""
        rows = None if self.model is None else self.model.training_rows
        if rows is None:
            return Known((), np.zeros((0, self._features.shape[1])), ())
        return Known(rows.inputs, self._featured(rows.inputs), proposing.spoken(rows))

    @property
    def _known(self) -> Known:
        """All that is labelled: rows of the model, then answers to rows that are in the pool."""
        before = self._trained
        answers = [one for one in self.journal.labelled if one.key in self._place]
        places = [self._place[one.key] for one in answers]
        return Known(
            (*before.inputs, *(self.pool.inputs[place] for place in places)),
            np.concatenate([before.features, self._features[places]]),
            (*before.labels, *(one.label for one in answers)),
        )

    def _opinion(self, known: Known) -> Opinion | None:
        if self.model is not None and len(known.labels) == len(self._trained.labels):
            return self._of_model
        names = tuple(sorted({name for name in known.labels if isinstance(name, str)}))
        if len(names) < 2:
            return None
        targets = np.array([names.index(label) for label in known.labels])
        head = linear_probe.solve(
            known.features, np.eye(len(names))[targets], np.ones(len(targets)), _PENALTIES, False
        )
        logits, spec = head.apply(self._features), HeadSpec(len(names))
        chances = self.workshop.task.decode(logits, names, spec).scored
        return Opinion(chances, registry.objective("classify").doubt(chances, spec), names)

    @cached_property
    def _of_model(self) -> Opinion:
        model = self.model
        assert model is not None
        answers = model.predictions(list(self.pool.inputs)).scored
        doubt = model.workshop.objective.doubt(answers, model.head)
        single = not (model.head.multi_label or model.head.valued)
        return Opinion(answers, doubt, model.labels, single)


def begun(
    source: Any,
    model: Model | None,
    journal: Journal,
    settled: Recipe,
    *,
    labels: Sequence[str] = (),
    progress: Any = None,
) -> Labelling:
    """A pool and all that is known of it.

    Args:
        source: unlabelled rows, whatever `supertune.fit` takes.
        settled: names the text columns and the label, where they are not the model's, and the
            backbone whose features are looked at, where there is no model.
        labels: names besides those of the model and of the answers there are.

    Raises:
        InputError: what is wrong with the rows; ``nothing_to_label``; ``numbers_need_a_model``.
    """
    columns = _columns(model, settled)
    trained = None if model is None else model.training_rows
    known = () if trained is None else trained.inputs
    read = pools.read(
        source,
        columns,
        task=settled.task if model is None else model.task,
        known=known,
        kept={answer.key for answer in journal.answers},
    )
    workshop, lens = _lens(model, settled, read, progress)
    given = (one.label for one in journal.labelled if one.label is not None)
    own = () if model is None or model.head.valued else model.labels
    names = tuple(dict.fromkeys((*own, *labels, *sorted(set(given)))))
    column = columns.label or "label"
    return Labelling(read, model, journal, names, column, workshop, lens)


def _columns(model: Model | None, settled: Recipe) -> Columns:
    text = settled.text
    if model is None:
        return Columns(
            text=text,
            label=settled.label,
            template=settled.template,
            pair=settled.pair,
            picture=settled.picture,
            audio=settled.audio,
        )
    own = pools.without_label(model.columns)
    medium = settled.picture or settled.audio
    own = own.called(text or ((medium,) if medium else ()))
    return replace(own, label=settled.label or own.label)


def _lens(
    model: Model | None, settled: Recipe, read: Pool, progress: Any
) -> tuple[Workshop, Lens | None]:
    """Whose features are looked at: the model's own backbone where it has any."""
    if model is not None:
        if model.columns.numbers:
            return model.workshop, None
        name = model.backbone
        if name is not None and "features" in model.workshop.offer(name).capabilities:
            model.workshop.progress = progress
            return model.workshop, model.workshop.lens(name)
    workshop = Workshop(settled, progress)
    rows = Examples(read.inputs, None, (), np.asarray(read.rows))
    names = choose.backbones(settled, rows)
    if not names:
        raise InputError(
            "backbone_needed",
            "Rows to label are chosen by the features of a backbone.",
            received=f"backbone {settled.backbone}",
            allowed="auto, or a name from `supertune models`",
            next="Leave --backbone out.",
        )
    return workshop, workshop.lens(names[0])
