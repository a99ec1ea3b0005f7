"""Context optimisation: trainable vectors in front of the labels' names, in CLIP's tower of texts.

The tower of pictures is frozen and its vectors come from the cache; each step runs the tower of
texts on the labels alone. What is kept to answer with is one vector a label.
"""

from __future__ import annotations

from pydantic import Field

from supertune.contracts import GradientOptions, Injection, Offer, Options


class CoopOptions(GradientOptions):
    """Keys of ``coop``. Published with plain gradient descent; the shared loop takes AdamW."""

    epochs: int = Field(50, ge=1, le=1000)
    learning_rate: float = Field(2e-3, gt=0, le=1)
    weight_decay: float = Field(0.0, ge=0)
    tokens: int = Field(16, ge=1, le=64, description="trainable vectors in front of the name")
    class_specific: bool = Field(False, description="vectors of its own for each label")
    init_text: str | None = Field(
        None,
        description="words to start at, e.g. 'a photo of a', in place of noise; 'tokens' is then "
        "how many tokens they have",
    )


class Coop:
    """See `supertune.contracts.GradientMethod`."""

    name = "coop"
    summary = "CLIP: trainable vectors before the labels' names in the tower of texts"
    reference = "Zhou et al. 2022, arXiv:2109.01134"
    needs = frozenset({"features", "names", "text_tower", "torch"})
    objectives = frozenset({"classify"})
    simplicity = 28
    options: type[Options] = CoopOptions

    def injection(self, offer: Offer, options: CoopOptions) -> Injection:
        settings = {
            "tokens": options.tokens,
            "class_specific": options.class_specific,
            "init_text": options.init_text,
        }
        return Injection("context", (), settings, criterion="names")


METHOD = Coop()
