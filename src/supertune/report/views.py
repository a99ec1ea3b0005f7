"""What the page shows of the longer parts of a report: chosen, ordered and cut to size here.

Templates only print. Limits keep the page small and readable; whatever is cut is said on the
page and is whole in ``report.json``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from supertune.report import references, trust, wording
from supertune.report.wording import finite

MATRIX_LABELS = 24  # a larger matrix has cells too small to read; its top confusions are listed
TOP_CONFUSIONS = 30
BARS = 40  # classes drawn with bars; beyond that, numbers alone
ROWS_OPEN = 12
ROWS = 200
FINDING_ROWS = 12


def view(report: Mapping[str, Any]) -> dict[str, Any]:
    """Everything the template needs beside the report itself."""
    return {
        "title": title(report),
        "headline": wording.headline(report),
        "numerals": wording.numerals(report),
        "steps": [step(text) for text in report.get("next") or []],
        "dots": dots(report),
        "best_baseline": best_baseline(report),
        "classes": classes(report),
        "confusion": confusion(report),
        "slices": slices(report),
        "rows": rows(report),
        "samples": samples(report),
        "columns": columns(report),
        "scores": scores(report),
        "cost": cost(report),
        "intervals": references.intervals(report),
        "trust": trust.fitted(report),
        "works": references.cited(report),
    }


def title(report: Mapping[str, Any]) -> str:
    source = wording.file_name((report.get("data") or {}).get("source"))
    task = wording.plain(report.get("task")) or "report"
    return f"{source}: {task}" if source else task.capitalize()


def step(text: object) -> tuple[str, str]:
    """A next step as words and the command that ends it, if one does."""
    whole = str(text).strip()
    found = re.search(r"(?:`(supertune [^`]+)`\.?|(?:^|:\s|\n)\s*(supertune \S[^`]*))$", whole)
    if not found:
        return whole, ""
    words = whole[: found.start()].strip()
    if words and words[-1] not in ".:!?":
        words += ":"
    return words, (found[1] or found[2]).strip()


def best_baseline(report: Mapping[str, Any]) -> float | None:
    values = [finite((e or {}).get("value")) for e in (report.get("baselines") or {}).values()]
    known = [value for value in values if value is not None]
    if not known:
        return None
    return max(known) if report.get("larger_is_better", True) else min(known)


def dots(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The model's estimates, then the baselines from best to worst."""
    drawn = []
    if report.get("test"):
        drawn.append({"name": "This model, test file", "estimate": report["test"]})
        kept = "This model, cross-validated"
    else:
        kept = "This model"
    # Where nothing was cross-validated the estimate is the test's own.
    if report.get("estimate") and report["estimate"] != report.get("test"):
        drawn.append({"name": kept, "estimate": report["estimate"]})
    for dot in drawn:
        dot["kind"] = "model"
    larger = report.get("larger_is_better", True)

    def order(item: tuple[str, Any]) -> tuple[float, str]:
        value = finite((item[1] or {}).get("value"))
        if value is None:
            return float("inf"), item[0]
        return (-value if larger else value), item[0]

    for name, estimate in sorted((report.get("baselines") or {}).items(), key=order):
        drawn.append(
            {"name": wording.baseline_name(name), "estimate": estimate or {}, "kind": "baseline"}
        )
    return drawn


def scores(report: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """All metrics but empty ones, the optimised one first."""
    named = [(name, e) for name, e in (report.get("metrics") or {}).items() if e]
    return sorted(named, key=lambda item: item[0] != report.get("metric"))


def classes(report: Mapping[str, Any]) -> dict[str, Any]:
    listed = [dict(part) for part in report.get("per_class") or []]
    worst = [part for part in listed if finite((part.get("f1") or {}).get("value")) is not None]
    worst.sort(key=lambda part: float(part["f1"]["value"]))
    return {
        "list": listed,
        "bars": len(listed) <= BARS,
        "long": len(listed) > 15,
        "worst": worst[: 3 if len(worst) > 6 else 1] if len(worst) > 2 else [],
    }


def confusion(report: Mapping[str, Any]) -> dict[str, Any] | None:
    """The matrix and the commonest mistakes; None where there is none (several labels a row)."""
    given = report.get("confusion") or {}
    labels, counts = list(given.get("labels") or []), list(given.get("counts") or [])
    if not labels or len(counts) != len(labels) or any(len(r) != len(labels) for r in counts):
        return None
    numbers = [[int(finite(cell) or 0) for cell in row] for row in counts]
    mistakes = _mistakes(labels, numbers)
    return {
        "labels": labels,
        "matrix": _matrix(labels, numbers) if len(labels) <= MATRIX_LABELS else None,
        "mistakes": mistakes[: TOP_CONFUSIONS if len(labels) > MATRIX_LABELS else 5],
        "kinds": len(mistakes),
        "wrong": sum(mistake["rows"] for mistake in mistakes),
        "all": sum(map(sum, numbers)),
    }


def _matrix(labels: Sequence[Any], counts: list[list[int]]) -> list[dict[str, Any]]:
    """Cells with a shade from 0 to 1: their share of the row, raised so that few rows show."""
    lines = []
    for index, (label, row) in enumerate(zip(labels, counts, strict=True)):
        total = sum(row)
        cells = [
            {
                "rows": n,
                "shade": round((n / total) ** 0.65, 2) if total else 0,
                "right": index == column,
            }
            for column, n in enumerate(row)
        ]
        lines.append({"label": label, "cells": cells, "total": total})
    return lines


def _mistakes(labels: Sequence[Any], counts: list[list[int]]) -> list[dict[str, Any]]:
    found = [
        {"true": labels[i], "predicted": labels[j], "rows": n, "share": n / sum(row)}
        for i, row in enumerate(counts)
        for j, n in enumerate(row)
        if n > 0 and i != j
    ]
    return sorted(found, key=lambda mistake: -mistake["rows"])


def slices(report: Mapping[str, Any]) -> list[tuple[str, list[dict[str, Any]]]]:
    """The scores by subgroup as dots, column by column."""
    return [
        (
            name,
            [
                {
                    "name": part.get("value"),
                    "note": wording.count(part.get("rows"), "row"),
                    "estimate": part.get("estimate") or {},
                    "kind": "part",
                }
                for part in parts
            ],
        )
        for name, parts in (report.get("slices") or {}).items()
        if parts
    ]


def rows(report: Mapping[str, Any]) -> dict[str, Any]:
    """Suspicious rows first, then wrong ones, each as sure of itself as the model was."""

    def order(row: Mapping[str, Any]) -> tuple[bool, float]:
        # Rows of values come furthest off first, and are left so.
        return row.get("why") != "suspicious", -(finite(row.get("confidence")) or 0.0)

    listed = sorted(report.get("rows") or [], key=order)
    return {
        "open": listed[:ROWS_OPEN],
        "more": listed[ROWS_OPEN:ROWS],
        "left": max(0, len(listed) - ROWS),
        "count": len(listed),
        "suspicious": sum(row.get("why") == "suspicious" for row in listed),
    }


def samples(report: Mapping[str, Any]) -> dict[str, Any]:
    listed = list((report.get("data") or {}).get("samples") or [])
    names = list(dict.fromkeys(name for sample in listed for name in sample))
    return {"names": names[:8], "rows": listed[:5], "left": max(0, len(names) - 8)}


def columns(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Which columns mean what, those that are set."""
    given = (report.get("data") or {}).get("columns") or {}
    shown = []
    for role, value in given.items():
        if isinstance(value, list | tuple):
            value = ", ".join(map(str, value))
        if value is True:
            value = "yes"
        if value:
            shown.append((wording.plain(role), str(value)))
    return shown


def cost(report: Mapping[str, Any]) -> list[dict[str, str]]:
    """Predicted and actual time and memory, as text."""
    given = report.get("cost") or {}
    lines = []
    for name, actual, predicted, written in (
        ("Time", "seconds", "predicted_seconds", wording.duration),
        ("Peak memory", "peak_memory_bytes", "predicted_memory_bytes", wording.size),
    ):
        was, said = finite(given.get(actual)), finite(given.get(predicted))
        if was is None and said is None:
            continue
        ratio = f"{was / said:.2f}{wording.SPACE}×" if was is not None and said else ""
        lines.append(
            {"name": name, "predicted": written(said), "actual": written(was), "ratio": ratio}
        )
    return lines


def rows_phrase(numbers: Sequence[int]) -> str:
    """``rows 17, 29 and 3 more``."""
    shown = [f"{n:,}" for n in numbers[:FINDING_ROWS]]
    left = len(numbers) - len(shown)
    text = ", ".join(shown) + (f" and {left:,} more" if left else "")
    noun = "row" if len(numbers) == 1 else "rows"
    return f"{noun}{wording.SPACE}{text}" if numbers else ""
