"""The exact commands that repeat and use a fit, and what to do next.

They name files as the person did; a path that starts at the root of their machine is cut to
its last part, since reports are shared.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path, PureWindowsPath
from typing import Any

from supertune import registry
from supertune.contracts import Task
from supertune.report import advice
from supertune.report.wording import file_name

_UNNAMED = "YOUR-MODEL"
_DOUBTED = {"label_looks_wrong": "labels", "value_looks_wrong": "values"}
_ENOUGH = 400  # test rows from which more rows to judge by are not the advice


def spoken(source: Any) -> str | None:
    """A file or folder as a command names it; None for rows that came from Python."""
    if not isinstance(source, str | Path):
        return None
    text = str(source)
    absolute = Path(text).is_absolute() or PureWindowsPath(text).is_absolute()
    return file_name(text) if absolute else text


def commands(report: Mapping[str, Any], folder: Path | None) -> dict[str, str]:
    """Shell lines to repeat a fit of here, to predict and to evaluate, and the same in Python."""
    name = _UNNAMED if folder is None else spoken(folder) or _UNNAMED
    model, sources = shlex.quote(name), report.get("sources") or {}
    data, test = sources.get("data"), sources.get("test")
    repeat = ["supertune fit", shlex.quote(data or "ROWS.csv")]
    repeat += ["--test", shlex.quote(test)] if test else []
    pool = sources.get("unlabeled")
    repeat += ["--unlabeled", shlex.quote(pool)] if pool else []
    for kept in sources.get("keep") or ():
        repeat += ["--keep", shlex.quote(kept)]
    repeat += ["--recipe", shlex.quote(f"{name}/recipe.yaml"), "-o", shlex.quote(f"{name}-again")]
    # A folder is the usual source of pictures and of recordings, with a folder a label.
    read = _columns(report)
    ending = "" if read.get("picture") or read.get("audio") else ".csv"
    return {
        **({} if report.get("elsewhere") else {"repeat": " ".join(repeat)}),
        "predict": _predicting(report).format(model=model, ending=ending),
        "evaluate": f"supertune evaluate {model} LABELLED{ending}",
        "label": f"supertune label {model} POOL{ending}",
        "python": f"import supertune\n\nmodel = supertune.load({name!r})\n{_asked(report)}\n",
    }


def _predicting(report: Mapping[str, Any]) -> str:
    """The command of the task, which may have one of its own."""
    usual = "supertune predict {model} NEW{ending} -o predictions.csv"
    return str(getattr(_task(report), "predicted_by", usual))


def _task(report: Mapping[str, Any]) -> Task | None:
    name = str(report.get("task"))
    return registry.task(name) if registry.known("tasks", name) else None


def _columns(report: Mapping[str, Any]) -> Mapping[str, Any]:
    return (report.get("data") or {}).get("columns") or {}


def _asked(report: Mapping[str, Any]) -> str:
    """A line of Python that asks the model about a row of its kind."""
    numbers = _columns(report).get("numbers")
    if own := getattr(_task(report), "asked_in_python", None):
        return str(own)
    if not numbers:
        seen = {"picture": "new.png", "audio": "new.wav"}
        new = next((name for key, name in seen.items() if _columns(report).get(key)), "a new text")
        return f'model.predict(["{new}"])'
    return f"model.predict([{dict.fromkeys(numbers, 0.0)!r}])"


def following(report: Mapping[str, Any], folder: Path | None) -> list[str]:
    """What helps most now, the most urgent first."""
    listed = commands(report, folder)
    steps = []
    for found in report.get("findings") or []:
        if what := _DOUBTED.get(str(found.get("code"))):
            rows = found["rows"][:5]
            where = f"row{'s' if len(rows) > 1 else ''} {', '.join(map(str, rows))}"
            steps.append(f"Check the {what} of {where}, correct what is wrong and fit again.")
    if report.get("elsewhere"):
        steps.append(f"Score it on labelled rows: {listed['evaluate']}")
    answer = (report.get("verdict") or {}).get("answer")
    estimate = report.get("test") or report.get("estimate") or {}
    own = getattr(_task(report), "improved_by", None)
    if own is not None:
        steps += [str(own)] if answer in ("cannot_tell", "no") else []
    elif answer == "cannot_tell":
        rows = int(estimate.get("rows") or 0)
        more = "--test with more rows" if report.get("test") else "label more rows"
        if rows < _ENOUGH:
            steps.append(f"{rows} rows cannot tell it from the baseline: {more}, and fit again.")
        if rows < _ENOUGH and not report.get("test") and folder is not None:
            steps.append(f"Which rows to label: {listed['label']}")
    elif answer == "no" and "bag_of_words" not in (report.get("baselines") or {}):
        steps.append(
            "Nothing tells the labels apart better than how common they are: label more rows."
            if (report.get("data") or {}).get("labels")
            else "What is read says nothing of the value: look for other columns."
        )
    elif answer == "no" and report.get("backbone"):
        steps.append("A plain bag of words does as well here: --method bag_of_words is simpler.")
    data = (report.get("sources") or {}).get("data") or "ROWS.csv"
    if helpful := advice.step(report, shlex.quote(data)):
        steps.append(helpful)
    if folder is not None:
        steps.append(f"Read the report: {spoken(folder)}/report.html")
        steps.append(f"Predict new rows: {listed['predict']}")
    else:
        steps.append("Save the model: model.save('my-model')")
    return steps
