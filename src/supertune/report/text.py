"""The report as plain lines for a terminal: no colour, no tables, at most some twenty lines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from supertune.report import trust, views, wording

FINDINGS = 6
CANDIDATES = 10
WIDTH = 90  # of a line of the table, less what stands between its columns


def summary(report: Mapping[str, Any]) -> str:
    """Verdict, score, baselines, findings, cost and next steps, one thing a line."""
    parts = [
        *(
            _verdict(report),
            _scores(report),
            _beside(report),
            trust.briefly(report),
            _candidates(report),
        ),
        *(_findings(report), _advice(report), _facts(report), _next(report)),
    ]
    lines = "\n\n".join("\n".join(part) for part in parts if part)
    return wording.clean(lines).replace(wording.SPACE, " ")


def _verdict(report: Mapping[str, Any]) -> list[str]:
    text = (report.get("verdict") or {}).get("text")
    return [str(text)] if text else []


def _scores(report: Mapping[str, Any]) -> list[str]:
    numerals = wording.numerals(report)
    metric = wording.metric_name(report.get("metric"))
    dots = views.dots(report)
    if not dots:
        return []
    width = max(len(dot["name"]) for dot in dots)
    title = f"{wording.first_upper(metric)} with its 95 % interval"
    if not report.get("larger_is_better", True):
        title += " (smaller is better)"
    lines = [f"  {dot['name']:<{width}}  {numerals.estimate(dot['estimate'])}" for dot in dots]
    weakest = views.classes(report)["worst"]
    if weakest:
        named = ", ".join(
            f"{wording.shorten(part['label'], 40)} (F1 {numerals.estimate(part['f1'], rows=False)})"
            for part in weakest
        )
        lines.append(f"Weakest: {named}")
    return [title, *lines]


def _beside(report: Mapping[str, Any]) -> list[str]:
    """Terms that were asked for, and rows that must not be forgotten."""
    fine, lines = wording.Numerals(3), []
    if counted := report.get("terms"):
        parts = [f"{wording.baseline_name(name)} {fine.estimate(one, rows=False)}"
                 for name, one in counted["baselines"].items()]  # fmt: skip
        lines.append(
            f"Hints as they are said, of {wording.count(counted['mentions'], 'mention')}: "
            + "; ".join([fine.estimate(counted["estimate"], rows=False), *parts])
        )
    if told := report.get("domain_text"):
        lines.append(f"Worded by {wording.count(told['texts'], 'text')} of the field.")
    for one in report.get("retained") or []:
        spoken = f" ({one['language']})" if one["language"] else ""
        lines.append(
            f"Kept: {one['name']}{spoken}, {wording.count(one['rows'], 'row')}, "
            f"{wording.metric_name(one['metric'])} "
            f"{fine.value(one['before']['value'], one['metric'])} before, "
            f"{fine.value(one['after']['value'], one['metric'])} now: "
            f"{fine.difference(one['difference'])}"
        )
    return lines


def _candidates(report: Mapping[str, Any]) -> list[str]:
    """What was compared: score, time taken beside time predicted, and why it ended."""
    given = list(report.get("candidates") or [])
    if len(given) < 2:
        return []
    numerals = wording.numerals(report)
    rows = [_candidate(one, numerals) for one in given[:CANDIDATES]]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    room = max(40, WIDTH - sum(widths))
    lines = [
        "  " + "  ".join([*map(str.ljust, row, widths), wording.shorten(row[3], room)])
        for row in rows
    ]
    more = len(given) - len(rows)
    return ["Compared", *lines, *([f"  {more} more in the report."] if more else [])]


def _candidate(one: Mapping[str, Any], numerals: Any) -> tuple[str, str, str, str]:
    name = str(one.get("method") or "")
    if one.get("backbone"):
        name += f" on {wording.backbone_name(one['backbone'])}"
    score = numerals.estimate(one["estimate"], rows=False) if one.get("estimate") else "-"
    took, said = (wording.finite(one.get(key)) for key in ("seconds", "predicted_seconds"))
    time = "-" if took is None else wording.duration(took)
    if said is not None:
        time = f"about {wording.duration(said)}" if took is None else time
        time += "" if took is None else f" of {wording.duration(said)}"
    status, why = str(one.get("status") or ""), str(one.get("why") or "")
    return name, score, time, f"{status}: {why}" if why and status != "compared" else status


def _findings(report: Mapping[str, Any]) -> list[str]:
    found = list(report.get("findings") or [])
    lines = []
    for finding in found[:FINDINGS]:
        sign = "!" if finding.get("severity") == "warning" else "-"
        where = views.rows_phrase(finding.get("rows") or [])
        lines.append(
            f"{sign} {wording.shorten(finding.get('message'), 300)}"
            + (f" ({where})" if where else "")
        )
    if len(found) > FINDINGS:
        lines.append(f"  {len(found) - FINDINGS} more in the report.")
    return lines


def _advice(report: Mapping[str, Any]) -> list[str]:
    """What would help, one lever a line, the most promising first."""
    given = report.get("advice") or {}
    lines = [str(given["verdict"])] if given.get("verdict") else []
    for one in given.get("levers") or []:
        what = f" ({wording.shorten(one['what'], 60)})" if one["what"] else ""
        what = "" if one["lever"] == "labels" else what
        why = f" ({wording.shorten(one['why'], 90)})" if one["gain"] is None else ""
        name = one["what"] if one["lever"] == "labels" else one["name"]
        lines.append(f"  {name}{what}: {one['text']}{why}")
    return lines


def _facts(report: Mapping[str, Any]) -> list[str]:
    tuned, cost = report.get("tuned") or {}, report.get("cost") or {}
    backbone = report.get("backbone")
    what = str(report.get("method") or "")
    if backbone:
        what += f" on {wording.backbone_name(backbone)}"
    facts = [what] if what else []
    if wording.finite(tuned.get("parameters")) is not None:
        numbers = wording.count(tuned["parameters"], "number") + " tuned"
        if wording.finite(tuned.get("share")) is not None:
            numbers += f" ({wording.percent(tuned['share'])} of the backbone)"
        facts.append(numbers)
    facts += [
        written(cost[key])
        for key, written in (("seconds", wording.duration), ("peak_memory_bytes", wording.size))
        if wording.finite(cost.get(key)) is not None
    ]
    return [", ".join(facts)] if facts else []


def _next(report: Mapping[str, Any]) -> list[str]:
    steps = [views.step(text) for text in report.get("next") or []]
    if not steps:
        return []
    lines = ["Next"]
    for words, command in steps:
        lines += [f"  {part}" for part in (words,) if part]
        lines += [f"    {line}" for line in command.splitlines()]
    return lines
