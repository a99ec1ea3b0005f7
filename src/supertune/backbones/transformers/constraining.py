"""What may be written next where answers have a structure, through ``llguidance``.

A grammar is followed byte by byte over the tokenizer's own vocabulary (Koo et al. 2024,
arXiv:2407.08103), so that an answer that ends is one of the structure.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from supertune.contracts import FloatArray
from supertune.errors import EnvironmentFault, InputError

if TYPE_CHECKING:
    from supertune.backbones.transformers.model import TransformersBackbone


def constraint(backbone: TransformersBackbone, structure: Any) -> Constraint | None:
    """What a checked structure (`supertune.structures.checked`) allows.

    Raises:
        InputError: ``bad_structure``, ``no_fast_tokenizer``.
        EnvironmentFault: ``extra_missing``.
    """
    return None if structure is None else Constraint(backbone, structure)


class Constraint:
    """A grammar over one tokenizer."""

    def __init__(self, backbone: TransformersBackbone, structure: Any) -> None:
        try:
            import llguidance
            import llguidance.hf
        except ImportError as error:
            raise EnvironmentFault(
                "extra_missing",
                "Answers are held to a structure by llguidance, which is not installed.",
                received=str(error),
                allowed="the extra generation",
                next="pip install 'supertune[generation]'",
            ) from error
        self._library = llguidance
        try:
            self._tokens = llguidance.hf.from_tokenizer(backbone.tokenizer)
        except ValueError as error:
            raise InputError(
                "no_fast_tokenizer",
                f"The tokenizer of {backbone.ref.name} cannot be held to a structure.",
                received=str(error)[:200],
                allowed="a backbone with a tokenizer.json",
                next="Leave structure out, or take another backbone.",
            ) from error
        self._grammar = self._of(structure)
        wrong = self.begun().matcher.get_error()
        if wrong:
            raise InputError(
                "bad_structure",
                "The structure cannot be followed.",
                received=wrong.splitlines()[0][:300],
                allowed="JSON Schema, draft 2020-12, without what llguidance does not know",
                next="Simplify the schema.",
            )

    def _of(self, structure: Any) -> str:
        matcher = self._library.LLMatcher
        if isinstance(structure, dict):
            how = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
            return str(
                matcher.grammar_from_json_schema(json.dumps({"x-guidance": how, **structure}))
            )
        return str(matcher.grammar_from_regex("|".join(map(re.escape, structure))))

    def begun(self) -> Followed:
        """At the beginning of an answer."""
        return Followed(self._library.LLMatcher(self._tokens, self._grammar))


class Followed:
    """One answer that is being written."""

    def __init__(self, matcher: Any) -> None:
        self.matcher = matcher

    def copied(self) -> Followed:
        """Another answer with the same beginning."""
        return Followed(self.matcher.deep_copy())

    def masked(self, scores: FloatArray) -> FloatArray:
        """(vocabulary,) with what may not come next at minus infinity."""
        bits = np.frombuffer(self.matcher.compute_bitmask(), dtype=np.uint8)
        allowed = np.unpackbits(bits, bitorder="little")[: len(scores)].astype(bool)
        found = np.full(len(scores), -np.inf, dtype=scores.dtype)
        found[: len(allowed)] = np.where(allowed, scores[: len(allowed)], -np.inf)
        return found

    def over(self, token: int) -> bool:
        """Whether the answer is whole with that token behind it."""
        self.matcher.consume_token(token)
        return bool(self.matcher.is_stopped())
