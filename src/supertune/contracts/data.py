"""What a row is, on its way in and on its way out."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from supertune.contracts.interactions import History

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True, eq=False, repr=False)
class Picture:
    """A picture as it was given, not decoded yet. Of the same bytes means equal.

    Attributes:
        sha256: of the encoded bytes (hex).
        name: for a person, e.g. ``cats/1.png``; never a place on this machine.
        path: where the bytes are; None where ``data`` holds them.
        data: the bytes themselves.
        caption: what is said of it, where that is learned too; pictures of the same bytes and
            other captions are not equal.
        view: 0 as it is; from 1 on seen otherwise, see `Modality.varied`.
    """

    sha256: str
    name: str
    path: Path | None = None
    data: bytes | None = None
    caption: str = ""
    view: int = 0

    @classmethod
    def of(cls, data: bytes, name: str, path: Path | None = None, caption: str = "") -> Picture:
        """From bytes, which are kept unless ``path`` says where they are."""
        held = None if path is not None else data
        return cls(hashlib.sha256(data).hexdigest(), name, path, held, caption)

    def read(self) -> bytes:
        """The encoded bytes."""
        if self.data is not None:
            return self.data
        assert self.path is not None
        return self.path.read_bytes()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Picture):
            return False
        return (self.content, self.caption) == (other.content, other.caption)

    def __hash__(self) -> int:
        return hash((self.content, self.caption))

    @property
    def content(self) -> tuple[str, int]:
        """Equal for what shows the same pixels."""
        return self.sha256, self.view

    def __repr__(self) -> str:
        """The content alone: cache keys and the order of rows are made of it."""
        view = f", view {self.view}" if self.view else ""
        said = f", {self.caption!r}" if self.caption else ""
        return f"Picture({self.sha256}{view}{said})"

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, eq=False, repr=False)
class Recording:
    """A recording as it was given, or a part of one, not decoded yet. The same part of the same
    bytes means equal.

    Attributes:
        sha256: of the encoded bytes (hex).
        name: for a person, e.g. ``cello/1.flac``; never a place on this machine.
        path: where the bytes are; None where ``data`` holds them.
        data: the bytes themselves.
        start, end: seconds between which it is heard; None: from its beginning, to its end.
        view: 0 as it is; from 1 on heard otherwise, see `Modality.varied`.
        said: what is said in it, where a voice learns from that; recordings of the same bytes and
            other words are not equal.
    """

    sha256: str
    name: str
    path: Path | None = None
    data: bytes | None = None
    start: float | None = None
    end: float | None = None
    view: int = 0
    said: str = ""

    @classmethod
    def of(cls, data: bytes, name: str, path: Path | None = None) -> Recording:
        """From bytes, which are kept unless ``path`` says where they are."""
        held = None if path is not None else data
        return cls(hashlib.sha256(data).hexdigest(), name, path, held)

    def read(self) -> bytes:
        """The encoded bytes of the whole file."""
        if self.data is not None:
            return self.data
        assert self.path is not None
        return self.path.read_bytes()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Recording):
            return False
        return (self.content, self.said) == (other.content, other.said)

    def __hash__(self) -> int:
        return hash((self.content, self.said))

    @property
    def content(self) -> tuple[str, float, float, int]:
        """Equal for what sounds the same; the end of all of it is -1."""
        end = -1.0 if self.end is None else self.end
        return self.sha256, self.start or 0.0, end, self.view

    def __repr__(self) -> str:
        """The content alone: cache keys and the order of rows are made of it."""
        part = "" if self.start is None and self.end is None else f", {self.start}, {self.end}"
        view = f", view {self.view}" if self.view else ""
        said = f", {self.said!r}" if self.said else ""
        return f"Recording({self.sha256}{part}{view}{said})"

    def __str__(self) -> str:
        if self.start is None and self.end is None:
            return self.name
        end = "" if self.end is None else f"{self.end:g}"
        return f"{self.name} [{self.start or 0:g}-{end} s]"


Medium = Picture | Recording
Input = str | tuple[str, ...] | tuple[float, ...] | Medium | History


def fields_of(value: Input) -> tuple[Any, ...]:
    """What an input is made of: a text, the texts of a pair, its numbers, a picture or a
    recording. As strings they are what a person is shown.

    Raises:
        TypeError: for what is no input.
    """
    if isinstance(value, str | Medium | History):
        return (value,)
    if not isinstance(value, tuple):
        raise TypeError(f"a {type(value).__name__} is no input: {value!r}"[:100])
    return value


def modality_of(inputs: Sequence[Input]) -> str:
    """What `Examples.modality` says, by the first input; ``"text"`` where nothing tells."""
    first = next((field for value in inputs[:1] for field in fields_of(value)), "")
    if isinstance(first, Picture):
        return "image"
    if isinstance(first, Recording):
        return "audio"
    if isinstance(first, History):
        return "interactions"
    return "text" if isinstance(first, str) else "numbers"


def as_json(value: Input) -> Any:
    """A text, or the name of a picture or a recording; a list where there are several."""
    return [*value] if isinstance(value, tuple) else str(value)


@dataclass(frozen=True, eq=False)
class Examples:
    """Rows as a task understands them, all sequences of length n and in one order.

    Attributes:
        inputs: what goes in; a text, a tuple of texts (a pair), a tuple of numbers, a picture, a
            recording or what a person did.
        targets: (n,) label indices, -1 where unlabelled; or (n, C) zeros and ones when a row
            may have several labels; or (n,) floats, values that are NaN where unknown; or
            (n, M, 5) boxes, x0, y0, x1, y1 and the class, -1 throughout where there is none; or
            (n,) texts; or (n, H) int32 places of items, padded with -1 (`History`); None when the
            rows carry no answers at all.
        labels: the C label names, in the order of the model's outputs; of values, the one name
            of what is measured.
        rows: (n,) row numbers in the source, the first data row being 1.
        groups: (n,) integers; rows of one group are never on both sides of a split.
        weights: (n,) positive row weights, mean 1, or None.
        slices: named columns (n,) of strings by which scores can be broken down.
        columns: the names of the numbers, where each input is a tuple of them; else empty.
    """

    inputs: tuple[Input, ...]
    targets: npt.NDArray[Any] | None
    labels: tuple[str, ...]
    rows: IntArray
    groups: IntArray | None = None
    weights: FloatArray | None = None
    slices: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)
    columns: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.inputs)

    @property
    def multi_label(self) -> bool:
        return self.targets is not None and self.targets.ndim == 2 and not self.listed

    @property
    def listed(self) -> bool:
        """Whether the answers are items of a catalogue."""
        return self.targets is not None and self.targets.dtype == np.dtype("int32")

    @property
    def valued(self) -> bool:
        """Whether the answers are values on a scale instead of labels."""
        return (
            self.targets is not None and self.targets.ndim == 1 and self.targets.dtype.kind == "f"
        )

    @property
    def boxed(self) -> bool:
        """Whether the answers are boxes."""
        return self.targets is not None and self.targets.ndim == 3

    @property
    def worded(self) -> bool:
        """Whether the answers are texts."""
        return self.targets is not None and self.targets.dtype.kind == "U"

    @property
    def modality(self) -> str:
        """What the inputs are: a key of ``modalities/``."""
        return "numbers" if self.columns else modality_of(self.inputs)

    @property
    def answered(self) -> npt.NDArray[np.bool_]:
        """(n,) which rows carry an answer."""
        if self.targets is None:
            return np.zeros(len(self), dtype=bool)
        if self.multi_label or self.boxed or self.worded or self.listed:
            return np.ones(len(self), dtype=bool)
        return np.asarray(np.isfinite(self.targets) if self.valued else self.targets >= 0)

    def take(self, index: IntArray | Sequence[int]) -> Examples:
        """The rows at ``index``, in that order."""
        chosen = np.asarray(index, dtype=np.int64)
        return replace(
            self,
            inputs=tuple(self.inputs[i] for i in chosen),
            targets=None if self.targets is None else self.targets[chosen],
            rows=self.rows[chosen],
            groups=None if self.groups is None else self.groups[chosen],
            weights=None if self.weights is None else self.weights[chosen],
            slices={name: values[chosen] for name, values in self.slices.items()},
        )

    def canonical(self) -> Examples:
        """The same rows ordered by content hash, so that a file's order cannot matter."""
        keys = [
            content_key(text, None if self.targets is None else self.targets[i].tolist())
            for i, text in enumerate(self.inputs)
        ]
        return self.take(sorted(range(len(keys)), key=keys.__getitem__))


def content_key(value: Input, extra: object = None) -> str:
    """sha256 (hex) of one input, and of whatever else distinguishes it."""
    return hashlib.sha256(repr((value, extra)).encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True)
class Finding:
    """Something the person should know about their rows or run; ``rows`` are source rows."""

    code: str
    message: str
    rows: tuple[int, ...] = ()
    severity: Literal["info", "warning"] = "warning"

    def as_dict(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "message": self.message,
            "rows": list(self.rows),
            "severity": self.severity,
        }


class Answers(Protocol):
    """What a model answers for n inputs, whatever its task asks; what is written of it."""

    @property
    def scored(self) -> FloatArray:
        """(n, C) what the task's metrics are computed from: probabilities, or values."""
        ...

    def __len__(self) -> int: ...
    def columns(self) -> dict[str, list[Any]]:
        """Cells to be written beside the rows of a file, n in each column."""
        ...

    def listed(self) -> list[dict[str, Any]]:
        """One JSON object a row."""
        ...

    def lines(self) -> list[str]:
        """One line a row, for a person."""
        ...

    def counts(self) -> dict[str, int]:
        """How many rows carry each of the names of the model's outputs."""
        ...

    def marks(self) -> dict[str, int]:
        """How many rows are ``unlike`` those learned from or were not answered (``abstained``),
        where the model was able to say so."""
        ...

    def compared(self, likeness: FloatArray) -> Answers:
        """The same answers, with what is known of the rows: `Predictions.likeness`."""
        ...


UNLIKE = 0.05  # a row of this likeness or less is unlike those learned from
_UNLIKE_SAID = "  (unlike the rows learned from)"


def unlike(likeness: FloatArray | None) -> dict[str, list[bool]]:
    """Cells that say which rows are unlike those learned from; none where nothing can tell."""
    return {} if likeness is None else {"unlike": (likeness <= UNLIKE).tolist()}


@dataclass(frozen=True, eq=False)
class Predictions:
    """Labels for n inputs; see `Answers`.

    Attributes:
        labels: the label (or tuple of labels) predicted for each row.
        confidence: (n,) probability of the predicted label; for several labels the product.
        probabilities: (n, C), rows sum to 1 unless a row may have several labels.
        names: the C label names.
        abstained: (n,) rows that are not answered, since too many such answers would be wrong;
            ``labels`` holds the likeliest nevertheless. None where nobody asked for a limit.
        likeness: (n,) the share of the rows learned from that lie as far from the others as
            this row does; `UNLIKE` or less is unlike them. None where that is not known.
    """

    labels: tuple[Any, ...]
    confidence: FloatArray
    probabilities: FloatArray
    names: tuple[str, ...]
    abstained: npt.NDArray[np.bool_] | None = None
    likeness: FloatArray | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def scored(self) -> FloatArray:
        return self.probabilities

    @property
    def given(self) -> tuple[Any, ...]:
        """The label of each row that is answered, None where the model abstains."""
        if self.abstained is None:
            return self.labels
        return tuple(
            None if left else label for label, left in zip(self.labels, self.abstained, strict=True)
        )

    def columns(self) -> dict[str, list[Any]]:
        """``prediction`` (empty where the model abstains), ``confidence`` and ``p_<label>``;
        ``abstained`` and ``unlike`` where they are known."""
        found: dict[str, list[Any]] = {
            "prediction": [list(a) if isinstance(a, tuple) else a for a in self.given],
            "confidence": [round(float(c), 6) for c in self.confidence],
            **self._marked(),
        }
        for place, name in enumerate(self.names):
            found[f"p_{name}"] = [round(float(p), 6) for p in self.probabilities[:, place]]
        return found

    def _marked(self) -> dict[str, list[bool]]:
        left = {} if self.abstained is None else {"abstained": self.abstained.tolist()}
        return {**left, **unlike(self.likeness)}

    def listed(self) -> list[dict[str, Any]]:
        rows = [
            {
                "prediction": label,
                "confidence": float(confidence),
                "probabilities": dict(zip(self.names, chances, strict=True)),
            }
            for label, confidence, chances in zip(
                self.given, self.confidence, self.probabilities.tolist(), strict=True
            )
        ]
        marks = self._marked()
        if self.likeness is not None:
            marks["likeness"] = self.likeness.tolist()
        for name, cells in marks.items():
            for row, cell in zip(rows, cells, strict=True):
                row[name] = cell
        return rows

    def lines(self) -> list[str]:
        lines = [
            f"{(', '.join(a) or 'none') if isinstance(a, tuple) else a}  {confidence:.2f}"
            for a, confidence in zip(self.labels, self.confidence, strict=True)
        ]
        marks = self._marked()
        for row, left in enumerate(marks.get("abstained", [])):
            lines[row] = f"no answer; likeliest {lines[row]}" if left else lines[row]
        for row, odd in enumerate(marks.get("unlike", [])):
            lines[row] += _UNLIKE_SAID if odd else ""
        return lines

    def counts(self) -> dict[str, int]:
        return dict(
            Counter(
                name
                for label in self.given
                if label is not None
                for name in (label if isinstance(label, tuple) else (label,))
            )
        )

    def marks(self) -> dict[str, int]:
        return {name: sum(cells) for name, cells in self._marked().items()}

    def compared(self, likeness: FloatArray) -> Predictions:
        return replace(self, likeness=likeness)


@dataclass(frozen=True, eq=False)
class Values:
    """Values on a scale for n inputs, with prediction intervals where there are any; see
    `Answers`.

    Attributes:
        values: (n,) the answers.
        name: of what is measured.
        low, high: (n,) ends of the intervals; infinite where too few rows bound them. None
            without intervals.
        coverage: the share of new rows that the intervals are meant to hold.
        likeness: as in `Predictions`.
    """

    values: FloatArray
    name: str
    low: FloatArray | None = None
    high: FloatArray | None = None
    coverage: float | None = None
    likeness: FloatArray | None = None

    def __len__(self) -> int:
        return len(self.values)

    @property
    def scored(self) -> FloatArray:
        return self.values[:, None]

    def columns(self) -> dict[str, list[Any]]:
        """``value``, and with intervals ``low`` and ``high``, empty where nothing bounds it;
        ``unlike`` where it is known."""
        found: dict[str, list[Any]] = {"value": [_rounded(value) for value in self.values]}
        if self.low is not None and self.high is not None:
            found["low"] = [_rounded(value) for value in self.low]
            found["high"] = [_rounded(value) for value in self.high]
        return {**found, **unlike(self.likeness)}

    def listed(self) -> list[dict[str, Any]]:
        cells = self.columns()
        if self.likeness is not None:
            cells["likeness"] = self.likeness.tolist()
        return [dict(zip(cells, row, strict=True)) for row in zip(*cells.values(), strict=True)]

    def lines(self) -> list[str]:
        lines = [f"{value:.6g}" for value in self.values]
        if self.low is not None and self.high is not None:
            ends = zip(lines, self.low, self.high, strict=True)
            lines = [f"{line}  [{low:.6g}, {high:.6g}]" for line, low, high in ends]
        for row, odd in enumerate(unlike(self.likeness).get("unlike", [])):
            lines[row] += _UNLIKE_SAID if odd else ""
        return lines

    def counts(self) -> dict[str, int]:
        return {self.name: len(self)}

    def marks(self) -> dict[str, int]:
        return {name: sum(cells) for name, cells in unlike(self.likeness).items()}

    def compared(self, likeness: FloatArray) -> Values:
        return replace(self, likeness=likeness)


def _rounded(value: float) -> float | None:
    """Ten digits, more than any measurement has; None for what is not finite."""
    return float(f"{value:.10g}") if np.isfinite(value) else None
