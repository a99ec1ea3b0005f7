"""The architecture on a few screens: what a task, a backbone and a method owe each other.

A *task* says what goes in, what comes out and how it is scored. An *engine* opens pretrained
*backbones* of one framework. A *method* says which few numbers are tuned and how. They never
import one another: they meet in ``pipeline.py``, which hands a method a `Lens` (a backbone seen
through the activation cache) and a task's `Examples`.

Whether a combination fits is decided from declarations alone (`Offer`, ``Method.needs``),
before torch is imported or a weight is read.

Shapes: n rows, C labels, d features. Arrays are NumPy unless said otherwise.
"""

from __future__ import annotations

from supertune.contracts.backbone import (
    Backbone,
    BackboneRef,
    Capability,
    Encoding,
    Engine,
    Injection,
    Lens,
    Offer,
    Prompt,
    Tunable,
)
from supertune.contracts.data import (
    Examples,
    Finding,
    FloatArray,
    Input,
    IntArray,
    Predictions,
    content_key,
)
from supertune.contracts.method import (
    FoldSolver,
    GradientMethod,
    GradientOptions,
    Method,
    Options,
    Problem,
    Solver,
    State,
    Tuned,
    misfit,
)
from supertune.contracts.task import (
    Columns,
    HeadSpec,
    Objective,
    Reading,
    Task,
)

__all__ = [
    "Backbone",
    "BackboneRef",
    "Capability",
    "Columns",
    "Encoding",
    "Engine",
    "Examples",
    "Finding",
    "FloatArray",
    "FoldSolver",
    "GradientMethod",
    "GradientOptions",
    "HeadSpec",
    "Injection",
    "Input",
    "IntArray",
    "Lens",
    "Method",
    "Objective",
    "Offer",
    "Options",
    "Predictions",
    "Problem",
    "Prompt",
    "Reading",
    "Solver",
    "State",
    "Task",
    "Tunable",
    "Tuned",
    "content_key",
    "misfit",
]
