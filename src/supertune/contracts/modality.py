"""What is special about rows of texts, numbers, pictures or recordings, wherever they pass."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from supertune.contracts.backbone import Offer
from supertune.contracts.data import Examples, Finding, FloatArray, Input
from supertune.contracts.task import Columns


@dataclass(frozen=True)
class Copy:
    """A small copy of a picture, to be drawn on: a JPEG, its width and height, and those of the
    upright picture itself."""

    jpeg: bytes
    size: tuple[int, int]
    original: tuple[int, int]


class Modality(Protocol):
    """One file in ``modalities/``; the file's name is the key, and what `Examples.modality` says.

    Tasks, backbones and methods know what to do with their inputs. Everything between them asks
    here, so that the straight line never asks what kind of rows pass through it.
    """

    name: str
    noun: str  # of one input, for a person: "text", "picture"
    vectors: bool  # an input is its own vector; no backbone reads it
    window: int  # inputs of a file that are read and answered at a time
    # An input as it might have been given as well, with the same label: the view of a number from
    # 1 on, always the same. None where no other way of seeing is sure to keep what it says.
    varied: Callable[[Input, int], Input] | None

    def given(self, values: Any, columns: Columns) -> list[Input]:
        """What Python code hands to `Model.predict`, as inputs.

        Raises:
            InputError: what is none, by its number.
        """
        ...

    def blank(self, value: Input) -> bool:
        """Whether there is nothing in it to read."""
        ...

    def same(self, value: Input) -> Hashable:
        """Equal for inputs that a person would call the same row."""
        ...

    def alike(self, inputs: Sequence[Input], most: int | None = None) -> list[list[int]]:
        """Indices of rows that are nearly the same, cluster by cluster, each of two or more; of
        texts ``most`` characters are compared, all by default."""
        ...

    def form(self, inputs: Sequence[Input]) -> FloatArray | None:
        """(n, d) how rows are made, whatever they are about; None where nothing tells."""
        ...

    def noticed(self, examples: Examples, max_length: int) -> list[Finding]:
        """What a person should know about how these rows will be read, such as what is cut."""
        ...

    def to_json(self, value: Input) -> Any:
        """An input as the model folder keeps it, for a later fit to go on from."""
        ...

    def from_json(self, kept: Any) -> Input:
        """The inverse of `to_json`."""
        ...

    def described(self, value: Input) -> str:
        """An input as a person is shown it on a terminal."""
        ...

    def thumbnail(self, value: Input) -> bytes | None:
        """A small PNG to be shown beside its name; None where its words show it."""
        ...

    def played(self, value: Input) -> bytes | None:
        """A short copy as OGG to be listened to beside its name; None where nothing is heard."""
        ...

    def copy(self, value: Input, side: int) -> Copy:
        """A copy whose longer side has so many pixels at most, of rows that answers lie on."""
        ...

    def language(self, inputs: Sequence[Input]) -> str | None:
        """ISO code of the language that most rows seem to be in; None where none can be told."""
        ...

    def backbones(self, inputs: Sequence[Input]) -> tuple[str, ...]:
        """Names of the catalogue that `auto` tries for such rows, in this order."""
        ...

    def lengths(
        self, inputs: Sequence[Input], offer: Offer | None, max_length: int
    ) -> tuple[int, ...]:
        """Positions that a backbone computes of each input, as estimated; without one, what
        reading the input costs in such positions."""
        ...
