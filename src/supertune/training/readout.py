"""What turns vectors or word scores into one score a label, trained along with the backbone.

A *head* is linear on features and starts at the closed-form solution (linear probe, then tune:
Kumar et al. 2022, arXiv:2202.10054). *Words* takes how likely each label word is in a prompt and
starts calibrated: each label's mean over the training rows is subtracted, as zero-shot scores
lean to the commoner word (Zhao et al. 2021, arXiv:2102.09690). *Names* compares features with the
labels' names, and has no number of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from supertune.contracts import Encoding, FloatArray, Lens, Problem, Prompt, naming_of
from supertune.errors import InputError
from supertune.methods._unit import unit
from supertune.methods.label_names import log_odds
from supertune.methods.linear_probe import (
    Head,
    LinearProbeOptions,
    one_hot,
    softened,
    solve,
    solve_values,
)
from supertune.prompts.likelihoods import by_label, owners


class Fixed(Protocol):
    """A readout after training: plain arrays."""

    @property
    def tuned_parameters(self) -> int: ...
    def apply(self, values: FloatArray) -> FloatArray: ...
    def arrays(self) -> dict[str, Any]: ...


@dataclass(frozen=True, eq=False)
class WordScores:
    """logits = scale x (log mean likelihood of the label's words) + bias.

    Attributes:
        owners: (W,) the label of each word.
        scale, bias: (1,) and (C,) float32.
    """

    owners: tuple[int, ...]
    scale: FloatArray
    bias: FloatArray

    @property
    def tuned_parameters(self) -> int:
        return int(self.scale.size + self.bias.size)

    def apply(self, values: FloatArray) -> FloatArray:
        """(n, C) from word scores (n, W)."""
        return np.asarray(by_label(values, self.owners) * self.scale + self.bias, dtype=np.float64)

    def arrays(self) -> dict[str, Any]:
        return {"words.scale": self.scale, "words.bias": self.bias}


class TrainedHead:
    """A linear head as two trainable tensors."""

    words = False

    def __init__(self, problem: Problem, lens: Lens, device: Any, start: str) -> None:
        import torch

        found = solved(problem, lens.features(problem.examples.inputs), soft=start == "softened")
        factor = 0.0 if start == "zero" else 1.0
        weight, bias = (
            torch.tensor(a * factor, dtype=torch.float32, device=device)
            for a in (found.weight, found.bias)
        )
        self.weight, self.bias = weight.requires_grad_(), bias.requires_grad_()

    def parameters(self) -> list[Any]:
        return [self.weight, self.bias]

    def __call__(self, features: Any) -> Any:
        return features @ self.weight + self.bias

    def fixed(self) -> Head:
        return Head(_array(self.weight), _array(self.bias))


class TrainedWords:
    """Scale and bias of label words as trainable tensors."""

    words = True

    def __init__(self, problem: Problem, lens: Lens, device: Any) -> None:
        import torch

        assert lens.encoding.prompt is not None
        self.owners = owners(lens.encoding.prompt)
        start = by_label(lens.scores(problem.examples.inputs), self.owners)
        given = problem.examples.weights
        bias = -np.average(start, axis=0, weights=given)
        self.bias = torch.tensor(bias.astype(np.float32), device=device, requires_grad=True)
        self.scale = torch.ones(1, device=device, requires_grad=True)
        count = max(self.owners) + 1
        member = np.array([[owner == label for owner in self.owners] for label in range(count)])
        shares = np.where(member, -np.log(member.sum(axis=1, keepdims=True)), -np.inf)
        self._shares = torch.tensor(shares.astype(np.float32), device=device)

    def parameters(self) -> list[Any]:
        return [self.scale, self.bias]

    def __call__(self, scores: Any) -> Any:
        labels = (scores[:, None, :] + self._shares).logsumexp(dim=2)
        return labels * self.scale + self.bias

    def fixed(self) -> WordScores:
        return WordScores(self.owners, _array(self.scale), _array(self.bias))


@dataclass(frozen=True, eq=False)
class NameScores:
    """logits = scale x cosine to each label's vector + bias.

    Attributes:
        vectors: (C, d) float32 of length 1, made of what is tuned in the backbone.
        scale: as the backbone was pretrained.
        bias: (C,) float32 where a row may have several labels; else (0,), and there is none.
    """

    vectors: FloatArray
    scale: float
    bias: FloatArray

    @property
    def tuned_parameters(self) -> int:
        return int(self.bias.size)

    def apply(self, values: FloatArray) -> FloatArray:
        """(n, C) from features (n, d)."""
        cosines = unit(values) @ self.vectors.T
        bias = self.bias if self.bias.size else 0.0
        return np.asarray(cosines * self.scale + bias, dtype=np.float64)

    def arrays(self) -> dict[str, Any]:
        scale = np.array([self.scale])
        return {"names.vectors": self.vectors, "names.scale": scale, "names.bias": self.bias}


class TrainedNames:
    """Similarity to names that what is tuned makes anew at each step.

    Where a row has one label they are all there is. Where it may have several, each label also
    has a threshold, which starts at the mean of its similarities and the label's log odds.
    """

    words = False

    def __init__(self, problem: Problem, lens: Lens, tunable: Any, device: Any) -> None:
        import torch

        naming = naming_of(lens.backbone)
        assert naming is not None
        self.scale, self.tunable = naming.scale, tunable
        start = np.zeros(0)
        if problem.head.multi_label:
            names = unit(
                lens.names([naming.phrase.format(label=n) for n in problem.examples.labels])
            )
            own = unit(lens.features(problem.examples.inputs)) @ names.T * naming.scale
            start = log_odds(problem.examples.targets) - own.mean(axis=0)
        self.bias = torch.tensor(start, dtype=torch.float32, device=device, requires_grad=True)

    def parameters(self) -> list[Any]:
        return [self.bias] if self.bias.numel() else []

    def __call__(self, features: Any) -> Any:
        import torch

        cosines = torch.nn.functional.normalize(features, dim=-1) @ self.tunable.vectors().T
        return cosines * self.scale + (self.bias if self.bias.numel() else 0.0)

    def fixed(self) -> NameScores:
        import torch

        with torch.no_grad():
            vectors = _array(self.tunable.vectors())
        return NameScores(vectors, self.scale, _array(self.bias))


Trained = TrainedHead | TrainedWords | TrainedNames


def trained(problem: Problem, lens: Lens, device: Any, start: str = "solved") -> Trained:
    """The readout that ``lens.encoding`` asks for: words if it has a prompt, else a head, which
    starts at the solution, ``"softened"`` or not, or at ``"zero"``."""
    if lens.encoding.prompt is not None:
        return TrainedWords(problem, lens, device)
    return TrainedHead(problem, lens, device, start)


def encoding_for(problem: Problem, wanted: str) -> Encoding:
    """The encoding for the readout ``wanted``: ``"head"``, ``"verbalizer"`` or ``"auto"``, which
    asks in words where the backbone can and a row has one label.

    Raises:
        InputError: ``verbalizer_impossible``.
    """
    assert problem.lens is not None
    plain, offer = problem.lens.encoding, problem.lens.backbone.offer
    able = "score_text" in offer.capabilities
    if wanted == "verbalizer" and not (able and problem.prompt is not None):
        raise InputError(
            "verbalizer_impossible",
            "The labels cannot be asked for in words here.",
            received=f"readout verbalizer on {problem.lens.backbone.ref.name}",
            allowed="a backbone with a language-model head, and label words",
            next="Leave readout out, or choose a backbone such as smollm2.",
        )
    if wanted == "head" or not able or problem.prompt is None or problem.head.multi_label:
        return replace(plain, prompt=None)
    return replace(plain, prompt=problem.prompt)


def restored(arrays: Mapping[str, Any], prompt: Prompt | None) -> Head | WordScores | NameScores:
    """A readout from the arrays of a saved model."""
    if "names.vectors" in arrays:
        scale = float(arrays["names.scale"][0])
        return NameScores(arrays["names.vectors"], scale, arrays["names.bias"])
    if prompt is None:
        return Head.from_arrays(arrays)
    return WordScores(owners(prompt), arrays["words.scale"], arrays["words.bias"])


def solved(problem: Problem, features: FloatArray, *, soft: bool = False) -> Head:
    """The closed-form head on features (n, d); ``soft``: labels are told no surer than on rows left
    out."""
    examples = problem.examples
    assert examples.targets is not None
    weights = np.ones(len(examples)) if examples.weights is None else examples.weights
    if problem.head.valued:
        return solve_values(features, examples.targets, weights, LinearProbeOptions().penalties)
    return (softened if soft else solve)(
        features,
        one_hot(examples.targets, problem.head.outputs),
        weights,
        LinearProbeOptions().penalties,
        problem.head.multi_label,
    )


def _array(tensor: Any) -> FloatArray:
    return np.asarray(tensor.detach().cpu().numpy())
