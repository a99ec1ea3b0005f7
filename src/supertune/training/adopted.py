"""The gradient method that an adapter amounts to which was trained elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from supertune.contracts import Injection, Offer, Options


@dataclass(eq=False)
class Adopted:
    """An injection that is known already; see `supertune.contracts.GradientMethod`."""

    name: str
    made: Injection
    summary: str = "an adapter that peft trained"
    reference: str = ""
    needs: frozenset[str] = frozenset({"torch"})
    objectives: frozenset[str] = frozenset({"classify"})
    simplicity: int = 40
    options: type[Options] = Options

    def injection(self, offer: Offer, options: Any) -> Injection:
        return self.made

    def as_dict(self) -> dict[str, Any]:
        """The injection as JSON, for a model folder."""
        blocks = None if self.made.blocks is None else list(self.made.blocks)
        return {"kind": self.made.kind, "blocks": blocks, "settings": dict(self.made.settings)}

    @classmethod
    def from_dict(cls, name: str, kept: Mapping[str, Any]) -> Adopted:
        blocks = kept["blocks"]
        numbers = None if blocks is None else tuple(map(int, blocks))
        return cls(name, Injection(str(kept["kind"]), numbers, dict(kept["settings"])))
