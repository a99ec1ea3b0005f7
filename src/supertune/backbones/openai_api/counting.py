"""Tokens of texts whose tokenizer is on the server, and what they cost.

Every tokenizer cuts at about the same places, so what a text consists of is counted here and
multiplied by a ratio that the server's own ``usage`` gives of texts of ours. Pieces alone count too
few tokens in texts with rare names and characters alone too many; their mean was within 3 % of the
tokenizers of minilm and smollm2 on film reviews and on news (docs/log.md).
Prices change; those of the table below have their dates and stand in for a person's own file.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from supertune.errors import InputError

# Scripts without spaces have about a token a character.
_PIECES = re.compile(r"[\u2e80-\U0010ffff]|[^\W\d_]{1,5}|\d{1,3}|[^\w\s]|_")
MILLION = 1_000_000

# In US dollars a million tokens, read and written, at the usual tier, and when they were last seen
# by somebody who names the provider's own page, mostly by two (docs/log.md); the rest is not here.
PRICES: dict[str, tuple[float, float, str]] = {
    "text-embedding-3-small": (0.02, 0.0, "July 2026"),
    "text-embedding-3-large": (0.13, 0.0, "April 2026"),
    "gpt-4o": (2.50, 10.0, "April 2026"),
    "gpt-4o-mini": (0.15, 0.60, "May 2026"),
    "gpt-4.1": (2.00, 8.00, "June 2026"),
    "gpt-4.1-mini": (0.40, 1.60, "June 2026"),
    "gpt-4.1-nano": (0.10, 0.40, "May 2026"),
}

# A million tokens trained on; then read and written by what became of the model. As above, seen in
# April 2026; those of gpt-4.1 could not be sourced.
TRAINING: dict[str, tuple[float, float, float]] = {
    "gpt-4o": (25.0, 3.75, 15.0),
    "gpt-4o-mini": (3.0, 0.30, 1.20),
}

# Answered by nobody's row: a text to count and to be verified by.
SPECIMEN = (
    "The committee met on Tuesday, 14 March 2023, to review what had been proposed: a new library "
    "for the northern district, 3,200 square metres in size. Nobody objected, although several "
    "members wondered whether it wasn't too expensive. \"We'll need volunteers,\" said Maria, "
    '"and a good deal of patience." It is one of the better ideas of this year: thoughtful, cheap '
    "to run, and beautifully designed!"
)


def pieces(text: str) -> tuple[str, ...]:
    """What a tokenizer would make of a text, nearly."""
    return tuple(_PIECES.findall(text))


def units(text: str) -> float:
    """What tokens are in proportion to: the mean of pieces and of characters by four."""
    return (len(_PIECES.findall(text)) + len(text) / 4) / 2


@dataclass(frozen=True)
class Rate:
    """Tokens = ``base`` an item + ``ratio`` a unit."""

    base: float
    ratio: float

    def tokens(self, count: float, items: int = 1) -> int:
        return max(1, round(items * self.base + self.ratio * count))


def rate(short: tuple[float, int], long: tuple[float, int]) -> Rate:
    """Of two texts, each with its units and its tokens."""
    ratio = (long[1] - short[1]) / max(1.0, long[0] - short[0])
    return Rate(max(0.0, short[1] - ratio * short[0]), max(0.1, ratio))


@dataclass(frozen=True)
class Price:
    """A million tokens read, and written; trained on where the model can be tuned (None: not
    known), and what is read and written by what becomes of it; ``seen``: when, of one in the table
    above."""

    read: float
    written: float
    trained: float | None = None
    tuned: tuple[float, float] | None = None
    seen: str = ""

    def of(self, tokens: tuple[int, int]) -> float:
        return (self.read * tokens[0] + self.written * tokens[1]) / MILLION

    def training(self, tokens: int) -> float:
        assert self.trained is not None
        return self.trained * tokens / MILLION

    @property
    def of_tuned(self) -> Price:
        """Of a model that a job made of this one."""
        return Price(*(self.tuned or (self.read, self.written)), seen=self.seen)


def price(model: str, table: str | None) -> Price | None:
    """Of a model in a file of the person's, JSON or YAML, or in the table above; None where it
    stands in none. A tuned model (``ft:MODEL:…``) costs what its own entry says or that of MODEL.

    Raises:
        InputError: ``bad_prices``.
    """
    own = {} if table is None else read_prices(Path(table))
    if model in own:
        return own[model]
    if model.startswith("ft:"):
        base = price(model.split(":")[1], table)
        unknown = base is None or (base.seen and base.tuned is None)
        return None if unknown or base is None else base.of_tuned
    undated = re.sub(r"-\d{4}-\d{2}-\d{2}$", "", model)
    name = model if model in PRICES else undated
    if name not in PRICES:
        return None
    read, written, seen = PRICES[name]
    if name not in TRAINING:
        return Price(read, written, seen=seen)
    trained, *tuned = TRAINING[name]
    return Price(read, written, trained, (tuned[0], tuned[1]), seen)


def read_prices(path: Path) -> dict[str, Price]:
    """``{"my-model": {"input": 0.1, "output": 0.4}}``, a million tokens each; of a model that is
    to be tuned also ``"training": 3`` and ``"tuned": {"input": 0.2, "output": 0.8}``."""
    import yaml

    try:
        text = path.read_text("utf-8-sig")
        loaded = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
        found = {str(name): _price(one) for name, one in dict(loaded).items()}
    except (OSError, ValueError, TypeError, KeyError, yaml.YAMLError) as error:
        raise InputError(
            "bad_prices",
            "The table of prices cannot be read.",
            received=f"{path.name}: {type(error).__name__}: {str(error)[:120]}",
            allowed='{"my-model": {"input": 0.1, "output": 0.4}}: a million tokens read, written',
            next="Correct the file that --prices names.",
        ) from error
    return found


def _price(one: Any) -> Price:
    read, written = float(one["input"]), float(one.get("output", 0.0))
    held = one.get("tuned")
    tuned = None if held is None else (float(held["input"]), float(held.get("output", 0.0)))
    trained = None if one.get("training") is None else float(one["training"])
    if not all(0 <= value < 1e6 for value in (read, written, trained or 0.0, *(tuned or ()))):
        raise ValueError(f"{one} are no prices")
    return Price(read, written, trained, tuned)
