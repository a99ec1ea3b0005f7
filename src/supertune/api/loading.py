"""`supertune.load`: a model out of a folder, whoever wrote it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, overload

from supertune import model
from supertune.api.foreign import Given, load_peft
from supertune.api.generating import Generator, load_generator
from supertune.artifact import foreign
from supertune.errors import InputError
from supertune.model import Model


@overload
def load(  # type: ignore[overload-overlap]  # of all tasks this one alone is no Model
    folder: str | Path,
    *,
    task: Literal["generation"],
    device: str = "auto",
    threads: int | None = None,
    backbone: str | Path | None = None,
) -> Generator: ...


@overload
def load(
    folder: str | Path,
    *,
    device: str = "auto",
    threads: int | None = None,
    backbone: str | Path | None = None,
    task: str = "text_classification",
    labels: Sequence[str] = (),
    template: str | None = None,
    words: Mapping[str, Sequence[str]] | None = None,
    rows: Any = None,
    **remote: Any,
) -> Model: ...


def load(
    folder: str | Path,
    *,
    device: str = "auto",
    threads: int | None = None,
    backbone: str | Path | None = None,
    task: str = "text_classification",
    labels: Sequence[str] = (),
    template: str | None = None,
    words: Mapping[str, Sequence[str]] | None = None,
    rows: Any = None,
    **remote: Any,
) -> Model | Generator:
    """A folder that `supertune.fit` wrote as a `Model`; every file is verified before it is used.

    Also a bare PEFT folder (``adapter_config.json``, ``adapter_model.safetensors``): what it
    lacks is given here, unless `supertune.export` wrote it. And a SetFit folder, whose pickled
    head is never read: with ``rows`` a head is fitted again.

    Args:
        device, threads: where to run; see ``supertune doctor``.
        backbone: where the backbone is now, if it was a folder that has moved since, or the same
            weights converted for another engine; of a bare PEFT folder, the backbone.
        task, labels: of a bare PEFT folder; labels in the order of the head's outputs. With the
            task ``"generation"`` it needs no labels, and a `Generator` comes back, which writes
            text and says how likely text is.
        template, words: label words in a prompt, where there is no head, e.g.
            ``"{text} It was {answer}"`` and ``{"positive": ["good"], "negative": ["bad"]}``.
        rows: labelled rows, as `supertune.fit` takes them, to fit a head on.
        **remote: where the backbone is at a server: ``allow_remote=True``, without which no row is
            sent, ``max_cost``, ``max_requests``, ``prices``, as `supertune.fit` takes them.

    Raises:
        InputError: when the folder is missing, damaged, of a newer schema, or holds a pickle;
            when its backbone is not the one it was tuned on; or ``backbone_needed``,
            ``labels_needed``, ``head_needed``, ``pickled_head`` saying what has to be given.
    """
    path = Path(folder)
    given = Given(task, tuple(labels), template, words, rows)
    kind = foreign.kind(path)
    place = {"device": device, "threads": threads}
    if task == "generation":
        return load_generator(path, None if backbone is None else str(backbone), place)
    if kind is None:
        if not given.nothing:
            raise _known_already(path)
        return model.load(path, device=device, threads=threads, backbone=backbone, **remote)
    if kind == "setfit":
        return _load_setfit(path, given, place)
    return load_peft(path, given, None if backbone is None else str(backbone), place)


def _load_setfit(folder: Path, given: Given, place: dict[str, Any]) -> Model:
    from supertune.api.fitting import fit

    if given.rows is None:
        raise InputError(
            "pickled_head",
            f"{folder} is a SetFit model, whose head is a pickle that could run code on loading.",
            received="model_head.pkl",
            allowed="the same backbone with a head fitted again on labelled rows",
            next=f"supertune fit ROWS.csv --backbone {folder} --method linear_probe -o MODEL; in "
            'Python supertune.load(folder, rows="ROWS.csv").',
        )
    return fit(given.rows, backbone=str(folder), method="linear_probe", **place)


def _known_already(folder: Path) -> InputError:
    return InputError(
        "labels_known",
        "Labels, template, words, task and rows are for folders that peft or SetFit wrote.",
        received=str(folder),
        allowed="a folder with adapter_config.json or config_setfit.json, and no supertune.json",
        next="Leave them out: a model folder of supertune knows its own.",
    )
