"""`supertune.load` of an adapter that was trained to write: it goes on with texts, and scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from supertune.api import foreign
from supertune.artifact import foreign as folders
from supertune.config import mistakes
from supertune.contracts import Decoding, FloatArray, Generating, Tunable
from supertune.errors import InputError


@dataclass(frozen=True, eq=False)
class Generator:
    """An adapter in its backbone that writes text and says how likely given text is; it has no
    labels, so it classifies nothing.

    Attributes:
        method, backbone: their names.
        folder: where it was loaded from.
    """

    method: str
    backbone: str
    folder: Path
    _writer: Generating
    _tunable: Tunable

    def generate(self, texts: Sequence[str], **settings: Any) -> list[str]:
        """What follows each text, without the text itself.

        Args:
            settings: keys of `supertune.contracts.Decoding`, e.g. ``max_new_tokens=40``,
                ``temperature=0.7``, ``seed=1``, ``stop=("\\n",)``, ``chat=True``.

        Raises:
            InputError: ``bad_option``, ``bad_texts``, ``text_too_long``, ``no_chat_template``.
        """
        asked = decoding(settings)
        with self._tunable:
            return self._writer.generate(_texts(texts), asked, room=self._tunable.room)

    def sequence_loss(
        self,
        prompts: Sequence[str],
        continuations: Sequence[str],
        *,
        rule: Literal["sum", "mean"] = "sum",
        chat: bool = False,
    ) -> FloatArray:
        """(n,) negative log-likelihood in nats of each continuation behind its prompt, of all its
        tokens or per token: the smaller, the likelier.

        Raises:
            InputError: ``bad_texts``, ``unpaired``, ``continuation_empty``, ``text_too_long``.
        """
        with self._tunable:
            return self._writer.sequence_loss(
                _texts(prompts),
                _texts(continuations),
                rule=rule,
                chat=chat,
                room=self._tunable.room,
            )

    def __repr__(self) -> str:
        return f"<supertune.Generator {self.method} on {self.backbone}>"


def load_generator(folder: Path, backbone: str | None, place: dict[str, Any]) -> Generator:
    """A `Generator` out of a bare PEFT folder.

    Raises:
        InputError: ``not_an_adapter``, ``cannot_generate``, and as `supertune.load`.
    """
    if folders.kind(folder) != "peft":
        raise InputError(
            "not_an_adapter",
            f"{folder} is no adapter of peft, so nothing in it writes text.",
            received=str(folder),
            allowed="a folder with adapter_config.json and adapter_model.safetensors",
            next="Leave task='generation' out to load a model that answers with labels or values.",
        )
    taken = foreign.taken(folder, foreign.Given(), backbone, place)
    opened: Any = taken.lens.backbone
    if not {"generate", "sequence_loss"} <= opened.offer.capabilities:
        raise InputError(
            "cannot_generate",
            f"{taken.recipe.backbone} writes no text.",
            received=f"{opened.offer.architecture}, a model of the kind {opened.offer.family}",
            allowed="causal and sequence-to-sequence language models",
            next="Name the backbone that the adapter was trained on, or give labels to classify.",
        )
    tunable = opened.inject(taken.injection, seed=0, numbers=taken.arrays)
    return Generator(taken.recipe.method, taken.recipe.backbone, folder, opened, tunable)


def decoding(settings: Mapping[str, Any]) -> Decoding:
    """Settings, checked.

    Raises:
        InputError: ``bad_option`` with every mistake.
    """
    keys = sorted(Decoding.model_fields)
    try:
        return Decoding(**settings)
    except ValidationError as error:
        raise InputError(
            "bad_option",
            "The settings of a generator have mistakes.",
            received="; ".join(mistakes(error, keys)),
            allowed=", ".join(keys),
            next="For example max_new_tokens=40, temperature=0.7, seed=1.",
        ) from error


def _texts(given: Any) -> list[str]:
    listed = [] if isinstance(given, str) else list(given)
    if isinstance(given, str) or not all(isinstance(text, str) for text in listed):
        raise InputError(
            "bad_texts",
            "A generator goes on with texts.",
            received=type(given).__name__
            if isinstance(given, str)
            else ", ".join(sorted({type(text).__name__ for text in listed})),
            allowed="a list of strings",
            next='model.generate(["Once upon a time"])',
        )
    return listed
