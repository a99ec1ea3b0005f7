"""What writes down speech, as it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from supertune.contracts import (
    Examples,
    FloatArray,
    HeadSpec,
    Input,
    Lens,
    Listening,
    Recording,
    State,
    Transcribing,
    Written,
)
from supertune.contracts.speech import listening_of, numbered
from supertune.data.sounds import windows


@dataclass(frozen=True, eq=False)
class AsItWrites:
    """See `supertune.contracts.Writing`. ``language`` is that of the rows it was held to, so that
    it is asked in the same as what was tuned on them."""

    head: HeadSpec
    language: str | None

    @classmethod
    def of(cls, examples: Examples, head: HeadSpec, lens: Lens) -> AsItWrites:
        assert examples.targets is not None
        said = [str(text) for text in examples.targets]
        recordings = [one for one in examples.inputs if isinstance(one, Recording)]
        return cls(head, windows.language_of(said, recordings, lens))

    @property
    def tuned_parameters(self) -> int:
        return 0

    def logits(self, inputs: Sequence[Input], lens: Lens | None) -> FloatArray:
        """(n, W) texts."""
        return self._answers(inputs, lens, keep=False)

    def held_out(self, inputs: Sequence[Input], lens: Lens | None) -> FloatArray:
        return self._answers(inputs, lens, keep=True)

    def _answers(self, inputs: Sequence[Input], lens: Lens | None, *, keep: bool) -> FloatArray:
        assert lens is not None
        how = listening_of(lens.encoding)
        texts = [one.text for one in self.transcribe(inputs, lens, how, keep=keep)]
        return numbered(texts, self.head.characters)

    def transcribe(
        self, inputs: Sequence[Input], lens: Lens, how: Listening, *, keep: bool = False
    ) -> Iterator[Written]:
        backbone = lens.backbone
        assert isinstance(backbone, Transcribing)
        if how.language is None:
            how = how.model_copy(update={"language": self.language})
        recordings = [value for value in inputs if isinstance(value, Recording)]
        yield from windows.written(recordings, lens, how, (backbone.window,), keep=keep)

    def state(self) -> State:
        return State({}, {"language": self.language})
