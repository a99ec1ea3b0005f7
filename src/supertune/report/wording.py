"""How quantities and names are written, the same in page, card and terminal.

A proportion is written without its leading zero and with two digits, three from 1,000 judged
rows on: ``.86 [.78, .92], 40 rows``. A value that would round to 0 or 1 without being it keeps
a third digit, so that 1.00 always means every row. Sizes are decimal (1 kB is 1,000 bytes).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any

from supertune import metrics

MISSING = "n/a"
SPACE = "\u00a0"
MINUS = "\u2212"
MEASURED = frozenset({"mae", "rmse"})  # in the units of what is measured
UNBOUNDED = frozenset({"log_loss", "cost", "perplexity", "chrf", "bleu", "ter"}) | MEASURED

_BASELINES = {
    "majority": "Always the commonest label",
    "mean": "Always the mean",
    "label_names": "Label names, no tuning",
    "untuned": "The model as it was",
    "copied": "The source itself",
    "bag_of_words": "TF-IDF + logistic regression",
}
_SPELLED = {
    "f1": "F1",
    "brier": "Brier score",
    "log": "log",
    **metrics.SPELLED,
}
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def clean(text: object) -> str:
    """Text that any UTF-8 file can hold: control characters and lone surrogates become U+FFFD."""
    return _CONTROL.sub("\ufffd", str(text))


def shorten(text: object, limit: int = 200) -> str:
    """At most ``limit`` characters on one line, cut at a word where one ends near the limit."""
    line = " ".join(clean(text).split())
    if len(line) <= limit:
        return line
    cut = line[: limit - 1]
    head, _, tail = cut.rpartition(" ")
    return (head if head and len(tail) < 30 else cut).rstrip() + "…"


def file_name(source: object) -> str:
    """The last part of a path, so that no folder of the person's machine is shown."""
    return clean(source or "").rstrip("/\\").replace("\\", "/").rsplit("/", 1)[-1]


def is_path(name: object) -> bool:
    """Whether a backbone's name is a folder of this machine and no catalogue name or hub id."""
    return not re.fullmatch(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?", str(name))


def backbone_name(name: object) -> str:
    """A catalogue name or hub id as it is; of a folder only its last part."""
    return (file_name(name) if is_path(name) else str(name)) if name else "no backbone"


def finite(value: object) -> float | None:
    """The number as a float, or None where there is none (None, NaN, infinite, not a number)."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    number = float(value)
    return number if math.isfinite(number) else None


def count(value: object, noun: str = "") -> str:
    """``22,713,216`` or ``1 row``, ``40 rows``."""
    number = finite(value)
    if number is None:
        return MISSING
    text = f"{number:,.0f}"
    return text + (f"{SPACE}{noun}" + ("" if number == 1 else "s") if noun else "")


def size(value: object) -> str:
    """Bytes in decimal units: ``7.7 kB``, ``612 MB``."""
    number = finite(value)
    if number is None:
        return MISSING
    if number < 1000:
        return count(number, "byte")
    units = ["kB", "MB", "GB", "TB"]
    while True:
        number /= 1000
        unit = units.pop(0)
        if number < 999.5 or not units:
            return f"{number:,.{1 if number < 9.95 else 0}f}{SPACE}{unit}"


def duration(value: object) -> str:
    """Seconds as ``1.9 s``, ``53 s``, ``3 min 12 s`` or ``1 h 04 min``."""
    seconds = finite(value)
    if seconds is None:
        return MISSING
    if seconds < 9.95:
        return f"{seconds:.1f}{SPACE}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}{SPACE}s"
    if whole < 3600:
        return f"{whole // 60}{SPACE}min {whole % 60:02d}{SPACE}s"
    return f"{whole // 3600}{SPACE}h {whole % 3600 // 60:02d}{SPACE}min"


def percent(share: object) -> str:
    """A share of one as a percentage with two significant digits: ``0.0085 %``."""
    number = finite(share)
    if number is None:
        return MISSING
    value = 100 * number
    if value == 0 or abs(value) >= 9.95:
        return f"{value:.0f}{SPACE}%"
    digits = min(8, 1 - math.floor(math.log10(abs(value))))
    return f"{value:.{digits}f}{SPACE}%"


def metric_name(name: object) -> str:
    """``macro_f1`` as ``macro F1``."""
    if name in metrics.SPELLED:
        return metrics.SPELLED[str(name)]
    words = str(name or "score").split("_")
    return " ".join(_SPELLED.get(word, word) for word in words)


def first_upper(text: object) -> str:
    """``macro F1`` as ``Macro F1``."""
    words = str(text)
    # "mAP" and "chrF++" stay as they are written.
    first = words.partition(" ")[0]
    return words if first != first.lower() else words[:1].upper() + words[1:]


def measured(value: object) -> str:
    """A value on a scale with three digits that matter, or all before the point."""
    number = finite(value)
    if number is None:
        return MISSING
    size = abs(number)
    if size != 0 and (size < 1e-6 or size >= 1e12):
        return f"{number:.3g}".replace("-", MINUS)
    digits = 0 if size == 0 else max(0, 2 - math.floor(math.log10(size)))
    return f"{number:,.{digits}f}".replace("-", MINUS)


def baseline_name(name: str) -> str:
    return _BASELINES.get(name, name.replace("_", " ").capitalize())


def label_name(label: object) -> str:
    """One label, or several joined by commas; a row with none of them says so."""
    if isinstance(label, list | tuple):
        return ", ".join(map(str, label)) or "(none)"
    return "(none)" if label is None else str(label)


def plain(name: object) -> str:
    """An identifier as words: ``text_classification`` as ``text classification``."""
    return str(name or "").replace("_", " ")


@dataclass(frozen=True)
class Numerals:
    """How many digits the proportions of one report have; one choice for the whole of it."""

    digits: int = 2

    def value(self, value: object, metric: object = "") -> str:
        number = finite(value)
        if number is None:
            return MISSING
        if metric in MEASURED:
            return measured(number)
        if metric in UNBOUNDED or not -1 <= number <= 1:
            return f"{number:.{self.digits}f}".replace("-", MINUS)
        return self._proportion(number)

    def _proportion(self, number: float) -> str:
        size = abs(number)
        digits = self.digits
        if size not in (0.0, 1.0) and round(size, digits) in (0.0, 1.0):
            digits = 3
            if round(size, digits) in (0.0, 1.0):
                return ">.999" if size > 0.5 else "<.001"
        text = f"{size:.{digits}f}"
        return (MINUS if number < 0 else "") + (text[1:] if text.startswith("0.") else text)

    def interval(self, estimate: Mapping[str, Any] | None) -> str:
        """``[.78, .92]``, or nothing where there is no interval."""
        if not estimate:
            return ""
        low, high = estimate.get("low"), estimate.get("high")
        if finite(low) is None or finite(high) is None:
            return ""
        metric = estimate.get("metric", "")
        return f"[{self.value(low, metric)}, {self.value(high, metric)}]".replace(", ", f",{SPACE}")

    def estimate(self, estimate: Mapping[str, Any] | None, *, rows: bool = True) -> str:
        """``.86 [.78, .92], 40 rows``."""
        if not estimate or finite(estimate.get("value")) is None:
            return MISSING
        parts = self.value(estimate["value"], estimate.get("metric", ""))
        if interval := self.interval(estimate):
            parts += f" {interval}"
        if rows and finite(estimate.get("rows")) is not None:
            parts += f", {count(estimate['rows'], 'row')}"
        return parts

    def difference(self, estimate: Mapping[str, Any] | None) -> str:
        """``+.18 [+.13, +.22]``: every number with its sign."""
        if not estimate or finite(estimate.get("value")) is None:
            return MISSING
        metric = estimate.get("metric", "")
        value, low, high = (self._signed(estimate.get(key), metric) for key in _ENDS)
        return f"{value} [{low},{SPACE}{high}]" if MISSING not in (low, high) else value

    def _signed(self, value: object, metric: object) -> str:
        number = finite(value)
        sign = "+" if number is not None and number > 0 else ""
        return sign + self.value(number, metric)


_ENDS = ("value", "low", "high")


def numerals(report: Mapping[str, Any]) -> Numerals:
    """Three digits where at least 1,000 rows judge the model, else two."""
    judged = headline(report) or {}
    return Numerals(3 if (finite(judged.get("rows")) or 0) >= 1000 else 2)


def headline(report: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The estimate a reader should remember: the test file's where there is one."""
    return report.get("test") or report.get("estimate")
