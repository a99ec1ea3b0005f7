"""The model card: the ``README.md`` of a model folder, with front matter as the hub reads it.

It holds no text of any row. Names that come from the person's file (labels, the file's own name)
are escaped, and no path of their machine is written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from supertune.report import references, remote, views, wording
from supertune.report.wording import Numerals, finite

LABELS = 60
_PIPELINE = {"text_classification": "text-classification", "regression": "tabular-regression"}
_HUB_METRICS = {
    "accuracy": "accuracy",
    "macro_f1": "f1",
    "micro_f1": "f1",
    "weighted_f1": "f1",
    "macro_precision": "precision",
    "weighted_precision": "precision",
    "macro_recall": "recall",
    "weighted_recall": "recall",
    "brier": "brier_score",
    "mae": "mae",
    "r2": "r_squared",
}


def markdown(report: Mapping[str, Any]) -> str:
    """The card's text; equal reports give equal text."""
    numerals = wording.numerals(report)
    parts = [
        _front_matter(report),
        f"# {_plain(views.title(report))}",
        _opening(report),
        _scores(report, numerals),
        _use(report),
        _tuning(report),
        _voice(report),
        remote.card([*map(_safe, report.get("remote") or [])]),
        _limits(report),
        _rows_inside(report),
        _reproduce(report),
        _references(report),
    ]
    return wording.clean("\n\n".join(part for part in parts if part)) + "\n"


# --- front matter ---------------------------------------------------------------------------


def _front_matter(report: Mapping[str, Any]) -> str:
    """YAML whose values are JSON strings, which YAML reads alike, so that nothing can break out."""
    task = _PIPELINE.get(str(report.get("task")), wording.plain(report.get("task")))
    task = task.replace(" ", "-")
    lines = ["---", "library_name: supertune"]
    if task:
        lines.append(f"pipeline_tag: {_quoted(task)}")
    if base := base_model(report):
        lines.append(f"base_model: {_quoted(base)}")
    tags = ["supertune", "few-shot", task, report.get("method")]
    lines += _yaml_list("tags", dict.fromkeys(str(tag) for tag in tags if tag))
    named = (_HUB_METRICS.get(str(name)) for name in [report.get("metric"), *_metric_names(report)])
    lines += _yaml_list("metrics", dict.fromkeys(name for name in named if name))
    return "\n".join([*lines, "---"])


def _metric_names(report: Mapping[str, Any]) -> list[str]:
    return [str(name) for name in report.get("metrics") or {}]


def base_model(report: Mapping[str, Any]) -> str | None:
    """A hub id or catalogue name; None for a folder of this machine, or without a backbone."""
    name = report.get("base_model") or report.get("backbone")
    return None if not name or wording.is_path(name) else str(name)


def _yaml_list(key: str, values: Iterable[str]) -> list[str]:
    items = [f"  - {_quoted(value)}" for value in values]
    return [f"{key}:", *items] if items else []


def _quoted(text: str) -> str:
    return json.dumps(wording.clean(text), ensure_ascii=False)


# --- body -----------------------------------------------------------------------------------


def _plain(text: object, limit: int = 80) -> str:
    """Text from outside as Markdown that shows it and does nothing else."""
    line = wording.shorten(text, limit)
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|~$])", r"\\\1", line)


def _table(caption: str, head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    rule = ["---", *["---:"] * (len(head) - 1)]
    rows = [" | ".join(line) for line in (head, rule, *lines)]
    return f"{caption}\n\n" + "\n".join(f"| {row} |" for row in rows)


def _code(language: str, source: object) -> str:
    text = wording.clean(source).strip()
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{fence}{language}\n{text}\n{fence}"


def _opening(report: Mapping[str, Any]) -> str:
    data = report.get("data") or {}
    backbone = report.get("backbone")
    made = f"`{report.get('method')}`" if report.get("method") else "a method"
    on = f" on `{wording.backbone_name(backbone)}`" if backbone else ", without a backbone"
    rows = wording.count(data.get("rows") or 0, "labelled row")
    task = wording.plain(report.get("task")) or "an unnamed task"
    if report.get("elsewhere"):
        text = f"A model for {task}: an adapter that was trained elsewhere, by {made}{on}."
    else:
        text = f"A model for {task}, tuned with supertune by {made}{on} from {rows}."
    verdict = (report.get("verdict") or {}).get("text")
    labels = [_plain(item.get("name"), 60) for item in data.get("labels") or []]
    left = len(labels) - LABELS
    named = ", ".join(labels[:LABELS]) + (f" and {left} more" if left > 0 else "")
    parts = [text, f"**{_plain(verdict, 600)}**" if verdict else ""]
    return "\n\n".join([*[p for p in parts if p], *([f"Labels: {named}."] if labels else [])])


def _scores(report: Mapping[str, Any], numerals: Numerals) -> str:
    lines = [
        (dot["name"], _value(numerals, dot["estimate"]), wording.count(dot["estimate"].get("rows")))
        for dot in views.dots(report)
    ]
    if not lines:
        return "## Score\n\nThe model was not scored."
    metric = wording.first_upper(wording.metric_name(report.get("metric")))
    judged = report.get("judged_on")
    caption = f"{metric}, in brackets its 95 % interval" + (
        f". Judged on: {judged}." if judged else "."
    )
    parts = ["## Score", _table(caption, ("", metric, "rows"), lines)]
    per_class = [
        (
            _plain(part.get("label"), 60),
            *(_value(numerals, part.get(name)) for name in ("precision", "recall", "f1")),
            wording.count(part.get("rows")),
        )
        for part in views.classes(report)["list"][:LABELS]
    ]
    if per_class:
        head = ("class", "precision", "recall", "F1", "rows")
        parts.append(_table("Per class.", head, per_class))
    return "\n\n".join(parts)


def _value(numerals: Numerals, estimate: Mapping[str, Any] | None) -> str:
    return numerals.estimate(estimate, rows=False).replace("[", r"\[").replace("]", r"\]")


def _use(report: Mapping[str, Any]) -> str:
    commands = report.get("commands") or {}
    parts = [
        _code(language, commands[key])
        for key, language in (("predict", "sh"), ("python", "python"))
        if commands.get(key)
    ]
    return "\n\n".join(["## Use", *parts]) if parts else ""


def _tuning(report: Mapping[str, Any]) -> str:
    tuned, cost = report.get("tuned") or {}, report.get("cost") or {}
    facts = []
    if report.get("precision") == "bf16":
        facts.append("Precision: bf16 products of matrices; weights, heads and losses in fp32")
    if report.get("backbone_sha256"):
        facts.append(f"Backbone weights: sha256 `{report['backbone_sha256']}`")
    elif report.get("backbone") and not base_model(report):
        facts.append("Backbone: a local folder, without a public name")
    if finite(tuned.get("parameters")) is not None:
        share = finite(tuned.get("share"))
        of = f", {wording.percent(share)} of the backbone" if share is not None else ""
        facts.append(
            f"Tuned: {wording.count(tuned['parameters'], 'number')}, "
            f"{wording.size(tuned.get('bytes'))}{of}"
        )
    if finite(cost.get("seconds")) is not None:
        facts.append(
            f"Took {wording.duration(cost['seconds'])} and "
            f"{wording.size(cost.get('peak_memory_bytes'))} of memory"
        )
    if report.get("choice"):
        facts.append(_plain(report["choice"], 600))
    return "## How it was tuned\n\n" + "\n".join(f"- {fact}" for fact in facts) if facts else ""


def _voice(report: Mapping[str, Any]) -> str:
    """Of a voice that was learned: that it is synthetic, and what its speaker agreed to."""
    spoken = report.get("spoken") or {}
    if not spoken:
        return ""
    consent = _plain(spoken.get("consent"), 2000)
    return "\n\n".join(
        [
            "## A person's voice",
            f"**{_plain(spoken.get('notice'), 300)}** Files that `supertune speak` writes say so.",
            f"The speaker's agreement, as it was stated when the voice was learned: {consent}",
            "Do not use the voice for anything else, and tell listeners that it is synthetic.",
        ]
    )


def _safe(sent: Mapping[str, Any]) -> dict[str, Any]:
    """With names that do nothing in Markdown."""
    return {**sent, "model": _plain(sent.get("model")), "server": _plain(sent.get("server"))}


def _limits(report: Mapping[str, Any]) -> str:
    found = [
        f"- {_plain(finding.get('message'), 400)}"
        for finding in report.get("findings") or []
        if finding.get("severity") == "warning"
    ]
    said = (
        "The score holds for rows like those it was measured on. Other sources, times, languages "
        "or subjects may give another; score the model on labelled rows of your own first."
    )
    return "\n\n".join(["## Limits", said, *(["\n".join(found)] if found else [])])


def _rows_inside(report: Mapping[str, Any]) -> str:
    data = report.get("data") or {}
    if data.get("holds_rows"):
        count = len(report.get("rows") or []) + len(data.get("samples") or [])
        return (
            "## Rows inside this folder\n\n**This folder holds some of the rows it was made from"
            f"**: {wording.count(count, 'text')}, long ones cut, in `report.json` and "
            "`report.html`. Look at them before sharing it; a fit with `--no-rows` leaves them out."
        )
    return (
        "## Rows inside this folder\n\nThe report and this card hold no text of any row. "
        "Label names are kept, and tuned numbers can in principle reveal something of the rows."
    )


def _reproduce(report: Mapping[str, Any]) -> str:
    versions = report.get("versions") or {}
    named = ", ".join(f"{_plain(name)} {_plain(value)}" for name, value in versions.items())
    facts = [f"Seed {report['seed']}"] if report.get("seed") is not None else []
    facts += [named] if named else []
    parts = ["; ".join(facts) + "."] if facts else []
    repeat = (report.get("commands") or {}).get("repeat")
    if repeat:
        parts.append(_code("sh", repeat))
    parts.append("The whole report is in `report.html`, and for programs in `report.json`.")
    return "\n\n".join(["## Repeat", *parts])


def _references(report: Mapping[str, Any]) -> str:
    works = references.cited(report)
    return "## References\n\n" + "\n".join(f"- {work}" for work in works) if works else ""
