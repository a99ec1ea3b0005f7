"""Which methods are asked what, on which backbones, and what a method cannot be asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from supertune import registry
from supertune.catalogue.entries import model as catalogued
from supertune.contracts import GradientMethod, misfit

# Those of boxes and of pictures to be drawn have files of their own.
# What a server tunes is asked in tests/methods, at a server.
METHODS = [
    name
    for name in registry.names("methods")
    if registry.method(name).objectives & {"classify", "regress"}
    and "fine_tuning" not in registry.method(name).needs
]
CLASSIFIERS = [name for name in METHODS if "classify" in registry.method(name).objectives]
REGRESSORS = [name for name in METHODS if "regress" in registry.method(name).objectives]
ON_BACKBONES = [name for name in METHODS if registry.method(name).needs]
GRADIENT = [name for name in METHODS if isinstance(registry.method(name), GradientMethod)]

# What the rows are read with, beside the seed and the thread; of pictures, few pixels.
READ: Mapping[str, Mapping[str, Any]] = {
    "text": {"max_length": 32},
    "dinov2-small": {"resolution": 28},
    "efficientnet-lite0": {"resolution": 64},
    "clip": {},
}


def seen_by(name: str) -> str:
    """The backbone of pictures that serves a method which no backbone of texts can."""
    return "dinov2-small" if unfit(name, "dinov2-small") is None else "clip"


def unfit(name: str, backbone: str) -> str | None:
    """Why a backbone of the catalogue cannot serve a method, or None."""
    method, entry = registry.method(name), catalogued(backbone)
    assert entry is not None
    objective = "classify" if "classify" in method.objectives else "regress"
    return misfit(method, objective, entry.offer, entry.offer.modality)


# No backbone of texts offers what these need: they are asked about pictures wherever others are
# asked about news.
SEEING = [name for name in ON_BACKBONES if all(unfit(name, text) for text in ("minilm", "smollm2"))]
PICTURED = [
    f"{name}-dinov2-small"
    for name in ON_BACKBONES
    if name in CLASSIFIERS and name not in SEEING and unfit(name, "dinov2-small") is None
]
# A tiny random CLIP, for what compares pictures with names and reads texts too.
PICTURED += [
    f"{name}-clip"
    for name in ON_BACKBONES
    if "names" in registry.method(name).needs and name not in SEEING
]
# Of convolutions, those that are solved: what is trained would take the half of the time of all.
PICTURED += [f"{name}-efficientnet-lite0" for name in ("linear_probe", "nearest_centroid")]
TRAINED_ON_PICTURES = "lora-dinov2-small"
# One step of its own learning rate throws prompts too far where blocks are few, and one epoch is
# one step.
# A context begins at what names say of pictures, of a random CLIP nothing.
OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "deep_prompts": {"learning_rate": 0.01},
    "deep_prompts-texts": {"learning_rate": 0.01},
    "deep_prompts-dinov2-small": {"learning_rate": 0.001},
    "coop": {"epochs": 30, "learning_rate": 0.02},
}

# Where a promise cannot be asked of a method, and why. A method that is not named keeps all.
LEARNS_NO_WORDS = {
    "majority": "it answers with the classes' shares, whatever the input",
    "label_names": "it reads the labels' names and no row",
}
LEARNS_NO_ROWS = {
    "label_names": "it reads the labels' names and no row",
    "coop": "it goes on from the labels' names, which also answer for a label without rows",
}
ASKING = ("zero_shot_prompt", "prompt_search", "in_context")
LEARNS_NO_WORDS |= dict.fromkeys(
    ASKING, "two blocks of its backbone know no language; tests/methods has it on the whole"
)
LEARNS_NO_ROWS |= dict.fromkeys(ASKING, "it asks for every label, whether a row has it or not")

# Methods that train an encoder of which only the outcome is kept.
ENCODED = frozenset({"p_tuning"})

# Arrays of the state that are not tuned numbers; of a method that is not named, none.
NOT_TUNED: Mapping[str, frozenset[str]] = {
    "majority": frozenset({"prior"}),  # counted, and the floor for everything that is tuned
    "label_names": frozenset({"label_vectors"}),  # read off the backbone
    "coop": frozenset({"names.vectors", "names.scale"}),  # made of the context
    "tip_adapter": frozenset({"label_vectors", "votes"}),  # read off, and the rows' own labels
    "bag_of_words": frozenset({"terms", "idf"}),  # which words there are, and how rare they are
    "mean": frozenset({"mean"}),  # counted, as the shares of "majority" are
}

HOLDS_ROWS = {"in_context": "it shows rows in front of every question"}
