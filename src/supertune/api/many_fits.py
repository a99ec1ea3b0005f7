"""`supertune.fit_many`: many small tasks over one backbone, here or by Ray over machines.

Every task is a fit of its own: nothing passes from one to another but what is frozen. What one
refuses is told beside what the others gave; folders that are there already are left as they are,
so a run that ended too soon goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from supertune.api.cluster import cluster
from supertune.api.fitting import fit
from supertune.contracts.remote import shared
from supertune.errors import InputError, SupertuneError
from supertune.report.wording import headline, metric_name, numerals

Progress = Callable[[str, int, int | None], None]

Job = tuple[str, Any, str, Mapping[str, Any]]  # name, data, folder, options


@dataclass(frozen=True)
class Outcome:
    """What came of one task.

    Attributes:
        status: ``"fitted"``, ``"there"`` (the folder was, and was left) or ``"refused"``.
        score: the report's own: ``value``, ``low`` and ``high`` of the 95 % interval, ``metric``.
        said: the same in words, with the rows behind it.
        error: why it was refused, as `SupertuneError.as_dict` says it.
    """

    name: str
    folder: str
    status: str
    rows: int = 0
    method: str | None = None
    score: Mapping[str, Any] | None = None
    said: str = ""
    error: Mapping[str, str | None] | None = None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def fit_many(
    tasks: Mapping[str, Any] | Sequence[str | Path],
    output: str | Path,
    *,
    ray: str | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> list[Outcome]:
    """Fit a model for each of many tasks, each into a folder of its own below ``output``.

    The same threads give the same bytes, in this process or in any other, as long as no clock
    chooses: name a method, or set ``max_candidates``.

    Args:
        tasks: by name what `supertune.fit` takes as data; or files, named by their stem.
        output: made if need be; ``output/NAME`` is the folder of a task.
        ray: None fits one after another here. ``"local"`` starts a Ray cluster on this machine, and
            an address (``"auto"``, ``"head:6379"``) is of one that runs; its machines see
            ``output`` and the files under the same paths. A worker has one thread unless
            ``threads`` says otherwise; one that dies is replaced and its task begun again.
        workers: of a local cluster; as many as there are cores by default.
        progress: called with (stage, done, total).
        **options: as in `supertune.fit`, for every task; ``max_cost`` and ``max_requests`` of a
            server for all together.

    Returns:
        One `Outcome` a task, in the order of ``tasks``.

    Raises:
        InputError: ``no_tasks``, ``task_named_twice``, ``bad_task_name``,
            ``limits_of_one_process``.
        EnvironmentFault, InputError: as `supertune.api.cluster.cluster`.
    """
    named = _named(tasks)
    if ray is not None:
        _refuse_limits(options)
    folder = Path(output)
    folder.mkdir(parents=True, exist_ok=True)
    jobs = [(name, data, str(folder.absolute() / name), options) for name, data in named.items()]
    if ray is None:
        return list(_told(_in_turn(jobs), len(jobs), progress))
    options["threads"] = options.get("threads") or 1
    with cluster(ray, workers, options["threads"]) as joined:
        waits = [joined.begun(_one, *job) for job in jobs]
        return list(_told((wait() for wait in waits), len(jobs), progress))


def _in_turn(jobs: Sequence[Job]) -> Iterator[Outcome]:
    """One after another; what one was charged by a server is taken from the limits of the next."""
    requests, cost = 0, 0.0
    for name, data, folder, options in jobs:
        spent = {"max_requests": requests, "max_cost": cost}
        left = {
            key: max(0, options[key] - one)
            for key, one in spent.items()
            if isinstance(options.get(key), int | float)
        }
        with shared() as account:
            outcome = _one(name, data, folder, {**options, **left})
        requests, cost = requests + account.requests, cost + account.cost
        yield outcome


def _refuse_limits(options: Mapping[str, Any]) -> None:
    limits = [key for key in ("max_cost", "max_requests") if options.get(key) is not None]
    if limits:
        raise InputError(
            "limits_of_one_process",
            "What is sent to a server is counted in one process, and workers are many.",
            received=f"ray and {', '.join(limits)}",
            allowed="these limits without ray, for all tasks together",
            next="Leave ray out, or the limits: `supertune plan` says what one task takes.",
        )


def _named(tasks: Mapping[str, Any] | Sequence[str | Path]) -> dict[str, Any]:
    if isinstance(tasks, Mapping):
        found = dict(tasks)
    else:
        found = {}
        for path in map(Path, tasks):
            if path.stem in found:
                raise InputError(
                    "task_named_twice",
                    "Two files would become models of the same name.",
                    received=f"{found[path.stem]} and {path}",
                    allowed="files whose names differ before the ending",
                    next="Rename one of them, or give a mapping of names in Python.",
                )
            found[path.stem] = str(path.absolute())
    if not found:
        raise InputError(
            "no_tasks",
            "There is nothing to fit.",
            allowed="one file a task, or more",
            next="For example: supertune fit-many tasks/*.csv -o models",
        )
    for name in found:
        if not name or Path(name).name != name:
            raise InputError(
                "bad_task_name",
                "The name of a task is the name of its folder.",
                received=repr(name),
                allowed="a name without a path",
                next="Rename the task.",
            )
    return found


def _one(name: str, data: Any, folder: str, options: Mapping[str, Any]) -> Outcome:
    if (Path(folder) / "supertune.json").is_file():  # folders appear whole or not at all
        return Outcome(name, folder, "there")
    try:
        model = fit(data, output=folder, **options)
    except SupertuneError as error:
        return Outcome(name, folder, "refused", error=error.as_dict())
    report = model.report.data
    score = headline(report)
    return Outcome(
        name,
        folder,
        "fitted",
        report["data"]["rows"],
        model.method,
        score,
        f"{metric_name(report['metric'])} {numerals(report).estimate(score)}",
    )


def _told(found: Iterator[Outcome], total: int, progress: Progress | None) -> Iterator[Outcome]:
    for done, outcome in enumerate(found, start=1):
        if progress is not None:
            progress(f"{outcome.name}: {outcome.status}", done, total)
        yield outcome
