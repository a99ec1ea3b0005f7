"""The report of a model that was not fitted here: what it is, and that nobody scored it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from supertune import __version__
from supertune.contracts import Columns, Finding, HeadSpec, Tuned
from supertune.pipeline import Workshop
from supertune.report import compose, steps

CODE = "fitted_elsewhere"
VERDICT = (
    "Fitted elsewhere: how good it is, is not known here. "
    "model.evaluate(rows) on labelled rows says."
)


def report(
    workshop: Workshop, labels: tuple[str, ...], columns: Columns, tuned: Tuned
) -> dict[str, Any]:
    """``report.json`` without a score, a baseline or a cost; ``elsewhere`` is true in it."""
    recipe = workshop.recipe
    finding = Finding(
        CODE,
        "It was trained elsewhere: the rows it learned from, how it was trained and how good it is "
        "are not known here.",
        severity="warning",
    )
    found: dict[str, Any] = {
        "schema": 1,
        "elsewhere": True,
        "supertune": __version__,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "task": workshop.task.name,
        "method": recipe.method,
        "metric": workshop.metric,
        "larger_is_better": workshop.task.metrics[workshop.metric],
        "data": {
            "source": None,
            "rows": None,
            "labels": [{"name": label, "rows": None} for label in labels],
            "columns": compose.columns_section(columns),
            "samples": [],
            "holds_rows": False,
        },
        "estimate": None,
        "test": None,
        "verdict": {"answer": "unknown", "text": VERDICT},
        "findings": [finding.as_dict()],
        "recipe": recipe.model_dump(mode="json"),
        **compose.tuning(workshop, recipe.backbone, tuned),
        "sources": {},
    }
    found["commands"] = steps.commands(found, None)
    found["next"] = steps.following(found, None)
    return dict(compose.finite(found))


def manifest(report: Mapping[str, Any], head: HeadSpec) -> dict[str, Any]:
    """What ``supertune.json`` says of such a model beside its injection."""
    return {
        "supertune": report["supertune"],
        "created": report["created"],
        "task": report["task"],
        "labels": [label["name"] for label in report["data"]["labels"]],
        "multi_label": head.multi_label,
        "method": report["method"],
        "backbone": {"name": report["backbone"], "sha256": report["backbone_sha256"]},
        "recipe": report["recipe"],
        "columns": report["data"]["columns"],
        "scores": {"estimate": None, "test": None},
    }
