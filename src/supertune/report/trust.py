"""What may be relied on, in plain words: what is answered, how sure it is, and for which rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from supertune.evaluation.selective import Threshold
from supertune.report import wording


def predicted(
    rows: int, marks: Mapping[str, int], max_error: float | None, found: Threshold | None
) -> list[str]:
    """Sentences behind the answers to ``rows`` rows; `Answers.marks` counts them.

    ``found`` is the threshold of the limit ``max_error``, None where there is no limit.
    """
    lines = []
    if max_error is not None and found is not None:
        lines.append(_abstained(rows, marks.get("abstained", 0), max_error, found))
    if marks.get("unlike"):
        lines.append(
            f"Of {wording.count(rows, 'row')}, {_are(marks['unlike'])} unlike those learned from: "
            "look at them before you rely on their answers. Of rows like those learned from, about "
            "1 in 20 is marked so too."
        )
    return lines


def share(value: float) -> str:
    """``5 %``, as it was asked for."""
    return f"{100 * value:.10g}{wording.SPACE}%"


def _are(number: int) -> str:
    return f"{wording.count(number)} {'is' if number == 1 else 'are'}"


def _abstained(rows: int, abstained: int, max_error: float, found: Threshold) -> str:
    limit = share(max_error)
    if found.missing:
        return (
            f"No row is answered: to promise at most {limit} wrong answers takes at least "
            f"{wording.count(found.needed, 'labelled row')} without an error, and "
            f"{wording.count(found.missing)} of them are missing. Label more rows, or allow more "
            "errors."
        )
    if not found.answered:
        return (
            f"No row is answered: among the surest answers to the labelled rows too many were "
            f"wrong to promise at most {limit} wrong ones. Label more rows, or allow more errors."
        )
    return (
        f"Answered: {wording.count(rows - abstained)} of {wording.count(rows, 'row')}, so that at "
        f"most {limit} of the answers are wrong (with 95 % confidence, for rows like those learned "
        f"from); {wording.count(abstained)} left to you."
    )


def answered_of(row: Mapping[str, Any]) -> str:
    """Of a line of the table of limits: how many test rows it answers, or why none."""
    if row["missing"]:
        return f"none: {wording.count(row['missing'])} labelled rows missing"
    test = row["test"]
    if test is None:
        return wording.percent(row["answered"]).replace(wording.SPACE, " ")
    return f"{wording.count(test['answered'])} of {wording.count(test['rows'])} rows"


def wrong_of(row: Mapping[str, Any]) -> str:
    """Of a line of the table of limits: the share of wrong test answers with its interval."""
    error = (row["test"] or {}).get("error")
    text = wording.Numerals(3).estimate(error, rows=False) if error else "-"
    return text.replace(wording.SPACE, " ")


def fitted(report: Mapping[str, Any]) -> list[str]:
    """Sentences about a fitted model, the most useful first; for page and terminal."""
    parts = (_answering(report), _calibration(report), _unlike(report))
    return [part for part in parts if part]


def briefly(report: Mapping[str, Any]) -> list[str]:
    """The sentences that nobody may miss: what it would answer, and that it was calibrated."""
    changed = (report.get("calibration") or {}).get("temperature", 1) != 1
    parts = (_answering(report), _calibration(report) if changed else "")
    return [part for part in parts if part]


def _answering(report: Mapping[str, Any]) -> str:
    return str((report.get("abstaining") or {}).get("text") or "")


def _calibration(report: Mapping[str, Any]) -> str:
    done = report.get("calibration")
    if done and done.get("own"):
        return f"{report.get('method')} calibrates its probabilities itself, by rows left out."
    if not done or done["before"] is None or done["after"] is None:
        return ""
    figures = f"log loss {done['before']:.3f} before and {done['after']:.3f} after"
    if done["temperature"] == 1:
        return (
            "The probabilities are left as the method gives them: a temperature would not make "
            f"them clearly better on rows that it was not fitted on ({figures})."
        )
    how = "less" if done["temperature"] > 1 else "more"
    return (
        f"The probabilities were made {how} sure of themselves, since labelled rows that the "
        f"models had not seen ask for it (temperature {done['temperature']:.2f}; {figures}, on "
        "rows that it was not fitted on; Guo et al. 2017). The answers stay the same."
    )


def _unlike(report: Mapping[str, Any]) -> str:
    found = report.get("unlike")
    if not found:
        return ""
    missing = found["needed"] - found["rows"]
    if missing > 0:
        return (
            "Rows unlike those learned from are not marked: that takes "
            f"{found['needed']} labelled rows, so {missing} more."
        )
    if not found["views"]:  # nothing that rows of this kind could be compared by
        return ""
    by = " and ".join(_VIEWS.get(name, name) for name in reversed(found["views"]))
    unseen = (
        f" {report.get('method')} has no features to compare what texts mean."
        if found["views"] == ["form"]
        else ""
    )
    return (
        f"Predictions mark rows unlike those learned from, by {by}; of rows like them about 1 in "
        f"20 is marked by mistake.{unseen}"
    )


_VIEWS = {"meaning": "their distance in feature space", "form": "how they are written"}
