"""Which pretrained models suit some rows on this machine, from facts alone: nothing is downloaded,
trained or loaded.

The order says what to look at first, not what is better: that only a fit on the rows can tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from supertune import limits, registry
from supertune.catalogue import entries, resolve
from supertune.choose.listing import backbones
from supertune.contracts import Examples, Offer, misfit
from supertune.contracts.method import READ_OF
from supertune.data.language import speaks
from supertune.errors import SupertuneError
from supertune.pipeline import Workshop
from supertune.training import estimate
from supertune.training.speed import speed_by

WHOLE = 1_000_000_000  # positions: longer than any row


@dataclass(frozen=True)
class Suiting:
    """How a pretrained model suits some rows.

    Attributes:
        suits: whether anything speaks against it.
        against, for_: why not and why, in words; what is most in the way comes first.
        seconds: one reading of the rows on this machine as estimated; None where it cannot.
        memory_bytes: resident at the peak of a fit of its features, as estimated; None of a model
            that runs elsewhere.
        licence: None where it is not known.
        download_bytes: 0 where it is on this machine.
    """

    name: str
    suits: bool
    against: tuple[str, ...] = ()
    for_: tuple[str, ...] = ()
    seconds: float | None = None
    memory_bytes: int | None = None
    licence: str | None = None
    download_bytes: int = 0

    def as_dict(self) -> dict[str, Any]:
        found = asdict(self)
        found["for"] = list(found.pop("for_"))
        found["against"] = list(self.against)
        return found


def suiting(workshop: Workshop, examples: Examples, names: Sequence[str]) -> list[Suiting]:
    """Models of the catalogue, folders, ids of the hub that were fetched; best suited first."""
    usual = backbones(workshop.recipe.model_copy(update={"backbone": "auto"}), examples)
    language = registry.modality(examples.modality).language(examples.inputs)
    told = [_told(workshop, examples, language, name, usual) for name in dict.fromkeys(names)]

    def order(one: Suiting) -> tuple[bool, bool, int, float]:
        place = usual.index(one.name) if one.name in usual else len(usual)
        return not one.suits, one.seconds is None, place, one.seconds or 0.0

    return sorted(told, key=order)


def _told(
    workshop: Workshop, examples: Examples, language: str | None, name: str, usual: Sequence[str]
) -> Suiting:
    try:
        offer = workshop.offer(name, fetch=False)
    except SupertuneError as error:
        return Suiting(name, False, (error.message,))
    entry = entries.model(name)
    licence = entry.licence if entry is not None else None
    here = entry is None or resolve.fetched(entry) is not None
    download = 0 if here or entry is None else entry.download_bytes
    lacks = _lacks(workshop, examples, offer)
    if lacks is not None:
        return Suiting(name, False, (lacks,), licence=licence, download_bytes=download)
    if "remote" in offer.capabilities:
        told = f"rows are sent to a server; `supertune plan --backbone {name}` says what it costs"
        return Suiting(name, True, for_=(told,))
    recipe, rows = workshop.recipe, registry.modality(examples.modality)
    probed = speed_by(recipe, offer)
    lengths = rows.lengths(examples.inputs, offer, recipe.max_length)
    memory = estimate.memory_bytes(
        registry.method("linear_probe"), None, offer, len(lengths), max(lengths, default=0)
    )  # of whatever only reads the rows
    against = _against(workshop, language, offer, memory)
    for_ = [f"tried by `auto` for {rows.noun}s like these"] if name in usual else []
    for_ += _language(language, offer) if not against else []
    return Suiting(
        name,
        not against,
        tuple(against),
        (*for_, *_cut(examples, offer, recipe.max_length, lengths)),
        estimate.encode_seconds(offer, sum(lengths), probed),
        memory,
        licence,
        download,
    )


def _lacks(workshop: Workshop, examples: Examples, offer: Offer) -> str | None:
    """Why no method of the task can use it; None where one can."""
    objective, rows = workshop.task.objective, examples.modality
    asked = workshop.recipe.method
    methods = registry.methods() if asked == "auto" else [registry.method(asked)]
    reasons = [misfit(method, objective, offer, rows) for method in methods if method.needs]
    if offer.modality != READ_OF.get(rows, rows):
        return f"reads {offer.modality}, not {rows}"
    if not reasons:
        return f"{asked} takes no backbone"
    if any(reason is None for reason in reasons):
        return None
    tried = workshop.objective.tried(rows) if asked == "auto" else (asked,)
    usual = [method for method in map(registry.method, tried) if method.needs]
    if not usual:
        return reasons[-1]
    return misfit(min(usual, key=lambda one: len(one.needs)), objective, offer, rows)


def _against(workshop: Workshop, language: str | None, offer: Offer, memory: int) -> list[str]:
    """Languages it does not know, memory that it would not find."""
    found = []
    if not speaks(offer.languages, language):
        found.append(f"trained on {', '.join(offer.languages)}; the rows look like {language}")
    most = limits.most_of(workshop.recipe.memory_limit)
    if most is not None and memory > most:
        found.append(f"needs {memory / 1e9:.1f} GB of memory, and {most / 1e9:.1f} GB may be held")
    return found


def _language(language: str | None, offer: Offer) -> list[str]:
    if language is None or not offer.languages:
        return []
    many = "*" in offer.languages
    return [f"reads {language}, among about 100 languages" if many else f"reads {language}"]


def _cut(examples: Examples, offer: Offer, max_length: int, read: tuple[int, ...]) -> list[str]:
    """How many rows are longer than what would be read of them; ``read``: at ``max_length``."""
    rows, most = registry.modality(examples.modality), min(max_length, offer.max_length)
    whole = rows.lengths(examples.inputs, offer, WHOLE)
    if most < max_length:
        read = rows.lengths(examples.inputs, offer, most)
    cut = sum(one > other for one, other in zip(whole, read, strict=True))
    told = f"{cut} of {len(whole)} rows longer than the {most:,} tokens that are read of a row"
    return [told] if cut else []
