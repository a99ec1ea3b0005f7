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
    Joined,
    Joining,
    Lens,
    Offer,
    Prompt,
    Tunable,
)
from supertune.contracts.data import (
    UNLIKE,
    Answers,
    Examples,
    Finding,
    FloatArray,
    Input,
    IntArray,
    Predictions,
    Values,
    content_key,
)
from supertune.contracts.explaining import (
    Attributable,
    Attributing,
    Comparing,
    Contrasting,
    Contribution,
    Explains,
    Influencing,
    Span,
)
from supertune.contracts.generation import Decoding, Generating
from supertune.contracts.method import (
    Asking,
    Coefficient,
    Curve,
    FoldSolver,
    GradientMethod,
    GradientOptions,
    Method,
    Noted,
    Notes,
    Options,
    Problem,
    Replaying,
    Solver,
    State,
    Tuned,
    asked_by,
    features,
    misfit,
)
from supertune.contracts.objective import (
    NOTHING_ASKED,
    Asked,
    ClassWeights,
    Judge,
    Judged,
    Shifting,
)
from supertune.contracts.task import (
    Columns,
    HeadSpec,
    Objective,
    Reading,
    Task,
)

__all__ = [
    "NOTHING_ASKED",
    "UNLIKE",
    "Answers",
    "Asked",
    "Asking",
    "Attributable",
    "Attributing",
    "Backbone",
    "BackboneRef",
    "Capability",
    "ClassWeights",
    "Coefficient",
    "Columns",
    "Comparing",
    "Contrasting",
    "Contribution",
    "Curve",
    "Decoding",
    "Encoding",
    "Engine",
    "Examples",
    "Explains",
    "Finding",
    "FloatArray",
    "FoldSolver",
    "Generating",
    "GradientMethod",
    "GradientOptions",
    "HeadSpec",
    "Influencing",
    "Injection",
    "Input",
    "IntArray",
    "Joined",
    "Joining",
    "Judge",
    "Judged",
    "Lens",
    "Method",
    "Noted",
    "Notes",
    "Objective",
    "Offer",
    "Options",
    "Predictions",
    "Problem",
    "Prompt",
    "Reading",
    "Replaying",
    "Shifting",
    "Solver",
    "Span",
    "State",
    "Task",
    "Tunable",
    "Tuned",
    "Values",
    "asked_by",
    "content_key",
    "features",
    "misfit",
]
