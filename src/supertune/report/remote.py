"""What a report says of rows that were sent to a server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from supertune.contracts import Examples, Finding
from supertune.contracts.remote import Account
from supertune.report import wording

SHOWN = 20  # numbers of rows


def section(account: Account, examples: Examples) -> dict[str, Any]:
    """``remote``: by model and server, which rows and what it took; empty where none was sent.
    Rows are named by their numbers in the source."""
    listed = [
        {**one, "rows": [int(examples.rows[place]) for place in one["rows"]]}
        for one in account.section(examples.inputs)
        if one["rows"] or one["other_texts"]
    ]
    return {"remote": listed} if listed else {}


def findings(account: Account, examples: Examples) -> list[Finding]:
    """``rows_sent``, one a model."""
    listed = section(account, examples).get("remote", [])
    return [Finding("rows_sent", sentence(one), severity="info") for one in listed]


def sentence(one: Mapping[str, Any]) -> str:
    """Which rows went where, and what it took."""
    rows, others = one["rows"], int(one["other_texts"])
    if one["all_rows"]:
        which = f"All {wording.count(len(rows), 'labelled row')}"
    else:
        named = ", ".join(map(str, rows[:SHOWN])) + (" …" if len(rows) > SHOWN else "")
        which = wording.count(len(rows), "labelled row") + (f" ({named})" if rows else "")
    more = f" and {wording.count(others, 'other text')}" if others else ""
    return f"{which}{more} went to {one['model']} at {one['server']}: {took(one)}."


def took(one: Mapping[str, Any]) -> str:
    """Requests, tokens and cost."""
    parts = [wording.count(one["requests"], "request")]
    parts.append(f"{one['tokens_read']:,} tokens read, {one['tokens_written']:,} written")
    if one["tokens_estimated"]:
        parts.append(f"{one['tokens_estimated']:,} of them estimated")
    parts.append(_cost(one))
    if one["kept_from_before"]:
        parts.append(f"{one['kept_from_before']} answers kept from an earlier run")
    return ", ".join(parts) + (f"; {one['how']}" if one["how"] else "")


def _cost(one: Mapping[str, Any]) -> str:
    if one["cost"] is None:
        return "at a price that is not known"
    seen = one.get("priced")
    return f"{one['cost']:.6f}" + (f" dollars by the price of {seen}" if seen else "")


def card(listed: Sequence[Mapping[str, Any]]) -> str:
    """The part of a model card; nothing where no row was sent."""
    if not listed:
        return ""
    lines = [f"- {sentence(one)}" for one in listed]
    said = (
        "Rows that this model answers go there too: it asks the server each time. Nothing of the "
        "model at the server is in this folder."
    )
    return "\n\n".join(["## Rows that left the machine", "\n".join(lines), said])
