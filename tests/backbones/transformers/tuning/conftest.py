"""What is put into a model, and whether anything of it is left there afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import numpy as np
import pytest

from supertune.contracts import Encoding, FloatArray, Injection

TEXTS = ["a good film", "the long dull story of two", "bad"]

# One of each kind, and of each way in which a kind can be put in.
KINDS = {
    "lora": Injection("LORA", (2, 3), {"r": 2}),
    "dora": Injection("LORA", (2, 3), {"r": 2, "use_dora": True}),
    "pissa": Injection("LORA", (2, 3), {"r": 2, "init_lora_weights": "pissa"}),
    "ia3": Injection("IA3", (2, 3), {}),
    "everything": Injection("unfreeze", None, {"only": "all"}),
    "blocks": Injection("unfreeze", (2, 3), {"only": "all"}),
    "norms": Injection("unfreeze", (2, 3), {"only": "norms"}),
    "houlsby": Injection("adapter", (2, 3), {"placement": "houlsby", "reduction": 4}),
    "pfeiffer": Injection("adapter", (2, 3), {"placement": "pfeiffer", "reduction": 4}),
    "parallel": Injection("adapter", (2, 3), {"placement": "parallel", "reduction": 4}),
    "deep_prompts": Injection("deep_prompts", (2, 3), {"tokens": 3, "init": "vocabulary"}),
    "prompt": Injection("PROMPT_TUNING", None, {"num_virtual_tokens": 3, "init": "vocabulary"}),
    "prefix": Injection("PREFIX_TUNING", None, {"num_virtual_tokens": 3, "init": "vocabulary"}),
    "p_tuning": Injection("P_TUNING", None, {"num_virtual_tokens": 3, "encoder_hidden_size": 8}),
}


@pytest.fixture(scope="session")
def texts() -> list[str]:
    return TEXTS


@pytest.fixture(scope="session")
def kinds() -> dict[str, Injection]:
    return KINDS


@pytest.fixture(scope="session")
def vectors() -> Callable[[Any], FloatArray]:
    """``vectors(backbone)``: (3, d) features of the texts."""
    return lambda b: b.features(b.tokens(TEXTS, Encoding()), Encoding())


@pytest.fixture(scope="session")
def batch_of() -> Callable[[Any], Any]:
    """``batch_of(backbone)``: the texts as one padded batch."""

    def made(backbone: Any) -> Any:
        pieces = [pieces[0] for pieces in backbone.tokens(TEXTS, Encoding())]
        return backbone.tensors(pieces, len(pieces), max(len(p.ids) for p in pieces) + 1)

    return made


@pytest.fixture(scope="session")
def shifted() -> Callable[..., Any]:
    """``shifted(tunable, by)``: the same tunable with all of its numbers moved by noise."""

    def moved(tunable: Any, by: float = 0.05) -> Any:
        import torch

        noise = torch.Generator().manual_seed(5)
        with tunable, torch.no_grad():
            for parameter in tunable.parameters():
                parameter.add_(torch.randn(parameter.shape, generator=noise) * by)
        return tunable

    return moved


@pytest.fixture(scope="session")
def stepped(batch_of: Callable[[Any], Any]) -> Callable[..., dict[str, float]]:
    """``stepped(tunable, steps)``: trained a little; the largest gradient of each tensor."""

    def trained(tunable: Any, steps: int = 2) -> dict[str, float]:
        import torch

        goal = torch.randn(3, 32, generator=torch.Generator().manual_seed(1))
        largest: dict[str, float] = {}
        with tunable:
            optimizer = torch.optim.Adam(tunable.parameters(), lr=0.02)
            for _ in range(steps):
                pooled = tunable.run(batch_of(tunable.backbone), None, Encoding())
                optimizer.zero_grad()
                ((pooled - goal) ** 2).sum().backward()
                for name, parameter in tunable.named().items():
                    seen = 0.0 if parameter.grad is None else float(parameter.grad.abs().max())
                    largest[name] = max(largest.get(name, 0.0), seen)
                optimizer.step()
        return largest

    return trained


@pytest.fixture(scope="session")
def unchanged(
    vectors: Callable[[Any], FloatArray],
) -> Callable[[Any], AbstractContextManager[None]]:
    """``with unchanged(backbone):`` weights, modules, hooks, marks of gradients as before."""

    def seen(backbone: Any) -> tuple[Any, ...]:
        model = backbone.model
        frozen = not any(parameter.requires_grad for parameter in model.parameters())
        empty = all(parameter.grad is None for parameter in model.parameters())
        kinds = [(name, type(module)) for name, module in model.named_modules()]
        hooks = sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())
        modes = [module.training for module in model.modules()]
        attributes = [sorted(module.__dict__) for module in model.modules()]
        state = (hooks, modes, attributes, backbone.extend, backbone.tuned)
        return (backbone.fingerprint(), frozen, empty, kinds, state)

    @contextmanager
    def watch(backbone: Any) -> Iterator[None]:
        before, answers = seen(backbone), vectors(backbone)
        assert before[1:3] == (True, True)
        yield
        assert seen(backbone) == before
        np.testing.assert_array_equal(vectors(backbone), answers)

    return watch
