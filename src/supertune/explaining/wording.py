"""An explanation in plain words, one thing a line: what it went by, what would change it, whom it
learned it from, and last how far that can be trusted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from supertune.contracts import Input, fields_of

if TYPE_CHECKING:
    from supertune.explaining.explanation import Explanation
    from supertune.explaining.faithfulness import Faithfulness
    from supertune.explaining.rows import LabelledRow

SHOWN = 120  # characters of a row
ENOUGH = 3.0  # times random's drop: from here on the words can be relied on


def lines(found: Explanation) -> list[str]:
    """The whole of it, without colour."""
    return [
        headline(found),
        "",
        found.plain(),
        "",
        *after(found),
    ]


def headline(found: Explanation) -> str:
    """``negative, sure to 0.83``; of a value the value."""
    if found.valued:
        return f"{found.said}: {found.answer['value']:.6g}"
    named = named_of(found.answer)
    text = f"{named}, sure to {found.answer['confidence']:.2f}"
    return text if named == found.said else f"{text}; explained here: {found.said}"


def named_of(answer: Mapping[str, Any]) -> str:
    """The label or labels of an answer, as `Answers.listed` has it."""
    given = answer["prediction"]
    return given if isinstance(given, str) else ", ".join(given) or "none"


def after(found: Explanation) -> list[str]:
    """What stands below the marked words."""
    return [
        *_words(found),
        *_flip(found),
        *_rows(found),
        *_trust(found),
    ]


def _words(found: Explanation) -> list[str]:
    noun, nouns = found.parts.noun
    if not found.top:
        return [f"No {noun} moved the answer."]
    said = ("raised it", "lowered it") if found.valued else ("spoke for it", "spoke against it")
    made = []
    for sign, what in zip((1, -1), said, strict=True):
        listed = [
            f"{found.parts.names[i]} {found.shares[i]:+.3g}"
            for i in found.top
            if found.shares[i] * sign > 0
        ]
        if listed:
            made.append(f"{nouns.capitalize()} that {what}: {', '.join(listed)}")
    return made


def _flip(found: Explanation) -> list[str]:
    flip = found.counterfactual
    if found.valued:
        return []
    if flip is None:
        return [
            f"No few {found.parts.noun[1]} decide it: it stays so however many of the strongest "
            "are left out."
        ]
    gone = ", ".join(found.parts.names[i] for i in flip.removed)
    named = named_of(flip.answer)
    count = len(flip.removed)
    noun, nouns = found.parts.noun
    what = f"this {noun}" if count == 1 else f"these {count} {nouns}"
    told = f"Without {what} it would be {named} ({flip.answer['confidence']:.2f}): {gone}"
    left = shown(flip.value)
    return [told] if left == shown(found.parts.value) else [told, f"  What is left: {left}"]


def _rows(found: Explanation) -> list[str]:
    made = []
    if found.nearest:
        made += ["Labelled rows most like it:", *_listed(found.nearest, "{:.2f}")]
    said = ("raise it most", "lower it most") if found.valued else (
        "speak most for it", "speak most against it"
    )  # fmt: skip
    for side, what in zip(("for", "against"), said, strict=True):
        listed = (found.spoke or {}).get(side) or []
        if listed:
            title = f"Labelled rows that {what} (the change were each left out):"
            made += [title, *_listed(listed, "{:+.3g}")]
    return ["", *made] if made else []


def _listed(rows: list[LabelledRow], form: str) -> list[str]:
    return [f"  {form.format(row.weight)}  {_label(row.label)}: {shown(row.input)}" for row in rows]


def _label(label: object) -> str:
    if isinstance(label, float):
        return f"{label:.6g}"
    return ", ".join(map(str, label)) or "none" if isinstance(label, list) else str(label)


def shown(value: Input) -> str:
    """An input on one line, cut."""
    whole = " | ".join(map(str, fields_of(value)))
    whole = " ".join(whole.split())
    return (whole if len(whole) <= SHOWN else whole[: SHOWN - 1] + "…") or "(nothing)"


def _trust(found: Explanation) -> list[str]:
    one = found.faithfulness.get(found.way)
    if one is None:
        return []
    return ["", trust(one), *_figures(found), *_missing(found)]


def trust(one: Faithfulness) -> str:
    """Whether the words named are those that the model went by."""
    if one.deletion <= 0 or (one.ratio is not None and one.ratio < 1):
        return (
            "Do not rely on what is marked: taking it away weakens the answer no more than "
            "taking anything else."
        )
    if one.ratio is not None and one.ratio < ENOUGH:
        return (
            "Take what is marked with care: taking it away weakens the answer only "
            f"{one.ratio:.1f} times as much as taking anything else."
        )
    times = "far more than" if one.ratio is None else f"{one.ratio:.1f} times as much as"
    return (
        "What is marked is what the model went by: taking it away weakens the answer "
        f"{times} taking anything else."
    )


def _figures(found: Explanation) -> list[str]:
    one = found.faithfulness[found.way]
    what = "value" if found.valued else "probability"
    return [
        f"  Measured: mean loss of {what} without what came first {one.deletion:+.3f} (at random "
        f"{one.random_deletion:+.3f}, {one.orders} orders); gain with that alone "
        f"{one.insertion:+.3f} (at random {one.random_insertion:+.3f}).",
        f"  Found by {found.how}"
        + (
            f"; the most faithful of {', '.join(found.faithfulness)}."
            if len(found.faithfulness) > 1
            else "."
        ),
    ]


def _missing(found: Explanation) -> list[str]:
    if not found.missing:
        return []
    return [f"  Left out: {', '.join(found.missing)} (pip install 'supertune[explain]')."]
