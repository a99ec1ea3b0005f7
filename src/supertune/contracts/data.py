"""What a row is, on its way in and on its way out."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

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
