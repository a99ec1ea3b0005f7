"""`supertune.label_next`: which rows of an unlabelled pool to label next."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from supertune.api import meant
from supertune.api.loading import load
from supertune.contracts.remote import anew
from supertune.errors import InputError
from supertune.labelling import journal as journals
from supertune.labelling import outputs, session, steps
from supertune.labelling.journal import Journal
from supertune.labelling.proposing import Proposal
from supertune.labelling.session import Labelling
from supertune.model import Model

Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True, eq=False)
class Proposals:
    """Rows to label next, the most useful first; a sequence of `Proposal`.

    Attributes:
        rows: each with its number in the pool, its input, why it was taken and, where there is a
            model, what that would answer.
        labels: names that an answer may be, as far as they are known.
        column: what the label is called in a file that `save` writes.
    """

    rows: tuple[Proposal, ...]
    labels: tuple[str, ...]
    column: str
    about: dict[str, Any]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Proposal]:
        return iter(self.rows)

    def __getitem__(self, place: int) -> Proposal:
        return self.rows[place]

    def as_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            **self.about,
            "labels": list(self.labels),
            "rows": [row.as_dict() for row in self.rows],
        }

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """A table with an empty label column (.csv, .tsv, .jsonl, .parquet), or Label Studio's
        tasks (.json).

        Raises:
            InputError: ``output_suffix``, ``output_exists`` and the like.
        """
        target = Path(path)
        outputs.check(target, overwrite=overwrite)
        model = str(self.about["model"] or "supertune")
        outputs.proposals(target, self.rows, self.column, model=model, overwrite=overwrite)
        return target

    def __repr__(self) -> str:
        lines = [f"<{len(self.rows)} rows to label next>"]
        lines += [f"  row {row.row}: {'; '.join(row.why)}" for row in self.rows[:10]]
        return "\n".join(lines)


def label_next(
    model: Model | str | Path | None,
    pool: Any,
    next: int = 10,
    *,
    labels: Sequence[str] = (),
    answers: str | Path | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Proposals:
    """Which rows of an unlabelled pool to label next, and why.

    Args:
        model: a model or its folder; None where nothing is labelled yet.
        pool: rows as `supertune.fit` takes them; what labels they have is not read.
        next: how many rows.
        labels: names that an answer may be, besides those of the model.
        answers: a file of answers that `supertune label` began; its rows count as labelled.
        progress: called with (stage, done, total or None).
        **options: keys of the recipe that say how the rows are read (``text``, ``label``,
            ``max_length`` ...), which backbone is looked through where there is no model, and
            whether rows may be sent to a server (``allow_remote``, ``max_cost`` ...).

    Raises:
        InputError: what is wrong with the rows or the options; ``nothing_to_label``.

    Example:
        >>> supertune.label_next(None, "reviews.csv", next=8).save("to-label.csv")
        >>> supertune.label_next("reviews-model", "reviews.csv", next=8)[0].why
    """
    _check_count(next)
    path = None if answers is None else Path(answers)
    journal = Journal(Path(), None, []) if path is None else journals.read(path)
    begun = _begun(model, pool, journal, labels, progress, options)
    return proposed(begun, next)


@contextmanager
def labelling(
    model: Model | str | Path | None,
    pool: Any,
    answers: str | Path,
    *,
    labels: Sequence[str] = (),
    progress: Progress | None = None,
    **options: Any,
) -> Iterator[Labelling]:
    """A session whose answers go into the file ``answers``, begun or gone on with.

    Raises:
        InputError, EnvironmentFault: as `label_next`, and as `supertune.labelling.journal.opened`.
    """
    with journals.opened(Path(answers)) as journal:
        yield _begun(model, pool, journal, labels, progress, options)


def proposed(begun: Labelling, count: int) -> Proposals:
    """What a session says is to be labelled next."""
    rows = tuple(begun.propose(count))
    if not rows:
        raise InputError(
            "nothing_to_label",
            "Every row of the pool has been labelled or skipped.",
            received=f"{begun.pool.source}: {len(begun.pool):,} different rows, 0 left",
            allowed="a pool with rows that have no answer yet",
            next="Give a file with other rows.",
        )
    about = {
        "model": steps.named(begun.model),
        "pool": {
            "source": begun.pool.source,
            "rows": begun.pool.read,
            "different": begun.pool.different,
            "compared": len(begun.pool),
            "left_out": begun.pool.left_out,
            "labelled": begun.pool.labelled,
        },
        "fit": {"options": steps.options(begun), "goes_on": steps.goes_on(begun.model)},
        "counts": begun.counts(),
        "left": begun.left,
    }
    return Proposals(rows, begun.labels, begun.column, about)


def _begun(
    model: Model | str | Path | None,
    pool: Any,
    journal: Journal,
    labels: Sequence[str],
    progress: Progress | None,
    options: dict[str, Any],
) -> Labelling:
    settled, _ = meant.settled(
        pool, {key: each for key, each in options.items() if each is not None}
    )
    opened = (
        model
        if isinstance(model, Model) or model is None
        else load(model, device=settled.device, threads=settled.threads, **anew(options))
    )
    if progress is not None:
        progress("read rows", 0, None)
    return session.begun(pool, opened, journal, settled, labels=labels, progress=progress)


def _check_count(count: int) -> None:
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise InputError(
            "bad_count",
            "The number of rows to label next is not a number of rows.",
            received=repr(count),
            allowed="a whole number from 1 on",
            next="Leave it out to get 10 rows.",
        )
