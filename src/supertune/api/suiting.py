"""`supertune.suited`: which pretrained models suit some rows on this machine, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from supertune import choose, pipeline
from supertune.api import meant
from supertune.catalogue import entries
from supertune.pipeline import Workshop
from supertune.report.steps import spoken
from supertune.report.wording import duration, size


@dataclass(frozen=True, eq=False)
class Suited:
    """Pretrained models, best suited first; ``data`` is their JSON form, `text` people's."""

    data: dict[str, Any]

    def text(self) -> str:
        """A paragraph for each that suits, a line for each other, and the next step."""
        return "\n".join(_lines(self.data))

    __str__ = __repr__ = text


def suited(data: Any, *, backbones: Sequence[str] = (), **options: Any) -> Suited:
    """The catalogue and ``backbones`` in the order in which they suit the rows, with reasons.

    Facts alone decide: the task, the language and length of the rows, memory, the speed of this
    machine (measured once, then remembered). Nothing is downloaded or trained, and the order does
    not say which will be better: `supertune.fit` finds that out.

    Args:
        data, options: as in `supertune.fit`.
        backbones: more of them: folders, or ids of the hub that were fetched.

    Raises:
        InputError: what `fit` would refuse.
    """
    settled, said = meant.settled(data, options)
    reading = pipeline.read(data, settled, None)
    workshop = Workshop(pipeline.as_written(settled, reading))
    examples = pipeline.labelled(reading.train)
    known = [entry.name for entry in entries.models()]
    told = choose.suiting(workshop, examples, [*backbones, *known])
    source = spoken(data) or "ROWS.csv"
    best = [one for one in told if one.suits]
    return Suited(
        {
            "task": settled.task,
            "rows": len(examples),
            "source": source,
            "guesses": [*said, *reading.guesses],
            "models": [one.as_dict() for one in told],
            "next": [
                *(f"supertune models pull {one.name}" for one in best[:1] if one.download_bytes),
                *(f"supertune fit {source} --backbone {one.name}" for one in best[:1]),
                f"supertune plan {source}",
            ],
        }
    )


def _lines(data: dict[str, Any]) -> list[str]:
    suit = [one for one in data["models"] if one["suits"]]
    others = [one for one in data["models"] if not one["suits"]]
    lines = [f"{data['source']}: {data['rows']} labelled rows for {data['task']}"]
    lines += [f"  {guess}" for guess in data["guesses"]]
    lines += ["", "Suited, in this order" if suit else "None of the models suits these rows."]
    for one in suit:
        lines.append(f"  {one['name']}: {costs(one)}")
        lines += [f"    {reason}" for reason in one["for"]]
    lines += ["", "Not suited"] if others else []
    reasons: dict[str, list[str]] = {}
    for one in others:
        reasons.setdefault("; ".join(one["against"]), []).append(one["name"])
    lines += [f"  {', '.join(names)}: {reason}" for reason, names in reasons.items()]
    lines += [
        "",
        "The order says what to look at first; only a fit on your rows says what is better.",
    ]
    return [*lines, "", "Next", *(f"  {step}" for step in data["next"])]


def costs(one: dict[str, Any]) -> str:
    """Time, memory, licence and download of a model, in a line."""
    seconds, memory, parts = one["seconds"], one["memory_bytes"], list[str]()
    if seconds is not None:
        about = f"about {duration(seconds)}" if seconds > 0.1 else "under 0.1 s"
        parts += [f"reads the rows in {about}"]
    parts += [f"{size(memory)} of memory"] if memory is not None else []
    parts += [one["licence"] or "its licence is not known here"]
    parts += [f"{size(one['download_bytes'])} to download"] if one["download_bytes"] else []
    return ", ".join(parts)
